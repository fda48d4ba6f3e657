"""Replay on the device: flashbax behind the one small face of `types.Replay`."""

from __future__ import annotations

import flashbax
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax.types import ConfigError, Replay


def item_replay(example: PyTree, capacity: int, num_envs: int) -> Replay:
    """The last `capacity` items in the order in which they came; `data` gives them all.

    Args:
        example: one item, arrays or shapes, without a batch axis.
        capacity: items kept, a multiple of `num_envs`.
        num_envs: items that each `add` brings.

    Raises:
        ConfigError: if `capacity` is not a positive multiple of `num_envs`.
    """
    if capacity < 1 or capacity % num_envs:
        raise ConfigError(
            f"replay capacity ({capacity}) must be a positive multiple of the environments ({num_envs})"
        )
    buffer = flashbax.make_item_buffer(capacity, min_length=1, sample_batch_size=1, add_batches=True)

    def init() -> PyTree:
        return buffer.init(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example))

    def data(state) -> tuple[PyTree, Array]:
        items = jax.tree.map(lambda x: x[0], state.experience)
        return items, jnp.where(state.is_full, capacity, state.current_index)

    return Replay(init, buffer.add, data)
