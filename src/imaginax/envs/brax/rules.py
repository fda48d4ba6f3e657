"""What brax's tasks say of observations: the reward where they show all of it, and where an episode ends.

A test compares each with the environment, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_POLE = 0.6  # metres, each of the double pendulum's two
_FALLEN = 1.0  # height of its tip


class Rules(NamedTuple):
    """Reward (observation, action, next observation) and end (observation) on the last axis, where known."""

    reward: Callable[[Array, Array, Array], Array] | None = None
    terminated: Callable[[Array], Array] | None = None


def _within(ranges: tuple[tuple[int, float, float], ...], observation: Array) -> Bool[Array, "*b"]:
    """Whether some entry leaves its open interval."""
    inside = [(low < observation[..., i]) & (observation[..., i] < high) for i, low, high in ranges]
    return ~jnp.stack(inside).all(0)


def leaves(*ranges: tuple[int, float, float]) -> Callable[[Array], Bool[Array, "*b"]]:
    """An end where an entry of the observation leaves the interval (index, low, high)."""
    return partial(_within, ranges)


def double_pendulum_fallen(observation: Float[Array, "*b 8"]) -> Bool[Array, "*b"]:
    """The tip is at 1 m or below; entries 1 to 4 are sine and cosine of the two joint angles."""
    sine, cosine = observation[..., 1:3], observation[..., 3:5]
    both = cosine[..., 0] * cosine[..., 1] - sine[..., 0] * sine[..., 1]
    return _POLE * (cosine[..., 0] + both) <= _FALLEN


def upright(observation: Array, action: Array, following: Float[Array, "*b 4"]) -> Float[Array, "*b"]:
    """1 for every step of the inverted pendulum, also for the last one."""
    return jnp.ones_like(following[..., 0])


def reach(observation: Array, action: Array, following: Float[Array, "*b 11"]) -> Float[Array, "*b"]:
    """Minus the distance [m] of fingertip and target, minus the squared action."""
    gap = following[..., -3:]
    return -jnp.sqrt(jnp.sum(gap * gap, axis=-1)) - jnp.sum(action * action, axis=-1)


_HOPPER_LIMIT = 100.0  # of joint angles; of velocities too, which observations clip to 10

RULES = {
    "inverted_pendulum": Rules(upright, leaves((1, -0.2, 0.2))),
    "inverted_double_pendulum": Rules(terminated=double_pendulum_fallen),
    "hopper": Rules(
        terminated=leaves(
            (0, 0.7, float("inf")), (1, -0.2, 0.2), *((i, -_HOPPER_LIMIT, _HOPPER_LIMIT) for i in (2, 3, 4))
        )
    ),
    "walker2d": Rules(terminated=leaves((0, 0.8, 2.0), (1, -1.0, 1.0))),
    "ant": Rules(terminated=leaves((0, 0.2, 1.0))),
    "humanoid": Rules(terminated=leaves((0, 1.0, 2.0))),
    "reacher": Rules(reach),
}
