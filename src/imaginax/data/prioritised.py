"""Prioritised replay (Schaul et al. 2016, arXiv 1511.05952): flashbax's sum tree, and importance weights.

A sequence i with priority p_i is drawn with probability P(i) = p_i^alpha / sum_k p_k^alpha (Eq. 1), and its
loss is weighted with w_i = (N P(i))^-beta / max_j w_j over the batch (section 3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flashbax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from imaginax.data.replay import Ring
from imaginax.types import ConfigError, Replay


class Prioritised(NamedTuple):
    """A batch that was drawn by priority.

    Attributes:
        items: sequences [B T ...].
        indices: which they are, for `PrioritisedReplay.set_priorities`.
        weights: importance weights, by which the losses are multiplied; the largest of a batch is 1.
    """

    items: PyTree
    indices: Int[Array, "B"]
    weights: Float[Array, "B"]


class PrioritisedReplay(NamedTuple):
    """A replay whose `sample` gives `Prioritised` batches.

    set_priorities: (replay state, indices [B], priorities [B]) -> replay state
    """

    replay: Replay
    set_priorities: Callable[[PyTree, Array, Array], PyTree]


def prioritised_replay(
    example: PyTree,
    length: int,
    num_envs: int,
    *,
    batch: int,
    sequence: int,
    alpha: float = 0.6,
    beta: float = 0.4,
) -> PrioritisedReplay:
    """The last `length` steps in each of `num_envs` places, drawn by the priority of a sequence's first step.

    A new sequence has the largest priority that any has had. No sequence reaches over the newest step.

    Args:
        example: one item, arrays or shapes, without a batch axis.
        length: L, items kept of each place.
        num_envs: N, places; every `add` brings one item to each.
        batch: B, sequences that `sample` draws.
        sequence: T, items of each; 1 for single items.
        alpha: exponent of priorities; 0 is uniform.
        beta: exponent of importance weights; 1 corrects the expectation of the loss fully.

    Raises:
        ConfigError: if a sequence is longer than what is kept.
    """
    if not 1 <= sequence <= length:
        raise ConfigError(f"sequence ({sequence}) must lie in [1, {length}], the steps that replay keeps")
    buffer = flashbax.make_prioritised_trajectory_buffer(
        add_batch_size=num_envs,
        sample_batch_size=batch,
        sample_sequence_length=sequence,
        period=1,
        min_length_time_axis=sequence,
        max_length_time_axis=length,
        priority_exponent=alpha,
        device=jax.default_backend(),
    )

    def init() -> PyTree:
        return buffer.init(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example))

    def add(state: Any, items: PyTree) -> PyTree:
        return buffer.add(state, jax.tree.map(lambda x: x[:, None], items))

    def data(state: Any) -> Ring:
        start = jnp.where(state.is_full, state.current_index, 0)
        return Ring(state.experience, start, jnp.where(state.is_full, length, state.current_index))

    def sample(state: Any, key: Array) -> Prioritised:
        drawn = buffer.sample(state, key)
        return Prioritised(drawn.experience, drawn.indices, importance_weights(drawn.probabilities, beta))

    def lengthen(state: Any) -> PyTree:
        if jax.tree.leaves(state.experience)[0].shape[1] != length:
            raise ConfigError("a prioritised replay keeps the length with which its run began")
        return state

    return PrioritisedReplay(Replay(init, add, data, sample, lengthen), buffer.set_priorities)


def importance_weights(probabilities: Float[Array, "B"], beta: float) -> Float[Array, "B"]:
    """(N P)^-beta over its maximum in the batch, in which N cancels."""
    return (jnp.min(probabilities) / probabilities) ** beta
