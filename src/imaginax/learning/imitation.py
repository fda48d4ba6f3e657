"""Supervised learning of moves and outcomes from recorded games: the rival of self-play.

Silver et al. 2017 (doi 10.1038/nature24270), Figure 3: the same network and loss, with the moves that people
made in place of a search's shares. Its measures are those of panels b and c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from imaginax.data.go_games import Positions
from imaginax.data.self_play import PolicyValueBatch
from imaginax.learning.learner import Learner
from imaginax.networks.residual import Network
from imaginax.types import Game, Metrics


class NetworkAccuracy(NamedTuple):
    """How well a network predicts moves and outcomes of recorded games.

    Attributes:
        accuracy: share of positions in which its most probable move is the one that was made.
        squared_error: mean of (z - v)^2 over 4, so that outcomes and values count as in [0, 1] (the
            figure's scale).
    """

    accuracy: float
    squared_error: float


def batch_of(positions: Positions, game: Game) -> PolicyValueBatch:
    """Recorded positions [B] in the form that `learning.policy_value.make_update` learns from."""
    ones = jnp.ones(len(positions.move), jnp.float32)
    return PolicyValueBatch(
        observation=jax.vmap(game.unpack)(positions.planes),
        actions=jnp.asarray(positions.move, jnp.int32)[:, None],
        shares=ones[:, None],
        value=jnp.asarray(positions.outcome, jnp.float32),
        valid=ones,
        has_value=ones,
    )


def make_step(
    update: Callable[[Learner, PolicyValueBatch, Array], tuple[Learner, Metrics]], game: Game, batch_size: int
) -> Callable[[Learner, Positions, Array], tuple[Learner, Metrics]]:
    """An update from positions that are drawn uniformly.

    Args:
        update: from `learning.policy_value.make_update`.
        game: the game.
        batch_size: positions of an update.

    Returns:
        (learner, positions, key) -> (learner, metrics).
    """

    def step(learner: Learner, positions: Positions, key: Array) -> tuple[Learner, Metrics]:
        key_rows, key_update = jax.random.split(key)
        rows = jax.random.randint(key_rows, (batch_size,), 0, len(positions.move))
        drawn = jax.tree.map(lambda leaf: jnp.asarray(leaf)[rows], positions)
        return update(learner, batch_of(drawn, game), key_update)

    return step


def make_measure(
    network: Network, game: Game, batch_size: int = 1024
) -> Callable[[PyTree, Positions], NetworkAccuracy]:
    """The measure of a network on positions; positions that do not fill a batch are left out.

    Args:
        network: policy and value network.
        game: the game.
        batch_size: positions evaluated at once.

    Returns:
        (variables, positions) -> accuracy; compiled in the first call.
    """

    @jax.jit
    def measured(variables: PyTree, positions: Positions) -> tuple[Float[Array, ""], Float[Array, ""]]:
        batch = batch_of(positions, game)
        logits, value = network.apply(variables, batch.observation)
        hit = jnp.argmax(logits, axis=1) == batch.actions[:, 0]
        return hit.mean(), ((batch.value - value) ** 2).mean() / 4

    def measure(variables: PyTree, positions: Positions) -> NetworkAccuracy:
        size = min(batch_size, len(positions.move))
        starts = range(0, len(positions.move) - size + 1, size)
        found = [measured(variables, _rows(positions, slice(start, start + size))) for start in starts]
        accuracy, error = np.mean(jax.device_get(found), axis=0)
        return NetworkAccuracy(float(accuracy), float(error))

    return measure


def _rows(positions: Positions, chosen: slice | np.ndarray) -> Positions:
    return jax.tree.map(lambda leaf: leaf[chosen], positions)
