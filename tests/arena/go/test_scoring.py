from __future__ import annotations

import pytest

from imaginax.arena.go import board as goban
from imaginax.arena.go.board import BLACK, EMPTY, WHITE
from imaginax.arena.go.scoring import dead_stones, result


def drawn(picture: str) -> goban.Board:
    rows = picture.split()
    cells = bytes({".": EMPTY, "X": BLACK, "O": WHITE}[mark] for row in rows for mark in row)
    return goban.Board(len(rows), cells, (0, 0), frozenset([cells]))


# Black lives on the left, White on the right, and each has a stone in the other's area.
STRANGERS = """
    .XXOOO.
    XXXOOOO
    X.XOX.O
    O.XOOOO
    X.XOOO.
    XXXOOOO
    .XXOOO.
"""


def test_stones_in_foreign_areas_are_dead():
    board = drawn(STRANGERS)
    strangers = frozenset(goban.point_of(7, name) for name in ("A4", "E5"))
    assert dead_stones(board) == strangers
    assert goban.area(board) == (3 * 7 - 4 + 1, 4 * 7 - 2 + 1), "strangers count too"
    assert goban.area(board, strangers) == (3 * 7, 4 * 7)


def test_nothing_is_dead_before_a_game_has_begun():
    assert dead_stones(goban.empty(9)) == frozenset()
    assert dead_stones(drawn("..... ..... ..X.. ..... .....")) == frozenset()


@pytest.mark.parametrize(
    ("komi", "expected"), [(0.5, "B+4.5"), (5.0, "0"), (7.5, "W+2.5"), (-2.0, "B+7"), (105.0, "W+100")]
)
def test_results_are_written_as_gtp_has_them(komi, expected):
    board = drawn("..XO. ..XO. ..XO. ..XO. ..XO.")
    assert result(board, komi, frozenset()) == expected
