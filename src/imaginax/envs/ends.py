"""Ends of well-known tasks, written on observations, so that nothing is imagined past them.

Each is a function of observations on the last axis. What is no number is outside of every interval.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_POLE = 0.6  # metres, each of the double pendulum's two
_FALLEN = 1.0  # height of its tip

Range = tuple[int, float, float]


def leaves(*ranges: Range) -> Callable[[Array], Bool[Array, "*b"]]:
    """An end where an entry of the observation leaves the open interval (index, low, high)."""
    return partial(_outside, ranges)


def _outside(ranges: tuple[Range, ...], observation: Float[Array, "*b D"]) -> Bool[Array, "*b"]:
    inside = [(low < observation[..., i]) & (observation[..., i] < high) for i, low, high in ranges]
    return ~jnp.stack(inside).all(0)


def double_pendulum_fallen(observation: Float[Array, "*b D"]) -> Bool[Array, "*b"]:
    """The tip is at 1 m or below; entries 1 to 4 are sine and cosine of the two joint angles."""
    sine, cosine = observation[..., 1:3], observation[..., 3:5]
    both = cosine[..., 0] * cosine[..., 1] - sine[..., 0] * sine[..., 1]
    return _POLE * (cosine[..., 0] + both) <= _FALLEN


def hopper(observation: Float[Array, "*b 11"]) -> Bool[Array, "*b"]:
    """Below 0.7 m, tilted by 0.2 rad, or bent beyond 100.

    The task also ends at velocities beyond 100, which observations, clipped to 10, do not show.
    """
    return leaves((0, 0.7, float("inf")), (1, -0.2, 0.2), *((i, -100.0, 100.0) for i in (2, 3, 4)))(
        observation
    )
