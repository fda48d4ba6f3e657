"""The constrained tasks: a violation ends the trial, which stands still until its time is over."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs import gpmpc
from imaginax.envs.limits import Limit, outside


def test_outside_is_beyond_either_bound_and_not_on_it():
    limits = (Limit(0, low=-1.0), Limit(1, low=-2.0, high=2.0))
    seen = jnp.array([[0.0, 0.0], [-1.0, 2.0], [-1.1, 0.0], [5.0, 2.1], [5.0, -2.1]])
    np.testing.assert_array_equal(outside(limits, seen), [False, False, True, True, True])


@pytest.mark.parametrize("name", ["gpmpc_cartpole", "gpmpc_double_pendulum"])
def test_starts_keep_the_limits_and_reach_them(name):
    env = envs.make(f"{name}_wall")
    assert env.spec.name == f"{name}_wall" and len(env.limits) == 1
    starts = jax.vmap(env.init)(jax.random.split(jax.random.key(0), 100))[1].observation
    assert not np.any(outside(env.limits, starts))


def test_the_double_pendulums_range_is_340_degrees_and_holds_start_and_target():
    low, high = gpmpc.INNER_RANGE
    np.testing.assert_allclose(np.degrees(high - low), 340.0)
    assert low < 0.0 < np.pi < high


def test_a_cart_that_drives_into_the_wall_stands_still():
    env, free = envs.make("gpmpc_cartpole_wall"), envs.make("gpmpc_cartpole")
    state, timestep = env.init(jax.random.key(1))
    other, _ = free.init(jax.random.key(1))
    step, free_step = jax.jit(env.step), jax.jit(free.step)
    seen, rewards = [timestep.observation], []
    for _ in range(30):
        state, timestep = step(state, jnp.array([-10.0]), jax.random.key(0))
        other, expected = free_step(other, jnp.array([-10.0]), jax.random.key(0))
        if not np.any(outside(env.limits, jnp.stack(seen))):  # the step that breaks the limit is real
            np.testing.assert_array_equal(timestep.observation, expected.observation)
        seen.append(timestep.observation)
        rewards.append(float(timestep.reward))
    broken = np.asarray(outside(env.limits, jnp.stack(seen)))
    first = int(np.argmax(broken))
    assert 0 < first < 30 and broken[first:].all()
    np.testing.assert_array_equal(np.stack(seen[first:]), np.broadcast_to(seen[first], (31 - first, 4)))
    assert rewards[first:] == [gpmpc.STOPPED_REWARD] * (30 - first)
    assert bool(timestep.last)
