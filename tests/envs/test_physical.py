"""The closed-form solve against LAPACK, and the time steps that every analytic environment gives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.envs.integrators import Motion
from imaginax.envs.physical import gaussian_motion, restart, solve_symmetric, transition


def test_solve_symmetric_equals_lapack():
    for a, b, c, f, g in np.random.default_rng(0).normal(size=(8, 5)):
        found = solve_symmetric((a, b, c), (jnp.float32(f), jnp.float32(g)))
        np.testing.assert_allclose(found, np.linalg.solve([[a, b], [b, c]], [f, g]), rtol=1e-3)


def test_terminal_step_ends_the_discount_and_is_not_truncated():
    first = restart(jnp.zeros(1))
    ongoing = transition(jnp.zeros(1), jnp.float32(2.0))
    ended = transition(jnp.zeros(1), jnp.float32(2.0), terminal=jnp.ones((), bool))
    steps = (first, ongoing, ended)
    assert [bool(t.first) for t in steps] == [True, False, False]
    assert [bool(t.last) for t in steps] == [False, False, True]
    assert [float(t.discount) for t in steps] == [1, 1, 0]
    assert [float(t.reward) for t in steps] == [0, 2, 2]
    assert not any(bool(t.truncated) for t in steps)


def test_gaussian_motion_draws_independent_parts():
    mean, deviation = Motion(jnp.array([1.0]), jnp.array([-2.0])), Motion(jnp.array([0.5]), jnp.array([3.0]))
    draw = jax.jit(jax.vmap(lambda key: gaussian_motion(key, mean, deviation)))
    position, velocity = (np.array(x)[:, 0] for x in draw(jax.random.split(jax.random.key(0), 4000)))
    np.testing.assert_allclose([position.mean(), velocity.mean()], [1.0, -2.0], atol=0.2)
    np.testing.assert_allclose([position.std(), velocity.std()], [0.5, 3.0], rtol=0.05)
    assert abs(np.corrcoef(position, velocity)[0, 1]) < 0.05
