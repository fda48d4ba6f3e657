"""Action sequences: where they start, and how the next decision takes them up."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.types import Box


def centre(space: Box) -> float:
    """The middle of the action range: what a plan is before anything is known."""
    return (space.low + space.high) / 2


def shift(plans: Float[Array, "*N H A"], padding: float | Float[Array, "*N 1 A"]) -> Float[Array, "*N H A"]:
    """Plans one step later: the first action is gone, `padding` is the new last one."""
    last = jnp.broadcast_to(padding, plans[..., :1, :].shape).astype(plans.dtype)
    return jnp.concatenate([plans[..., 1:, :], last], axis=-2)
