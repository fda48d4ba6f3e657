"""Fixed-step integrators of dx/dt = f(x, u) under a control held constant (zero-order hold).

`dynamics(state, control)` returns the time derivative as a pytree like `state`.
One call advances the state by `dt * substeps`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, PyTree

Dynamics = Callable[[PyTree, Array], PyTree]


class Motion(NamedTuple):
    """A mechanical state, or its time derivative (velocity, acceleration)."""

    position: Float[Array, "*#Q"]
    velocity: Float[Array, "*#Q"]


def euler(dynamics: Dynamics, state: PyTree, control: Array, dt: float, substeps: int = 1) -> PyTree:
    """Explicit Euler: error O(dt) over a fixed time."""
    return _repeat(functools.partial(_euler_step, dynamics, control, dt), state, substeps)


def semi_implicit_euler(
    dynamics: Dynamics, state: Motion, control: Array, dt: float, substeps: int = 1
) -> Motion:
    """Symplectic Euler: velocity first, then position with the new velocity; error O(dt), bounded energy."""
    return _repeat(functools.partial(_semi_implicit_step, dynamics, control, dt), state, substeps)


def rk4(dynamics: Dynamics, state: PyTree, control: Array, dt: float, substeps: int = 1) -> PyTree:
    """Classical fourth-order Runge-Kutta: error O(dt^4) over a fixed time."""
    return _repeat(functools.partial(_rk4_step, dynamics, control, dt), state, substeps)


def _repeat(step: Callable[[PyTree], PyTree], state: PyTree, substeps: int) -> PyTree:
    return jax.lax.scan(lambda x, _: (step(x), None), state, length=substeps)[0]


def _euler_step(dynamics: Dynamics, control: Array, dt: float, state: PyTree) -> PyTree:
    return _add(state, dynamics(state, control), dt)


def _semi_implicit_step(dynamics: Dynamics, control: Array, dt: float, state: Motion) -> Motion:
    velocity = state.velocity + dt * dynamics(state, control).velocity
    return Motion(state.position + dt * velocity, velocity)


def _rk4_step(dynamics: Dynamics, control: Array, dt: float, state: PyTree) -> PyTree:
    k1 = dynamics(state, control)
    k2 = dynamics(_add(state, k1, dt / 2), control)
    k3 = dynamics(_add(state, k2, dt / 2), control)
    k4 = dynamics(_add(state, k3, dt), control)
    slope = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, k1, k2, k3, k4)
    return _add(state, slope, dt)


def _add(state: PyTree, derivative: PyTree, dt: float) -> PyTree:
    return jax.tree.map(lambda x, dx: x + dt * dx, state, derivative)
