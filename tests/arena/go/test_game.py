from __future__ import annotations

import pytest

from imaginax.arena.go import board as goban
from imaginax.arena.go import game as go_game
from imaginax.arena.go.board import BLACK, WHITE

PASS = 25


def played(*moves: str, handicap: tuple[int, ...] = ()) -> go_game.GoGame:
    game = go_game.begin(5, handicap)
    for move in moves:
        colour, name = move.split(":")
        game = go_game.play(game, {"B": BLACK, "W": WHITE}[colour], goban.point_of(5, name))
    return game


@pytest.mark.parametrize(
    ("game", "mover", "expected"),
    [
        (played(), BLACK, []),
        (played(), WHITE, [PASS]),
        (played("B:A5", "W:B5"), BLACK, [0, 1]),
        (played("B:A5", "B:B5"), WHITE, [0, PASS, 1]),
        (played("B:A5", "B:B5"), BLACK, [0, PASS, 1, PASS]),
        (played("W:A5"), WHITE, [PASS, 0, PASS]),
        (played("B:A5", "W:pass", "B:pass"), WHITE, [0, PASS, PASS]),  # the game is over
        (played("B:A5", "W:pass", "B:pass", "W:B5"), BLACK, [0, 1]),  # and goes on
        (played("B:pass", "B:A5"), WHITE, [0]),
        (played("B:pass"), BLACK, []),
        (played(handicap=(0, 1, 2)), WHITE, [0, PASS, 1, PASS, 2]),
        (played(handicap=(0, 1)), BLACK, [0, PASS, 1, PASS]),
    ],
)
def test_any_order_of_colours_becomes_moves_in_turn(game, mover, expected):
    assert go_game.actions(game, mover) == expected


def test_undo_stops_at_the_handicap():
    game = played("W:A5", handicap=(7, 8))
    before = go_game.undo(game)
    assert before == played(handicap=(7, 8)) and not before.untouched
    with pytest.raises(ValueError, match="cannot undo"):
        go_game.undo(before)


def names(size: int, points: list[int]) -> str:
    return " ".join(sorted(goban.vertex(size, point) for point in points))


@pytest.mark.parametrize(
    ("size", "stones", "expected"),
    [  # as GNU Go 3.8 sets them
        (9, 9, "C3 C5 C7 E3 E5 E7 G3 G5 G7"),
        (9, 5, "C3 C7 E5 G3 G7"),
        (9, 6, "C3 C5 C7 G3 G5 G7"),
        (13, 3, "D10 D4 K10"),
        (19, 2, "D4 Q16"),
        (19, 7, "D10 D16 D4 K10 Q10 Q16 Q4"),
        (19, 8, "D10 D16 D4 K16 K4 Q10 Q16 Q4"),
        (7, 4, "C3 C5 E3 E5"),
        (8, 4, "C3 C6 F3 F6"),
    ],
)
def test_fixed_handicaps(size, stones, expected):
    assert names(size, go_game.fixed_handicap(size, stones)) == expected


@pytest.mark.parametrize(("size", "stones"), [(5, 2), (9, 10), (9, 1), (7, 5), (8, 5), (19, 0), (9, -1)])
def test_impossible_fixed_handicaps(size, stones):
    with pytest.raises(ValueError, match="invalid number of stones"):
        go_game.fixed_handicap(size, stones)


def test_free_handicaps_are_as_many_as_there_is_tradition_for():
    assert [len(go_game.free_handicap(size, 9)) for size in (5, 6, 7, 8, 9, 19)] == [4, 4, 4, 4, 9, 9]
    assert len({*go_game.free_handicap(5, 3)}) == 3
    for stones in (1, 25):
        with pytest.raises(ValueError, match="invalid number of stones"):
            go_game.free_handicap(5, stones)
