"""The positions that a match may begin with, against enumeration in plain Python."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena import openings
from imaginax.types import ConfigError
from tests.arena import noughts

GAME = envs.make("tic_tac_toe")


def board_after(moves) -> noughts.Board:
    return functools.reduce(noughts.play, map(int, moves), noughts.EMPTY)


@pytest.mark.parametrize("plies", [1, 2, 3, 4])
def test_every_position_where_the_game_goes_on_is_there_once(plies):
    """Three plies: 9 8 7 orders of moves, and half as many positions."""
    expected = {board for board in noughts.positions() if sum(map(bool, board)) == plies}
    found = [board_after(moves) for moves in openings.book(GAME, plies)]
    assert len(found) == len(set(found)) and set(found) == expected


def test_where_there_are_too_many_a_part_is_drawn(monkeypatch):
    monkeypatch.setattr(openings, "MAXIMUM", 10)
    openings._book.cache_clear()
    found = {board_after(moves) for moves in openings.book(GAME, 2)}
    openings._book.cache_clear()
    assert 5 < len(found) <= 10 and {sum(map(bool, board)) for board in found} == {2}


def test_openings_are_dealt_without_replacement_and_by_the_key():
    known = openings.book(GAME, 2)
    assert (openings.pairs(known, 40), openings.pairs(known, 1000)) == (20, 72)
    moves, number = openings.deal(known, 72, jax.random.key(0))
    np.testing.assert_array_equal(known[np.asarray(number)], moves)
    assert len(set(np.asarray(number).tolist())) == 72
    assert (number != openings.deal(known, 72, jax.random.key(1))[1]).any()


def test_the_initial_position_is_the_only_one_without_plies():
    known = openings.book(GAME, 0)
    moves, number = openings.deal(known, openings.pairs(known, 100), jax.random.key(0))
    assert moves.shape == (50, 0) and not np.asarray(number).any()


def test_a_book_is_made_while_a_program_is_traced():
    openings._book.cache_clear()
    count = jax.jit(lambda x: x + len(openings.book(GAME, 1)))(jnp.int32(1))
    assert int(count) == 10


def test_openings_that_outlast_every_game_are_refused():
    short = envs.make("tic_tac_toe", max_steps=3)
    with pytest.raises(ConfigError, match="openings of 3 plies: no game of tic_tac_toe"):
        openings.book(short, 3)
