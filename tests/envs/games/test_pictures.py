"""Pictures: colours where the stones are, and tiles that can be told apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.games import names, pictures


def test_a_stone_is_drawn_on_its_point_and_nowhere_else():
    env = envs.make("tic_tac_toe")
    render = jax.jit(env.render)
    state, _ = env.init(jax.random.key(0))
    empty = np.asarray(render(state), int)
    state, _ = env.step(state, jnp.int32(5), jax.random.key(0))
    changed = np.abs(np.asarray(render(state), int) - empty).sum(-1) > 0
    edge = empty.shape[0] // 3
    assert empty.shape[2] == 3 and changed[edge : 2 * edge, 2 * edge :].any()
    changed[edge : 2 * edge, 2 * edge :] = False
    assert not changed.any()


def test_hex_shows_both_players_in_their_rows(random_games):
    games = random_games("hex_3x3", 16, 10)
    image = np.asarray(jax.jit(games.env.render)(games.state(4, 0)))
    blank = np.asarray(jax.jit(games.env.render)(games.state(0, 0)))
    assert image.dtype == np.uint8 and image.shape == blank.shape and (image != blank).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chess", "shogi", "animal_shogi", "go_9x9"])
def test_all_tiles_of_a_game_differ(name):
    """Pieces and owners on every kind of square, and the kinds of empty squares."""
    tiles, kinds = pictures._tiles(names.parse(name)).astype(int), pictures._kinds(names.parse(name))
    for flat in (*tiles.reshape(-1, kinds, tiles[0].size), tiles[::kinds].reshape(-1, tiles[0].size)):
        distance = np.abs(flat[:, None] - flat[None]).mean(-1) + 255 * np.eye(len(flat))
        assert (distance > 0.5).all()


def test_svg_of_every_size_of_board():
    for name, shapes in (("go_7x7", "<circle"), ("hex_5x5", "<polygon")):
        env = envs.make(name)
        state, _ = env.init(jax.random.key(0))
        before = pictures.svg(state)
        state, _ = env.step(state, jnp.int32(3), jax.random.key(0))
        assert before.startswith("<svg") and shapes in pictures.svg(state) != before
