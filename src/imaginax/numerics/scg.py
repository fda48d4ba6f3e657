"""Scaled conjugate gradients (Moller 1993), the optimiser of the published GPLVM and GPDM, compiled.

It needs no line search: the curvature along a direction p_k is measured by a difference of two gradients,

    s_k = p_k' (E'(w_k + sigma p_k) - E'(w_k)) / sigma,

and a multiple `scale` of |p_k|^2 is added to it, which grows as in Levenberg and Marquardt's method where the
quadratic model of the function is bad and shrinks where it is good.

Kept as what GPDM was published with; `numerics.lbfgs` goes lower with as many gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

LARGEST, SMALLEST = 1e20, 1e-15  # of the scale


class SCGState(NamedTuple):
    """Where the search is.

    Attributes:
        x: the best point so far, flat.
        value: the function there.
        gradient: and its gradient.
        direction: of the search.
        curvature: along the direction, as last measured.
        scale: lambda_k of the paper.
        measure: whether the curvature has to be measured anew.
        successes: steps taken since the direction was the steepest descent.
        moved: steps taken at all.
    """

    x: Float[Array, "P"]
    value: Float[Array, ""]
    gradient: Float[Array, "P"]
    direction: Float[Array, "P"]
    curvature: Float[Array, ""]
    scale: Float[Array, ""]
    measure: Bool[Array, ""]
    successes: Int[Array, ""]
    moved: Int[Array, ""]


Gradient = Callable[[Array], tuple[Array, Array]]


def minimise(
    function: Callable[[PyTree], Array], start: PyTree, *, iterations: int
) -> tuple[PyTree, SCGState]:
    """The point that so many iterations of scaled conjugate gradients reach from `start`.

    Args:
        function: of a pytree of floats, to a scalar; NaN counts as infinitely bad.
        start: where to begin; the function must be finite there.
        iterations: two gradients and a value each, fewer after a failed step.

    Returns:
        The point, of no larger value than `start`, and the last state of the search.
    """
    flat, unravel = ravel_pytree(start)
    both = jax.value_and_grad(lambda x: function(unravel(x)))

    def step(state: SCGState, _: Any) -> tuple[SCGState, None]:
        return scg_step(both, state), None

    state, _ = jax.lax.scan(step, scg_init(both, flat), length=iterations)
    return unravel(state.x), state


def scg_init(both: Gradient, x: Float[Array, "P"]) -> SCGState:
    """The search before its first step: straight down."""
    value, gradient = both(x)
    one = jnp.ones_like(value)
    none = jnp.zeros((), jnp.int32)
    return SCGState(x, value, gradient, -gradient, one, one, jnp.ones((), bool), none, none)


def scg_step(both: Gradient, state: SCGState) -> SCGState:
    """One iteration: Moller's steps 2 to 8.

    Args:
        both: point -> (value, gradient).
        state: of the search.
    """
    state = _descending(state)
    slope = state.direction @ state.gradient
    length = state.direction @ state.direction
    curvature = jax.lax.cond(state.measure, lambda: _curvature(both, state, length), lambda: state.curvature)
    raised = curvature + state.scale * length
    scale = jnp.where(raised > 0, state.scale, state.scale - curvature / _positive(length))
    raised = jnp.where(raised > 0, raised, state.scale * length)
    size = -slope / _positive(raised)
    trial = state.x + size * state.direction
    value, gradient = both(trial)
    comparison = 2 * (value - state.value) / jnp.where(size * slope == 0, -1.0, size * slope)
    good = jnp.isfinite(value) & jnp.isfinite(gradient).all() & (comparison >= 0) & (length > 0)
    comparison = jnp.where(good, comparison, -1.0)
    scale = jnp.where(comparison < 0.25, jnp.minimum(4 * scale, LARGEST), scale)
    scale = jnp.where(comparison > 0.75, jnp.maximum(scale / 2, SMALLEST), scale)
    moved = _moved(state, trial, value, gradient, slope)
    chosen = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, state)
    return chosen._replace(curvature=curvature, scale=scale, measure=good)


def _descending(state: SCGState) -> SCGState:
    """With the steepest descent for a direction that leads upwards."""
    upwards = state.direction @ state.gradient >= 0
    direction = jnp.where(upwards, -state.gradient, state.direction)
    return state._replace(direction=direction, measure=state.measure | upwards)


def _curvature(both: Gradient, state: SCGState, length: Array) -> Array:
    """p'Hp by a difference of gradients; sigma |p| is the cube root of the type's rounding."""
    sigma = jnp.finfo(state.x.dtype).eps ** (1 / 3) / _positive(jnp.sqrt(length))
    ahead = both(state.x + sigma * state.direction)[1]
    curvature = state.direction @ (ahead - state.gradient) / sigma
    return jnp.where(jnp.isfinite(curvature), curvature, 0.0)


def _moved(state: SCGState, x: Array, value: Array, gradient: Array, slope: Array) -> SCGState:
    """After a good step: the next conjugate direction, or steepest descent after as many as parameters."""
    conjugate = (state.gradient - gradient) @ gradient / jnp.where(slope == 0, -1.0, slope)
    direction = conjugate * state.direction - gradient
    restart = state.successes + 1 >= x.size
    return state._replace(
        x=x,
        value=value,
        gradient=gradient,
        direction=jnp.where(restart, -gradient, direction),
        successes=jnp.where(restart, 0, state.successes + 1),
        moved=state.moved + 1,
    )


def _positive(x: Array) -> Array:
    return jnp.where(x > 0, x, 1.0)
