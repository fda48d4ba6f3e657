"""Every published reward against the environment that it describes, step by step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from imaginax import envs  # noqa: E402
from imaginax.envs.host.rewards import PUBLISHED  # noqa: E402
from imaginax.types import Discrete  # noqa: E402


@pytest.mark.parametrize("name", [name for name, of in PUBLISHED.items() if of.reward])
def test_rewards_on_observations_are_the_environments_own(name):
    env = envs.make(f"gym:{name}", max_steps=130)
    rng = np.random.default_rng(0)
    low, high, n = env.spec.action.low, env.spec.action.high, 8
    vector = env.host(n)
    timestep = vector.reset(np.arange(n, dtype=np.uint32), np.zeros(n, np.int32))
    reward, compared = jax.jit(env.reward), []
    for step in range(140):
        action = rng.uniform(low, high, (n, *env.spec.action.shape)).astype(np.float32)
        if name.startswith("MountainCar"):  # pushing the way it moves reaches the goal
            action = np.where(timestep.observation[:, 1:] < 0, low, high).astype(np.float32)
        vector.send(action)
        following = vector.receive()
        guess = reward(timestep.observation, action, following.final_observation)
        np.testing.assert_allclose(guess, following.reward, rtol=1e-5, atol=1e-5, err_msg=f"step {step}")
        compared.extend(following.reward)
        timestep = following
    assert np.ptp(compared) > 0.5, "more than one value was compared"


@pytest.mark.parametrize("name", [name for name, of in PUBLISHED.items() if of.terminated])
def test_ends_on_observations_are_the_environments_own(name):
    env = envs.make(f"gym:{name}", max_steps=200)
    rng, space, ends = np.random.default_rng(0), env.spec.action, []
    vector = env.host(4)
    timestep = vector.reset(np.arange(4, dtype=np.uint32), np.zeros(4, np.int32))
    for _ in range(150):
        if isinstance(space, Discrete):
            action = rng.integers(space.size, size=4)
        else:
            action = rng.uniform(space.low, space.high, (4, *space.shape)).astype(np.float32)
        if name.startswith("MountainCar"):
            action = np.where(timestep.observation[:, 1:] < 0, space.low, space.high).astype(np.float32)
        vector.send(action)
        timestep = vector.receive()
        ended = timestep.discount == 0
        np.testing.assert_array_equal(env.terminated(jnp.asarray(timestep.final_observation)), ended)
        ends.append(ended)
    assert 0 < np.mean(ends) < 0.5


def test_our_pendulum_is_gymnasiums():
    """The same physics written twice: float64 in numpy there, float32 in JAX here."""
    theirs, ours = gymnasium.make("Pendulum-v1").unwrapped, envs.make("pendulum")
    state, _ = ours.init(jax.random.key(0))
    step, rng = jax.jit(ours.step), np.random.default_rng(0)
    worst = np.zeros(2)
    for _ in range(20):
        theirs.reset(seed=int(rng.integers(1000)))
        angle, speed = theirs.state
        motion = state.inner.motion._replace(position=jnp.float32(angle), velocity=jnp.float32(speed))
        state = state._replace(inner=state.inner._replace(motion=motion))
        for _ in range(10):
            action = rng.uniform(-3, 3, 1).astype(np.float32)
            state, timestep = step(state, jnp.asarray(action), jax.random.key(0))
            observation, reward, *_ = theirs.step(action)
            errors = np.abs(timestep.observation - observation).max(), abs(timestep.reward - reward)
            worst = np.maximum(worst, errors)
    assert worst[0] < 1e-5 and worst[1] < 1e-4, worst
