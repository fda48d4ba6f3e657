"""Stretches of experience for models that learn over time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.data.replay import Ring
from imaginax.types import Trajectory


def sample_sequences(ring: Ring, key: Array, *, batch: int, length: int) -> Trajectory:
    """Stretches of consecutive steps, drawn uniformly among all that replay holds.

    Args:
        ring: of a `Trajectory`, N places of at most L steps.
        key: consumed.
        batch: B, stretches.
        length: T, steps of each, no more than replay holds.

    Returns:
        [B T ...]. A stretch may reach over the end of an episode; `first` says where the next one begins.
    """
    key_place, key_step = jax.random.split(key)
    places, capacity = ring.items.first.shape[:2]
    place = jax.random.randint(key_place, (batch,), 0, places)
    begin = jax.random.randint(key_step, (batch,), 0, jnp.maximum(ring.count - length + 1, 1))
    steps = (ring.start + begin[:, None] + jnp.arange(length)) % capacity
    return jax.tree.map(lambda x: x[place[:, None], steps], ring.items)
