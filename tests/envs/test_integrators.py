"""Order of convergence on the harmonic oscillator, whose motion is known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs.integrators import Motion, euler, rk4, semi_implicit_euler

FREQUENCY = 2.0
DURATION = 1.0


def oscillator(motion: Motion, control) -> Motion:
    return Motion(motion.velocity, control - FREQUENCY**2 * motion.position)


def exact(position, velocity, control):
    rest = control / FREQUENCY**2
    phase = FREQUENCY * DURATION
    return rest + (position - rest) * np.cos(phase) + velocity / FREQUENCY * np.sin(phase)


def error(integrate, steps: int) -> float:
    start = Motion(jnp.array(0.3), jnp.array(-0.7))
    end = integrate(oscillator, start, jnp.array(1.5), DURATION / steps, steps)
    return abs(float(end.position) - exact(0.3, -0.7, 1.5))


@pytest.mark.parametrize(("integrate", "order"), [(euler, 1), (semi_implicit_euler, 1), (rk4, 4)])
def test_order_of_convergence(integrate, order):
    with jax.enable_x64(True):
        coarse, fine = error(integrate, 64), error(integrate, 128)
    assert np.log2(coarse / fine) == pytest.approx(order, abs=0.1)
    assert fine < {1: 0.03, 4: 1e-8}[order]


def test_substeps_are_steps():
    start = Motion(jnp.array(0.3), jnp.array(-0.7))
    at_once, sequential_vmap = rk4(oscillator, start, jnp.array(1.5), 0.01, 4), start
    for _ in range(4):
        sequential_vmap = rk4(oscillator, sequential_vmap, jnp.array(1.5), 0.01)
    np.testing.assert_allclose(np.array(at_once), np.array(sequential_vmap), rtol=1e-6)


def test_symplectic_energy_stays_bounded_where_explicit_energy_grows():
    def energy(motion):
        return float(motion.velocity**2 + FREQUENCY**2 * motion.position**2)

    start = Motion(jnp.array(1.0), jnp.array(0.0))
    ends = [f(oscillator, start, jnp.array(0.0), 0.02, 5000) for f in (semi_implicit_euler, euler)]
    assert abs(energy(ends[0]) / energy(start) - 1) < 0.05
    assert energy(ends[1]) / energy(start) > 100
