"""The cart-pole that has to be kept upright, of gymnasium's CartPole-v1 (Barto, Sutton and Anderson 1983).

A cart of 1 kg is pushed left or right with 10 N; a uniform pole of 0.1 kg and 1 m stands on it. With l half
the pole's length, M the mass of both, and F the force,

    t = (F + m l theta'^2 sin(theta)) / M
    theta'' = (g sin(theta) - t cos(theta)) / (l (4 / 3 - m cos(theta)^2 / M))
    x'' = t - m l theta'' cos(theta) / M

by explicit Euler steps of 0.02 s. Every step gives 1; the episode terminates when the pole leans by more than
12 degrees or the cart is more than 2.4 m off, and is truncated after 500 steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from imaginax.envs import scenes
from imaginax.envs.physical import difference_features, restart, transition
from imaginax.types import Box, Discrete, Environment, EnvSpec, TimeStep

# gymnasium/envs/classic_control/cartpole.py; SI units
GRAVITY = 9.8
CART_MASS = 1.0
POLE_MASS = 0.1
HALF_LENGTH = 0.5
FORCE = 10.0
TIMESTEP = 0.02
MAX_ANGLE = 12 * 2 * math.pi / 360
MAX_POSITION = 2.4
START = 0.05


class CartPoleState(NamedTuple):
    """Position, speed, angle and its rate; and the last push, for drawing."""

    motion: Float[Array, "4"]
    push: Float[Array, ""]


def cartpole() -> Environment:
    """CartPole-v1: observation [x, x', theta, theta'], actions left (0) and right (1), 500 steps."""
    spec = EnvSpec("cartpole", Box((4,)), Discrete(2), max_steps=500, step_seconds=TIMESTEP)
    features = difference_features(lambda observation: observation, angles=())
    return Environment(spec, _init, _step, draw, reward, features, terminated=terminated)


def advance(motion: Float[Array, "4"], force: Float[Array, ""]) -> Float[Array, "4"]:
    """One step of 0.02 s."""
    _, speed, angle, rate = motion
    sine, cosine, mass = jnp.sin(angle), jnp.cos(angle), CART_MASS + POLE_MASS
    pushed = (force + POLE_MASS * HALF_LENGTH * rate**2 * sine) / mass
    swing = (GRAVITY * sine - cosine * pushed) / (HALF_LENGTH * (4 / 3 - POLE_MASS * cosine**2 / mass))
    acceleration = pushed - POLE_MASS * HALF_LENGTH * swing * cosine / mass
    return motion + TIMESTEP * jnp.stack([speed, acceleration, rate, swing])


def reward(
    observation: Float[Array, "*#batch 4"], action: Array, next_observation: Float[Array, "*#batch 4"]
) -> Float[Array, "..."]:
    """1 for every step, the one that ends the episode included."""
    del observation, action
    return jnp.ones_like(next_observation[..., 0])


def terminated(observation: Float[Array, "*batch 4"]) -> Bool[Array, "*batch"]:
    """Whether the pole leans too far, or the cart is too far off."""
    position, angle = jnp.abs(observation[..., 0]), jnp.abs(observation[..., 2])
    return (position > MAX_POSITION) | (angle > MAX_ANGLE)


def draw(state: CartPoleState) -> UInt8[Array, "192 448 3"]:
    """Rail, cart, pole, and the push as an arrow."""
    position, angle = state.motion[0], state.motion[2]
    end = (position + 2 * HALF_LENGTH * jnp.sin(angle), 2 * HALF_LENGTH * jnp.cos(angle))
    target = (0.0, 2 * HALF_LENGTH)
    return scenes.cart_scene(position, end, rail=MAX_POSITION, target=target, push=state.push, thickness=0.1)


def _init(key: Array) -> tuple[CartPoleState, TimeStep]:
    motion = jax.random.uniform(key, (4,), minval=-START, maxval=START)
    return CartPoleState(motion, jnp.zeros(())), restart(motion)


def _step(state: CartPoleState, action: Array, key: Array) -> tuple[CartPoleState, TimeStep]:
    del key  # the physics is deterministic
    push = jnp.where(action == 1, 1.0, -1.0)
    motion = advance(state.motion, FORCE * push)
    timestep = transition(motion, reward(state.motion, action, motion), terminal=terminated(motion))
    return CartPoleState(motion, push), timestep
