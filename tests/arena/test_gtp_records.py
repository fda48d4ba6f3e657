"""GTP's `loadsgf`: records and positions that are set up become the game of the engine."""

from __future__ import annotations

import numpy as np
import pytest

from tests.arena.players import said


def test_a_record_is_loaded_and_goes_on(gtp, tmp_path):
    path = tmp_path / "game.sgf"
    path.write_text("(;FF[4]SZ[5]KM[3.5]HA[2]AB[bb][dd];W[cc];B[cb];W[];B[aa])")
    assert gtp.answer(f"loadsgf {path}") == "= white" and gtp.session.komi == 3.5
    assert gtp.answer("showboard").split("\n")[2:6] == [
        " 5 X . . . . 5",
        " 4 . X X . . 4",
        " 3 . . O . . 3",
        " 2 . . . X . 2",
    ]
    assert said(gtp, f"loadsgf {path} 2", "genmove b", "undo", "undo", "undo") == [
        "= black",
        "= pass",
        "= ",
        "= ",
        "? cannot undo",
    ]
    kept = gtp.session.game
    for text, message in (
        ("(;SZ[9];B[aa])", "cannot load file: the board is 9x9, not 5x5"),
        ("(;SZ[5];B[aa];W[aa])", "cannot load file: the point is occupied: move 2, W A5"),
        ("(;SZ[5];B[ab];AW[aa]AB[ba])", "cannot load file: a chain without a liberty is set up after move 1"),
        ("(;SZ[5];B[a", "cannot load file: "),
        ("(;SZ[5]KM[x])(;SZ[5];B[aa])", f"cannot load file: {path}, line 1: KM[x] is no number"),
    ):
        path.write_text(text)
        assert gtp.answer(f"loadsgf {path}").startswith(f"? {message}")
    assert gtp.session.game is kept


EMPTY = ". . . . ."


@pytest.mark.parametrize(
    "text, mover, rows",
    [
        ("AB[bb][dd]PL[B]", "black", [EMPTY, ". X . . .", EMPTY, ". . . X .", EMPTY]),
        ("AB[bb][dd]", "white", [EMPTY, ". X . . .", EMPTY, ". . . X .", EMPTY]),
        ("AB[bb]AW[dd]", "black", [EMPTY, ". X . . .", EMPTY, ". . . O .", EMPTY]),
        ("PL[W]", "white", [EMPTY] * 5),
        ("AB[bb][cc][dd];AE[cc];B[ea]", "white", [". . . . X", ". X . . .", EMPTY, ". . . X .", EMPTY]),
        (";B[bb];W[cc];AE[bb]AW[dd]PL[W]", "white", [EMPTY, EMPTY, ". . O . .", ". . . O .", EMPTY]),
        (";B[bb];PL[B]", "black", [EMPTY, ". X . . .", EMPTY, EMPTY, EMPTY]),
        (";B[bb];AW[cc];W[dd]", "black", [EMPTY, ". X . . .", ". . O . .", ". . . O .", EMPTY]),
        ("HA[2];W[cc]", "black", [EMPTY, ". . . X .", ". . O . .", ". X . . .", EMPTY]),
        ("HA[2];B[cc];W[dd]", "black", [EMPTY, EMPTY, ". . X . .", ". . . O .", EMPTY]),
    ],
)
def test_a_position_that_is_set_up_is_loaded_and_thought_about(gtp, tmp_path, text, mover, rows):
    path = tmp_path / "game.SGF"
    path.write_text(f"(;FF[4]SZ[5]{text})")
    assert gtp.answer(f"loadsgf {path}") == f"= {mover}"
    assert [row[3:12] for row in gtp.answer("showboard").split("\n")[2:7]] == rows
    assert gtp.answer(f"reg_genmove {mover[0]}").startswith("= ")
    board = np.sign(gtp.session.engine.position._x.board).reshape(5, 5)  # that of the engine's search
    assert [" ".join(".XO"[stone] for stone in row) for row in board] == rows


def test_no_komi_of_a_record_is_not_a_komi_of_zero(gtp, tmp_path):
    path = tmp_path / "game.sgf"
    for text, komi in (("KM[3.5]", 3.5), ("", 3.5), ("KM[0]", 0.0), ("KM[]", 0.0), ("KM[375]", 7.5)):
        path.write_text(f"(;FF[4]SZ[5]{text};B[aa])")
        assert gtp.answer(f"loadsgf {path}") == "= white"
        assert gtp.session.komi == komi


# -------------------------------------------------------------------- robustness
