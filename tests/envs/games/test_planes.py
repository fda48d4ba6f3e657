"""Packed planes come back exactly, and are small."""

from __future__ import annotations

import jax
import numpy as np
import pytest

# bytes of one position's planes before and after
SMALL = [
    ("connect_four", 42, 84, 11),
    ("othello", 66, 128, 16),
    ("hex_3x3", 10, 36, 4),
    ("go_5x5", 50, 425, 51),
]
LARGE = [
    ("gardner_chess", 60, 11500, 311),
    ("animal_shogi", 60, 9312, 139),
    ("chess", 60, 30464, 779),
    ("shogi", 40, 9639, 636),
]
EVERY = SMALL + [pytest.param(*game, marks=pytest.mark.slow) for game in LARGE]


@pytest.mark.parametrize(("name", "moves", "before", "after"), EVERY)
def test_unpack_inverts_pack(name, moves, before, after, random_games):
    games = random_games(name, 16, moves)
    planes, game = games.timesteps.observation, games.env.game
    packed = jax.jit(jax.vmap(jax.vmap(game.pack)))(planes)
    restored = jax.jit(jax.vmap(jax.vmap(game.unpack)))(packed)
    assert restored.dtype == planes.dtype
    np.testing.assert_array_equal(restored, planes)
    assert planes[0, 0].nbytes == before
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(packed)) == planes.shape[0] * planes.shape[1] * after
