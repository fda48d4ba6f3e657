"""Minimisation by L-BFGS with a strong-Wolfe line search, as one compiled loop (optax's two parts)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

LINE_SEARCH_STEPS = 20
MEMORY = 10  # pairs of steps and gradient changes


class Minimum(NamedTuple):
    """Where a minimisation ended.

    Attributes:
        point: the best that was found.
        value: of the objective there; infinity if it was a number nowhere.
        slope: largest entry of the gradient there, in magnitude.
        steps: that were taken.
    """

    point: PyTree
    value: Float[Array, ""]
    slope: Float[Array, ""]
    steps: Int[Array, ""]


class _Search(NamedTuple):
    point: Float[Array, "V"]
    value: Float[Array, ""]
    gradient: Float[Array, "V"]
    state: Any  # optax'
    step: Int[Array, ""]
    moving: Bool[Array, ""]


def minimise(
    objective: Callable[[PyTree], Float[Array, ""]], start: PyTree, *, steps: int, tolerance: float
) -> Minimum:
    """At most `steps` steps of L-BFGS from `start`.

    Ends early once a step changes the value by less than `tolerance` times its size, or times 1 if it is
    smaller, or once no entry of the gradient is larger than `tolerance`. Neither is asked to be finer than
    rounding allows. Points where the objective is no finite number are stepped back from.
    """
    optimiser = optax.lbfgs(
        memory_size=MEMORY,
        linesearch=optax.scale_by_zoom_linesearch(LINE_SEARCH_STEPS, initial_guess_strategy="one"),
    )
    origin, restore = ravel_pytree(start)  # one vector: fewer and larger operations

    def flat(point: Float[Array, "V"]) -> Float[Array, ""]:
        return objective(restore(point))

    def advance(search: _Search) -> _Search:
        point, value, gradient = search.point, search.value, search.gradient
        updates, state = optimiser.update(
            gradient, search.state, point, value=value, grad=gradient, value_fn=flat
        )
        moved: Any = optax.apply_updates(point, updates)
        # The line search leaves what it saw where it ended, so that nothing is evaluated twice.
        following: Any = optax.tree.get(state, "value")
        gradient: Any = optax.tree.get(state, "grad")
        accuracy = jnp.maximum(tolerance, 4.0 * jnp.finfo(value.dtype).eps)
        # With a value that is not a number no comparison holds, and the search ends.
        falls = value - following > accuracy * jnp.maximum(jnp.abs(value), 1.0)
        moving = falls & (jnp.max(jnp.abs(gradient)) > accuracy)
        return _Search(moved, following, gradient, state, search.step + 1, moving)

    def going(search: _Search) -> Bool[Array, ""]:
        return search.moving & (search.step < steps)

    value, gradient = jax.value_and_grad(flat)(origin)
    zero = jnp.zeros((), jnp.int32)
    first = _Search(origin, value, gradient, optimiser.init(origin), zero, jnp.isfinite(value))
    last = jax.lax.while_loop(going, advance, first)
    value = jnp.where(jnp.isfinite(last.value), last.value, jnp.inf)
    return Minimum(restore(last.point), value, jnp.max(jnp.abs(last.gradient)), last.step)
