"""Symmetries of rows: boards, moves and policies turn together."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.learning.muzero import random_symmetry
from imaginax.models.muzero.objective import Targets, Unroll


def test_rows_turn_with_their_moves():
    """A stone and the moves that are played there afterwards stay on the same square."""
    game = envs.make("connect_four").game
    rows, columns = 64, jnp.arange(64) % 7
    planes = jnp.zeros((rows, 6, 7, 2)).at[jnp.arange(rows), 5, columns, 0].set(1.0)
    ones = jnp.ones((rows, 3))
    targets = Targets(jnp.tile(columns[:, None, None], (1, 3, 2)), jnp.ones((rows, 3, 2)), ones, ones, ones)
    data = Unroll(
        planes, jnp.tile(columns[:, None], (1, 2)), ones[:, :2], ones[:, :2], targets, jnp.ones(rows)
    )
    turned = jax.jit(lambda data, key: random_symmetry(game.symmetries, data, key))(data, jax.random.key(0))
    where = np.asarray(turned.observation[:, 5, :, 0]).argmax(1)
    np.testing.assert_array_equal(turned.action, np.tile(where[:, None], (1, 2)))
    np.testing.assert_array_equal(turned.targets.actions, np.tile(where[:, None, None], (1, 3, 2)))
    mirrored = where == 6 - np.asarray(columns)
    assert np.all(mirrored | (where == np.asarray(columns))) and 0.3 < np.mean(mirrored) < 0.8
