"""Boards as text."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from imaginax import envs
from imaginax.envs.games import notation, text
from imaginax.types import ConfigError


def played(name, moves):
    env = envs.make(name)
    step = jax.jit(env.step)
    state, _ = env.init(jax.random.key(0))
    for move in moves.split():
        state, _ = step(state, jnp.int32(notation.parse_move(name, state, move)), jax.random.key(0))
    return state


def test_stones_stand_where_they_were_played():
    board = text.text_board("go_5x5", played("go_5x5", "A1 E4"))
    assert board.splitlines() == [
        "  A B C D E",
        "5 . . . . .",
        "4 . . . . O",
        "3 . . . . .",
        "2 . . . . .",
        "1 X . . . .",
        "  A B C D E",
        "to move: Black (X)",
    ]
    assert text.text_board("connect_four", played("connect_four", "3 3 7")).splitlines() == [
        "  1 2 3 4 5 6 7",
        *["  . . . . . . ."] * 4,
        "  . . O . . . .",
        "  . . X . . . X",
        "to move: O",
    ]
    assert text.text_board("hex_3x3", played("hex_3x3", "b1")).splitlines() == [
        "  a b c",
        "1 . X .",
        " 2 . . .",
        "  3 . . .",
        "     a b c",
        "to move: O",
    ]


@pytest.mark.slow
def test_pieces_hands_and_fen():
    state = played("animal_shogi", "b2b3")
    assert text.to_fen("animal_shogi", state) == "gle/1C1/3/ELG[C] b 0 1"
    lines = text.text_board("animal_shogi", state).splitlines()
    assert lines[1:3] == ["4  g  l  e", "3  .  C  ."] and lines[-2:] == [
        "in hand: 1C",
        "to move: Black (small letters)",
    ]
    assert (
        text.to_fen("gardner_chess", played("gardner_chess", "b2b3"))
        == "rnbqk/ppppp/1P3/P1PPP/RNBQK b - - 0 1"
    )


def test_a_game_without_fen_says_so():
    with pytest.raises(ConfigError, match="othello has no FEN"):
        text.to_fen("othello", None)
