"""The torque-limited pendulum of gymnasium's Pendulum-v1, in closed form.

A rod of mass m = 1 kg and length l = 1 m turns about its end, g = 10 m/s^2, theta = 0 upright:

    theta'' = 3 g / (2 l) sin(theta) + 3 / (m l^2) u

by semi-implicit Euler steps of 0.05 s, the speed clipped to 8 rad/s before the angle moves.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import scenes
from imaginax.envs.integrators import Motion
from imaginax.envs.physical import PhysicalState, Physics, difference_features, physical_environment
from imaginax.types import Box, Environment, EnvSpec

# gymnasium/envs/classic_control/pendulum.py; SI units
GRAVITY = 10.0
MASS = 1.0
LENGTH = 1.0
TIMESTEP = 0.05
MAX_TORQUE = 2.0
MAX_SPEED = 8.0


def pendulum() -> Environment:
    """Pendulum-v1: observation [cos theta, sin theta, theta'], torque [1] in [-2, 2], 200 steps of 0.05 s."""
    spec = EnvSpec(
        name="pendulum",
        observation=Box((3,)),
        action=Box((1,), -MAX_TORQUE, MAX_TORQUE),
        max_steps=200,
        step_seconds=TIMESTEP,
    )
    physics = Physics(start, advance, observe, reward, draw)
    return physical_environment(spec, physics, difference_features(lambda observation: observation))


def start(key: Array) -> Motion:
    """Any angle, and a speed between -1 and 1 rad/s, both uniform."""
    low, high = jnp.array([-math.pi, -1.0]), jnp.array([math.pi, 1.0])
    angle, speed = jax.random.uniform(key, (2,), minval=low, maxval=high)
    return Motion(angle, speed)


def advance(motion: Motion, torque: Float[Array, "1"]) -> Motion:
    """One step; the clipped speed makes it more than `integrators.semi_implicit_euler`."""
    gravity = 3 * GRAVITY / (2 * LENGTH) * jnp.sin(motion.position)
    acceleration = gravity + 3 / (MASS * LENGTH**2) * torque[0]
    speed = jnp.clip(motion.velocity + acceleration * TIMESTEP, -MAX_SPEED, MAX_SPEED)
    return Motion(motion.position + speed * TIMESTEP, speed)


def observe(motion: Motion) -> Float[Array, "3"]:
    """[cos theta, sin theta, theta']."""
    return jnp.stack([jnp.cos(motion.position), jnp.sin(motion.position), motion.velocity])


def reward(
    observation: Float[Array, "*#batch 3"],
    action: Float[Array, "*#batch 1"],
    next_observation: Float[Array, "*#batch 3"],
) -> Float[Array, "..."]:
    """-(theta^2 + 0.1 theta'^2 + 0.001 u^2) of the state before the step, theta in (-pi, pi]."""
    del next_observation
    angle = jnp.arctan2(observation[..., 1], observation[..., 0])
    torque = jnp.clip(action[..., 0], -MAX_TORQUE, MAX_TORQUE)
    return -(angle**2 + 0.1 * observation[..., 2] ** 2 + 0.001 * torque**2)


def draw(state: PhysicalState) -> UInt8[Array, "224 224 3"]:
    """The rod, the upright target of its end and the torque as an arc."""
    angle = state.motion.position
    end = jnp.stack([-LENGTH * jnp.sin(angle), LENGTH * jnp.cos(angle)])
    joints = jnp.stack([jnp.zeros(2), end])
    return scenes.link_scene(joints, target=(0.0, LENGTH), torques=state.action / MAX_TORQUE)
