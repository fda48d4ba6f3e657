from __future__ import annotations

import numpy as np
import pytest

from imaginax.arena.go import board as goban
from imaginax.arena.go.board import BLACK, EMPTY, WHITE
from imaginax.arena.go.scoring import result, settle


def drawn(picture: str) -> goban.Board:
    rows = picture.split()
    cells = bytes({".": EMPTY, "X": BLACK, "O": WHITE}[mark] for row in rows for mark in row)
    return goban.Board(len(rows), cells, (0, 0), frozenset([cells]))


def points(size: int, names: str) -> frozenset[int | None]:
    return frozenset(goban.point_of(size, name) for name in names.split())


def test_a_stranger_in_a_large_area_is_dead_and_the_area_not_neutral():
    """GNU Go 3.8 scores this position W+9.5, and the stranger at H1 is dead to it."""
    board = drawn("...XO.... " * 8 + "...XO..X.")
    assert result(board, 0.5) == "W+9.5"
    assert settle(9, board.cells).dead == points(9, "H1")


# What is dead, what lives in seki, and Black's lead on 9x9 boards whose rest is White's.
LIVES = {
    "two eyes": (".X.XO.... XXXXO.... OOOOO....", "", 8 - 73),
    "straight four": ("....XO... XXXXXO... OOOOOO...", "", 10 - 71),
    "one eye": (".XXXO.... XXXXO.... OOOOO....", "B9 C9 D9 A8 B8 C8 D8", -81),
    "three points with the middle taken": (".O.XO.... XXXXO.... OOOOO....", "D9 A8 B8 C8 D8", -81),
    "square four": ("..XO..... ..XO..... XXXO..... OOOO.....", "C9 C8 A7 B7 C7", -81),
    "bent four in the corner": (
        ".OOXO.... OXXXO.... .XOOO.... XXO...... OOO......",
        "D9 B8 C8 D8 B7 A6 B6",
        -81,
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_life_and_death_in_a_corner(name):
    picture, dead, lead = LIVES[name]
    rows = picture.split()
    rows += ["........."] * (9 - len(rows))
    rows[6] = "....O...."  # that the rest is White's
    found = settle(9, drawn(" ".join(rows)).cells)
    assert found.dead == points(9, dead) and not found.seki and found.lead == lead


def test_nobody_is_dead_in_a_seki_and_its_liberties_are_nobodys():
    """C and E with their neighbours share D7 and D1, have no eye, and stand between living groups."""
    found = settle(7, drawn(".XO.XO. XXOOXOO .XOXXO. XXOOXOO XXOXXOO .XOXXO. XXO.XOO").cells)
    middle = "C7 C6 C5 C4 C3 C2 C1 D6 D4 E7 E6 E5 E4 E3 E2 E1 D5 D3 D2"
    assert not found.dead and found.seki == points(7, middle)
    assert found.lead == 24 - 23 and np.flatnonzero(np.array([*found.owner]) == EMPTY).tolist() == [3, 45]


def test_points_between_living_walls_are_neutral():
    found = settle(7, drawn("..X.O.. " * 7).cells)
    assert found.lead == 0 and found.owner.count(EMPTY) == 7 and not found.dead and not found.seki


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
    found = settle(7, drawn(STRANGERS).cells)
    assert found.dead == points(7, "A4 E5")
    assert (found.owner.count(BLACK), found.owner.count(WHITE)) == (3 * 7, 4 * 7)


def test_colours_and_directions_do_not_matter():
    cells = np.array([*drawn(STRANGERS).cells]).reshape(7, 7)
    other = np.array([EMPTY, WHITE, BLACK])[cells].T[::-1]
    expected = np.array([*settle(7, cells.astype(np.uint8).tobytes()).owner]).reshape(7, 7)
    found = np.array([*settle(7, other.astype(np.uint8).tobytes()).owner]).reshape(7, 7)
    np.testing.assert_array_equal(found, np.array([EMPTY, WHITE, BLACK])[expected].T[::-1])


def test_a_board_without_stones_is_nobodys():
    assert result(goban.empty(7), 6.5) == "W+6.5"


def test_a_position_is_scored_once():
    board = drawn(STRANGERS)
    assert settle(7, board.cells) is settle(7, bytes(board.cells))


@pytest.mark.parametrize(
    ("komi", "expected"), [(0.5, "B+6.5"), (7.0, "0"), (7.5, "W+0.5"), (-2.0, "B+9"), (107.0, "W+100")]
)
def test_results_are_written_as_gtp_has_them(komi, expected):
    assert result(drawn("...XO.. " * 7), komi) == expected
