"""The pendulum against a direct transcription of its published update rule in numpy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.envs.pendulum import pendulum


def reference_step(theta, speed, torque):
    """One step of the update rule, in float64: returns the new state and the reward."""
    wrapped = (theta + np.pi) % (2 * np.pi) - np.pi
    reward = -(wrapped**2 + 0.1 * speed**2 + 0.001 * torque**2)
    speed = np.clip(speed + (15.0 * np.sin(theta) + 3.0 * torque) * 0.05, -8.0, 8.0)
    return theta + 0.05 * speed, speed, reward


def test_follows_the_published_rule():
    env = pendulum()
    step = jax.jit(env.step)
    state, timestep = env.init(jax.random.key(5))
    theta, speed = float(state.motion.position), float(state.motion.velocity)
    rng = np.random.default_rng(0)
    fastest = 0.0
    for _ in range(200):
        # pumping energy into the swing reaches the speed limit
        torque = np.sign(speed) * rng.uniform(1.5, 2.0)
        theta, speed, reward = reference_step(theta, speed, torque)
        before, action = timestep.observation, jnp.array([torque], jnp.float32)
        state, timestep = step(state, action, jax.random.key(0))
        np.testing.assert_allclose(timestep.observation, [np.cos(theta), np.sin(theta), speed], atol=1e-5)
        np.testing.assert_allclose(timestep.reward, reward, atol=1e-4)
        np.testing.assert_allclose(env.reward(before, action, before), timestep.reward, rtol=1e-5)
        # start both from the same state, so that rounding does not grow
        theta, speed = float(state.motion.position), float(state.motion.velocity)
        fastest = max(fastest, abs(speed))
    assert fastest == 8.0 and not timestep.last


def test_worst_reward_is_the_published_minimum():
    env = pendulum()
    hanging = jnp.array([-1.0, 0.0, 8.0])
    worst = env.reward(hanging, jnp.array([2.0]), hanging)
    np.testing.assert_allclose(worst, -16.2736044, rtol=1e-6)


def test_torque_beyond_the_bounds_is_clipped_in_motion_and_reward():
    env = pendulum()
    state, _ = env.init(jax.random.key(1))
    outcomes = [env.step(state, jnp.array([torque]), jax.random.key(0)) for torque in (2.0, 7.0)]
    for inside, outside in zip(*map(jax.tree.leaves, outcomes), strict=True):
        np.testing.assert_array_equal(inside, outside)


def test_starts_cover_the_circle():
    env = pendulum()
    state, _ = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.key(0), 2000))
    for values, limit in ((state.motion.position, np.pi), (state.motion.velocity, 1.0)):
        quantiles = np.quantile(np.array(values) / limit, [0.0, 0.25, 0.5, 0.75, 1.0])
        np.testing.assert_allclose(quantiles, [-1, -0.5, 0, 0.5, 1], atol=0.06)
