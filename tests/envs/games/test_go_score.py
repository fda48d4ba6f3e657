from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pgx._src.games import go

from imaginax.envs.games import go_score, names, pgx_games

BOARDS = 200


def neighbours(size):
    return jax.vmap(go._adj_ixs, in_axes=(0, None))(jnp.arange(size * size), size)


def area(stones, size):
    beside = neighbours(size)
    return jax.jit(jax.vmap(lambda board: jnp.stack(go_score.area(board, beside, jnp.bool_(True)))))(stones)


@pytest.mark.parametrize("size", [5, 9, 19])
def test_area_is_that_of_pgx(size):
    """pgx fills regions point by point; boards with few stones have the longest ways through them."""
    key_share, key_stone, key_colour = jax.random.split(jax.random.key(size), 3)
    shape = (BOARDS, size * size)
    share = jax.random.uniform(key_share, (BOARDS, 1)) ** 2
    there = jax.random.uniform(key_stone, shape) < share
    stones = jnp.where(there, jax.random.rademacher(key_colour, shape), 0).astype(jnp.int32)
    expected = jax.jit(jax.vmap(lambda board: go._count_scores(go.GameState(board=board), size)))(stones)
    np.testing.assert_array_equal(area(stones, size), expected)
    assert len(np.unique(expected)) > 10


def test_a_region_as_long_as_the_board_is_one():
    """A spiral of empty points between black stones, with one white stone at its inner end."""
    size, board = 9, np.ones((9, 9), int)
    row, column, step, free = 0, -1, (0, 1), []
    for length in (9, 8, 8, 6, 6, 4, 4, 2, 2):
        for _ in range(length):
            row, column = row + step[0], column + step[1]
            free.append((row, column))
        step = (step[1], -step[0])
    for place in free:
        board[place] = 0
    walls = int(board.sum())
    assert walls + len(free) == 81
    stones = [board.copy(), board.copy()]
    stones[1][free[-1]] = -1
    black, white = area(jnp.asarray(np.stack(stones).reshape(2, -1), jnp.int32), size).T
    assert list(black) == [81, walls]
    assert list(white) == [0, 1]


def test_rewards_are_those_of_pgx_in_whole_games():
    """Games of 5x5 with many passes and some illegal moves, and moves after the end."""
    game_name, games = names.parse("go_5x5"), 64
    base = pgx_games.build(game_name)
    state = jax.vmap(lambda key: pgx_games.first(base, game_name, key))(
        jax.random.split(jax.random.key(0), games)
    )

    @jax.jit
    @jax.vmap
    def play(state, key):
        key_any, key_what, key_pass = jax.random.split(key, 3)
        legal = state.legal_action_mask | (jax.random.uniform(key_any) < 0.02)
        move = jax.random.categorical(key_what, jnp.where(legal, 0.0, -jnp.inf))
        move = jnp.where(jax.random.uniform(key_pass) < 0.2, 25, move)
        return pgx_games.following(base, game_name, state, move), base.step(state, move).rewards

    seen = set()
    for key in jax.random.split(jax.random.key(1), 60):
        state, expected = play(state, jax.random.split(key, games))
        np.testing.assert_array_equal(state.rewards, expected)
        seen |= {tuple(row) for row in np.asarray(expected)}
    assert seen == {(0.0, 0.0), (1.0, -1.0), (-1.0, 1.0)}
    assert state.terminated.all()
