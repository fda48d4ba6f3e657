"""The cart-pole step by step against gymnasium's CartPole-v1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs


def test_steps_rewards_and_ends_are_gymnasiums():
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours = gymnasium.make("CartPole-v1").unwrapped, envs.make("cartpole")
    step = jax.jit(ours.step)
    rng = np.random.default_rng(0)
    ends = []
    for episode in range(20):
        theirs.reset(seed=episode)
        state, _ = ours.init(jax.random.key(episode))
        theirs.state = np.asarray(state.inner.motion, np.float64)
        held = int(rng.integers(2))  # some episodes are pushed to one side
        for _ in range(60):
            action = held if episode % 2 else int(rng.integers(2))
            observation, reward, terminated, _, _ = theirs.step(action)
            state, timestep = step(state, jnp.int32(action), jax.random.key(0))
            np.testing.assert_allclose(timestep.observation, observation, rtol=1e-4, atol=1e-5)
            assert timestep.reward == reward == 1.0
            assert bool(timestep.last) == terminated and float(timestep.discount) == 1.0 - terminated
            assert bool(ours.terminated(timestep.observation)) == terminated
            if terminated:
                break
            theirs.state = np.asarray(state.inner.motion, np.float64)  # rounding does not grow
        ends.append(terminated)
    assert all(ends[1::2]) and not timestep.truncated
    theirs.close()


def test_the_cart_ends_the_episode_too_and_time_truncates_it():
    env = envs.make("cartpole")
    far = jnp.array([[2.41, 0.0, 0.0, 0.0], [2.39, 0.0, 0.0, 0.0], [0.0, 0.0, -0.21, 0.0]])
    assert env.terminated(far).tolist() == [True, False, True]

    def balance(carry, _):
        state, timestep = carry
        x, speed, angle, rate = timestep.observation
        push = (angle + 0.3 * rate + 0.02 * x + 0.06 * speed > 0).astype(jnp.int32)
        following = env.step(state, push, jax.random.key(0))
        return following, (following[1].last, following[1].truncated)

    _, (last, truncated) = jax.jit(lambda key: jax.lax.scan(balance, env.init(key), length=500))(
        jax.random.key(1)
    )
    assert np.flatnonzero(last).tolist() == [499] and truncated[499]


def test_starts_are_uniform_and_the_picture_has_its_size():
    env = envs.make("cartpole")
    state, timestep = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.key(0), 2000))
    seen = np.asarray(timestep.observation)
    assert np.abs(seen).max() <= 0.05 and np.all(np.abs(seen).max(0) > 0.0495)
    np.testing.assert_allclose(seen.std(0), 0.1 / np.sqrt(12), rtol=0.05)
    assert env.render(jax.tree.map(lambda x: x[0], state)).shape == (192, 448, 3)
