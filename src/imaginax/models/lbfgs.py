"""Minimisation of a function of a pytree by L-BFGS, as one compiled loop that holds the function once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from imaginax.models.box_lbfgs import minimise_in_box

MEMORY = 10  # pairs of steps and gradient changes
FIRST_MOVE = 1.0  # of the entry that moves most


class Minimum(NamedTuple):
    """Where a minimisation ended.

    Attributes:
        point: the best that was found.
        value: of the objective there; infinity if it was a number nowhere.
        steps: points that were evaluated.
    """

    point: PyTree
    value: Float[Array, ""]
    steps: Int[Array, ""]


def minimise(
    objective: Callable[[PyTree], Float[Array, ""]], start: PyTree, *, steps: int, tolerance: float
) -> Minimum:
    """L-BFGS from `start`, which evaluates the objective and its gradient at most `steps` times.

    Ends early once a step lowers the value by less than `tolerance` times its size, but is not asked to be
    finer than rounding allows. Points where the objective is no finite number are stepped back from.
    """
    origin, restore = ravel_pytree(start)  # one vector: fewer and larger operations
    found = minimise_in_box(
        jax.value_and_grad(lambda point: objective(restore(point))),
        origin[None],
        (-jnp.inf, jnp.inf),
        evaluations=steps,
        memory=MEMORY,
        tolerance=max(tolerance, 4.0 * float(jnp.finfo(origin.dtype).eps)),
        first_move=FIRST_MOVE,
    )
    return Minimum(restore(found.point), found.value, found.evaluations)
