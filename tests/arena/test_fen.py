from __future__ import annotations

import random

import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.engine import Engine, TimedPlayer
from imaginax.arena.fen import START, chess_state
from imaginax.envs.games.notation import format_move, parse_move
from imaginax.envs.games.text import to_fen
from tests.arena.players import counting

POSITIONS = (
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R b Kq - 3 11",
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 b - - 0 1",
    "rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8",
    "rnbqkbnr/ppp1pppp/8/8/3pP3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 3",
    "6k1/5ppp/8/8/8/8/5PPP/3R2K1 b - - 40 60",
)


@pytest.fixture(scope="module")
def table():
    return Engine(envs.make("chess"), TimedPlayer(counting, 0.0))


@pytest.mark.slow
def test_positions_have_the_moves_that_python_chess_finds(table):
    chess = pytest.importorskip("chess")
    draw = random.Random(0)
    for fen in (START, *POSITIONS):
        board = chess.Board(fen)
        table.reset(chess_state(fen))
        for _ in range(4):
            legal = [int(action) for action in np.flatnonzero(table.legal)]
            moves = [format_move("chess", table.position, action) for action in legal]
            assert sorted(moves) == sorted(move.uci() for move in board.legal_moves), board.fen()
            assert table.mover == (not board.turn)
            found = to_fen("chess", table.position).split()
            assert [*found[:3], *found[4:]] == [*board.fen().split()[:3], *board.fen().split()[4:]]
            choice = draw.randrange(len(legal))
            table.play(legal[choice])
            board.push_uci(moves[choice])
    assert table._step._cache_size() == 1


@pytest.mark.slow
def test_the_history_of_a_position_is_itself_and_no_repetition(table):
    state = chess_state(START)
    planes = np.asarray(state.observation)
    assert planes.shape == (8, 8, 119)
    for earlier in range(1, 8):
        np.testing.assert_array_equal(planes[..., 14 * earlier : 14 * earlier + 14], planes[..., :14])
    assert not planes[..., 13].any(), "a first occurrence"
    table.reset(state)
    for moves in range(1, 9):  # knights go out and back; the third occurrence of the position is a draw
        table.play(_knight(table, moves))
        assert table.over == (moves == 8)


def _knight(table, number: int) -> int:
    name = ("g1f3", "g8f6", "f3g1", "f6g8")[(number - 1) % 4]
    return parse_move("chess", table.position, name)


@pytest.mark.parametrize(
    ("fen", "message"),
    [
        ("", "no FEN"),
        ("startpos", "no FEN"),
        (START[:-2], "no FEN"),
        (START.replace(" w ", " x "), "no FEN"),
        (START.replace("KQkq", "QK"), "no FEN"),
        (START.replace("- 0 1", "e4 0 1"), "no FEN"),
        (START.replace("0 1", "-1 1"), "no FEN"),
        (START.replace("/8/8/8/8/", "/8/8/8/7/"), "8 ranks"),
        (START.replace("/8/8/8/8/", "/8/8/8/"), "8 ranks"),
        (START.replace("8/8/8/8", "8/8/8/44").replace("44", "35p"), "8 ranks"),
        (START.replace("k", "q", 1), "one king"),
        (START.replace("K", "Q", 1), "one king"),
        (START.replace("rnbqkbnr", "pnbqkbnr"), "pawn"),
        (START.replace("8/8/8/8", "8/8/8/QQQQQQQQ"), "16 pieces"),
    ],
)
def test_impossible_positions(fen, message):
    with pytest.raises(ValueError, match=message):
        chess_state(fen)


@pytest.mark.slow
def test_the_side_to_move_cannot_take_the_king():
    with pytest.raises(ValueError, match="in check"):
        chess_state("4k3/8/8/8/8/8/8/4RK2 w - - 0 1")
    assert not bool(chess_state("4k3/8/8/8/8/8/8/4RK2 b - - 0 1").terminated)
