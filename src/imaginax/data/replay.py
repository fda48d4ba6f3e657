"""Replay on the device: flashbax behind the one small face of `types.Replay`.

`item_replay` keeps single items, `ring_replay` what came in each of several places, in its order; sequences
are drawn from the latter by `data.sequences`, and by priority from `data.prioritised`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import flashbax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax.types import ConfigError, Replay


def item_replay(example: PyTree, capacity: int, num_envs: int, *, batch: int = 1) -> Replay:
    """The last `capacity` items; `data` gives all, the oldest first, `sample` a uniform minibatch.

    Args:
        example: one item, arrays or shapes, without a batch axis.
        capacity: items kept, a multiple of `num_envs`.
        num_envs: items that each `add` brings.
        batch: items [B ...] that `sample` draws, with replacement.

    Raises:
        ConfigError: if `capacity` is not a positive multiple of `num_envs`.
    """
    if capacity < 1 or capacity % num_envs:
        raise ConfigError(
            f"replay capacity ({capacity}) must be a positive multiple of the environments ({num_envs})"
        )
    buffer = flashbax.make_item_buffer(capacity, min_length=1, sample_batch_size=batch, add_batches=True)

    def init() -> PyTree:
        return buffer.init(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example))

    def data(state) -> tuple[PyTree, Array]:
        oldest = jnp.where(state.is_full, state.current_index, 0)
        items = jax.tree.map(lambda x: jnp.roll(x[0], -oldest, axis=0), state.experience)
        return items, jnp.where(state.is_full, capacity, state.current_index)

    def sample(state, key: Array) -> PyTree:
        return buffer.sample(state, key).experience

    return Replay(init, buffer.add, data, sample, partial(_lengthen, capacity))


class Ring(NamedTuple):
    """What `ring_replay` holds: items [N, L, ...] in a ring, `count` of them from `start` on."""

    items: PyTree
    start: Int[Array, ""]
    count: Int[Array, ""]


def ring_replay(example: PyTree, length: int, num_envs: int) -> Replay:
    """The last `length` items in each of `num_envs` places; `data` gives a `Ring`.

    Args:
        example: one item, arrays or shapes, without a batch axis.
        length: L, items kept of each place.
        num_envs: N, places; every `add` brings one item to each.
    """
    buffer = flashbax.make_trajectory_buffer(
        add_batch_size=num_envs,
        sample_batch_size=1,
        sample_sequence_length=1,
        period=1,
        min_length_time_axis=1,
        max_length_time_axis=length,
    )

    def init() -> PyTree:
        return buffer.init(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example))

    def add(state, items: PyTree):
        return buffer.add(state, jax.tree.map(lambda x: x[:, None], items))

    def data(state) -> Ring:
        start = jnp.where(state.is_full, state.current_index, 0)
        return Ring(state.experience, start, jnp.where(state.is_full, length, state.current_index))

    return Replay(init, add, data, lambda state, key: data(state), partial(_lengthen, length))


def _lengthen(length: int, state: Any) -> Any:
    """The same items [N, L, ...], the oldest first, where there is room for `length` of each place."""
    old = jax.tree.leaves(state.experience)[0].shape[1]
    if old == length:
        return state
    start = jnp.where(state.is_full, state.current_index, 0)

    def widened(leaf: Array) -> Array:
        room = [(0, length - old if axis == 1 else 0) for axis in range(leaf.ndim)]
        return jnp.pad(jnp.roll(leaf, -start, axis=1), room)

    return state.replace(
        experience=jax.tree.map(widened, state.experience),
        current_index=jnp.where(state.is_full, old, state.current_index),
        is_full=jnp.zeros_like(state.is_full),
    )
