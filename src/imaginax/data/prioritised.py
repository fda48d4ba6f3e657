"""Prioritised replay (Schaul et al. 2016, arXiv 1511.05952): draws by priority, and importance weights.

A sequence i with priority p_i is drawn with probability P(i) = p_i^alpha / sum_k p_k^alpha (Eq. 1), and its
loss is weighted with w_i = (N P(i))^-beta / max_j w_j over the batch (section 3.4).

Draws search in the running sums of all priorities, which are computed anew for each batch. A tree of sums
that is updated by differences, as flashbax's, drifts in float32 until sequences of priority 0 are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from imaginax.data.replay import ring_replay
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
    ring = ring_replay(example, length, num_envs)

    def init() -> _State:
        return _State(ring.init(), jnp.zeros((num_envs, length)), jnp.ones(()))

    def add(state: _State, items: PyTree) -> _State:
        kept = ring.add(state.ring, items)
        held = ring.data(kept)
        newest = (held.start + held.count - 1) % length
        complete = jnp.where(held.count >= sequence, state.largest, 0.0)
        priorities = state.priorities.at[:, newest].set(0.0)  # its sequence has just begun
        priorities = priorities.at[:, (newest - sequence + 1) % length].set(complete)
        return _State(kept, priorities, state.largest)

    def sample(state: _State, key: Array) -> Prioritised:
        indices = _draw(state.priorities, key, batch)
        place, first = indices // length, indices % length
        steps = (first[:, None] + jnp.arange(sequence)) % length
        items = jax.tree.map(lambda x: x[place[:, None], steps], ring.data(state.ring).items)
        drawn = state.priorities[place, first]
        return Prioritised(items, indices, importance_weights(drawn, beta))

    def set_priorities(state: _State, indices: Array, priorities: Array) -> _State:
        scaled = jnp.asarray(priorities, jnp.float32) ** alpha
        places = state.priorities.at[indices // length, indices % length].set(scaled)
        return _State(state.ring, places, jnp.maximum(state.largest, jnp.max(scaled)))

    replay = Replay(init, add, lambda state: ring.data(state.ring), sample, partial(_lengthen, length))
    return PrioritisedReplay(replay, set_priorities)


class _State(NamedTuple):
    """Items, the priority^alpha of the sequence that begins at each, and the largest that any has had."""

    ring: PyTree
    priorities: Float[Array, "N L"]
    largest: Float[Array, ""]


def _lengthen(length: int, state: _State) -> _State:
    if state.priorities.shape[-1] != length:
        raise ConfigError("a prioritised replay keeps the length with which its run began")
    return state


def _draw(priorities: Float[Array, "N L"], key: Array, batch: int) -> Int[Array, "B"]:
    """Indices n L + l in proportion to priorities.

    First the environments n, one in each of B equal parts of the sum of all, then steps l in them: the sum
    of one environment alone keeps its digits, however many there are.
    """
    key_place, key_step = jax.random.split(key)
    sums = jnp.cumsum(priorities, axis=1)
    parts = (jnp.arange(batch) + jax.random.uniform(key_place, (batch,))) / batch
    place = _search(jnp.cumsum(sums[:, -1])[None], jnp.zeros(batch, jnp.int32), parts)
    step = _search(sums, place, jax.random.uniform(key_step, (batch,)))
    return place * priorities.shape[1] + step


def _search(sums: Float[Array, "N L"], row: Int[Array, "B"], share: Float[Array, "B"]) -> Int[Array, "B"]:
    """Where the running sums of some rows first pass a share, below 1, of their last one."""
    length, total = sums.shape[1], sums[row, -1]
    goal = jnp.minimum(share * total, jnp.nextafter(total, 0.0))  # the product may be rounded up to the sum
    low, high = jnp.zeros_like(row), jnp.full_like(row, length - 1)
    for _ in range(length.bit_length()):
        middle = (low + high) // 2
        passed = sums[row, middle] > goal
        low, high = jnp.where(passed, low, middle + 1), jnp.where(passed, middle, high)
    return jnp.minimum(low, length - 1)


def importance_weights(probabilities: Float[Array, "B"], beta: float) -> Float[Array, "B"]:
    """(N P)^-beta over its maximum in the batch, in which N and any factor of P cancel.

    The weight is 0 where P is 0, for what rounding alone has drawn.
    """
    possible = probabilities > 0
    lowest = jnp.min(jnp.where(possible, probabilities, jnp.inf))
    ratio = jnp.where(possible, lowest / jnp.where(possible, probabilities, 1.0), 0.0)
    return jnp.where(possible, ratio**beta, 0.0)
