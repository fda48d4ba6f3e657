"""MuJoCo Playground: the package where it is missing, and a task of it where it is installed."""

from __future__ import annotations

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.types import ConfigError

INSTALLED = importlib.util.find_spec("mujoco_playground") is not None


@pytest.mark.skipif(INSTALLED, reason="Playground is installed")
def test_the_extra_is_named_where_it_is_missing():
    with pytest.raises(ConfigError, match=r"playground:CartpoleSwingup needs .* 'imaginax\[playground\]'"):
        envs.make("playground:CartpoleSwingup")


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="Playground is not installed")
def test_a_task_steps_as_playground_does():
    from mujoco_playground import registry

    env = envs.make("playground:CartpoleSwingup", max_steps=4)
    theirs = registry.load("CartpoleSwingup", config_overrides={"impl": "jax"})
    expected, (state, timestep) = (
        jax.jit(theirs.reset)(jax.random.key(1)),
        jax.jit(env.init)(jax.random.key(1)),
    )
    step, their_step = jax.jit(env.step), jax.jit(theirs.step)
    for number in range(4):
        action = jnp.array([0.3 * number])
        state, timestep = step(state, action, jax.random.key(0))
        expected = their_step(expected, action)
        np.testing.assert_allclose(timestep.observation, expected.obs, rtol=1e-4, atol=1e-5)
        assert timestep.reward == pytest.approx(float(expected.reward), rel=1e-4)
    assert step._cache_size() == 1 and timestep.truncated
    assert env.render(state).shape == (128, 128, 3)
