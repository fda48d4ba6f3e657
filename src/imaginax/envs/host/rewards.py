"""Rewards and ends of well-known gymnasium environments, written on observations, for learned models.

A reward is a function of (observation, action, next observation), an end one of observations, on the last
axis, in the units of the environment. tests/envs/host/test_rewards.py compares each with the environment step
by step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imaginax.envs import pendulum
from imaginax.envs.ends import double_pendulum_fallen, hopper, leaves
from imaginax.envs.physical import difference_features
from imaginax.types import Features


class Published(NamedTuple):
    """What a learned model may know of a task; nothing where it publishes nothing."""

    reward: Callable[[Array, Array, Array], Array] | None = None
    features: Features | None = None
    terminated: Callable[[Array], Array] | None = None


def inverted_pendulum(observation: Array, action: Array, following: Float[Array, "*b 4"]) -> Array:
    """1 while the pole's angle [rad], entry 1, stays within 0.2 (gymnasium's InvertedPendulum-v5)."""
    return jnp.where(jnp.abs(following[..., 1]) <= 0.2, 1.0, 0.0)


def reacher(observation: Array, action: Array, following: Float[Array, "*b 10"]) -> Array:
    """Minus the distance [m] of fingertip and target, minus the squared torques (Reacher-v5)."""
    return -_length(following[..., 8:10]) - _square(action)


def pusher(observation: Array, action: Array, following: Float[Array, "*b 23"]) -> Array:
    """Minus the distance [m] of object and goal, half that of object and tip, 0.1 torques^2 (Pusher-v5)."""
    tip, thing, goal = following[..., 14:17], following[..., 17:20], following[..., 20:23]
    return -_length(thing - goal) - 0.5 * _length(thing - tip) - 0.1 * _square(action)


def mountain_car(observation: Array, action: Array, following: Float[Array, "*b 2"]) -> Array:
    """100 at the goal, minus 0.1 times the squared force (MountainCarContinuous-v0)."""
    return jnp.where(arrived(following), 100.0, 0.0) - 0.1 * _square(action)


def arrived(observation: Float[Array, "*b 2"]) -> Bool[Array, "*b"]:
    """At the goal, and not on the way back (MountainCarContinuous-v0)."""
    return (observation[..., 0] >= 0.45) & (observation[..., 1] >= 0.0)


def _square(x: Array) -> Array:
    return jnp.sum(x * x, axis=-1)


def _length(x: Array) -> Array:
    return jnp.sqrt(_square(x))


_TILT = 12 * 2 * math.pi / 360  # radians

# gymnasium id -> what its task publishes
PUBLISHED = {
    "Pendulum-v1": Published(pendulum.reward, difference_features(lambda observation: observation)),
    "InvertedPendulum-v5": Published(inverted_pendulum, terminated=leaves((1, -0.2, 0.2))),
    "Reacher-v5": Published(reacher),
    "Pusher-v5": Published(pusher),
    "MountainCarContinuous-v0": Published(mountain_car, terminated=arrived),
    "InvertedDoublePendulum-v5": Published(terminated=double_pendulum_fallen),
    "Hopper-v5": Published(terminated=hopper),
    "Walker2d-v5": Published(terminated=leaves((0, 0.8, 2.0), (1, -1.0, 1.0))),
    "Humanoid-v5": Published(terminated=leaves((0, 1.0, 2.0))),
    "CartPole-v1": Published(terminated=leaves((0, -2.4, 2.4), (2, -_TILT, _TILT))),
}
