"""What brax's tasks say of observations: the reward where they show all of it, and where an episode ends.

A test compares each with the environment, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.envs.ends import double_pendulum_fallen, hopper, leaves


class Rules(NamedTuple):
    """Reward (observation, action, next observation) and end (observation) on the last axis, where known."""

    reward: Callable[[Array, Array, Array], Array] | None = None
    terminated: Callable[[Array], Array] | None = None


def upright(observation: Array, action: Array, following: Float[Array, "*b 4"]) -> Float[Array, "*b"]:
    """1 for every step of the inverted pendulum, also for the last one."""
    return jnp.ones_like(following[..., 0])


def reach(observation: Array, action: Array, following: Float[Array, "*b 11"]) -> Float[Array, "*b"]:
    """Minus the distance [m] of fingertip and target, minus the squared action."""
    gap = following[..., -3:]
    return -jnp.sqrt(jnp.sum(gap * gap, axis=-1)) - jnp.sum(action * action, axis=-1)


RULES = {
    "inverted_pendulum": Rules(upright, leaves((1, -0.2, 0.2))),
    "inverted_double_pendulum": Rules(terminated=double_pendulum_fallen),
    "hopper": Rules(terminated=hopper),
    "walker2d": Rules(terminated=leaves((0, 0.8, 2.0), (1, -1.0, 1.0))),
    "ant": Rules(terminated=leaves((0, 0.2, 1.0))),
    "humanoid": Rules(terminated=leaves((0, 1.0, 2.0))),
    "reacher": Rules(reach),
}
