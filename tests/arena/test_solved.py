"""The table of tic-tac-toe against exhaustive search of every position."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.replay import replay
from imaginax.arena.score import summarise
from imaginax.arena.solved import make_perfect, tic_tac_toe_values, values_of_moves
from imaginax.types import ConfigError
from tests.arena import noughts

GAME = envs.make("tic_tac_toe")


def test_every_move_of_every_position_has_its_value():
    """All 4520 positions that are not over, through the planes that the game shows."""
    boards = sorted(noughts.positions())
    assert len(boards) == 4520
    moves = jnp.array([noughts.moves_to(board) for board in boards])

    @jax.jit
    @jax.vmap
    def look(moves):
        _, timestep = replay(GAME, moves, jax.random.key(0))
        return GAME.game.planes(jax.tree.map(lambda leaf: leaf[-1], timestep.observation)), timestep.legal[-1]

    planes, legal = look(moves)
    found = np.asarray(values_of_moves(jnp.asarray(tic_tac_toe_values()), planes, legal))
    for board, row in zip(boards, found, strict=True):
        exact = np.full(9, -np.inf)
        for cell in noughts.legal(board):
            exact[cell] = -np.sign(noughts.negamax(noughts.play(board, cell), 9))
        np.testing.assert_array_equal(row, exact, err_msg=str(board))


def test_perfect_never_loses():
    sides = make_perfect(GAME), make_opponent("minimax:2", GAME)
    match = jax.jit(functools.partial(play_match, GAME, *sides, ((), ()), games=200))
    score = summarise(match(jax.random.key(0)))
    assert score.losses == 0 and score.wins > 0, score


def test_other_games_are_refused():
    with pytest.raises(ConfigError, match="perfect.*tic_tac_toe only"):
        make_opponent("perfect", envs.make("connect_four"))
