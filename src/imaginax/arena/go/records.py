"""A recorded game (SGF) as one that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from imaginax.arena.go import game as go_game
from imaginax.arena.go.board import BLACK, WHITE
from imaginax.arena.go.game import GoGame

_COLOURS = {"B": BLACK, "W": WHITE}


class Loaded(NamedTuple):
    """A game from a file.

    Attributes:
        game: up to the place that was asked for.
        komi: as recorded; None where the record has none.
        mover: the colour to move.
    """

    game: GoGame
    komi: float | None
    mover: int


def read(path: Path, size: int, until: int | None = None) -> Loaded:
    """The main line of the first game in a file.

    Args:
        path: of the file.
        size: that the board must have.
        until: stop before the move of this number, counted from 1; None: at the end.

    Raises:
        ValueError: if the file cannot be read, or holds no game on such a board, or an illegal move.
    """
    from imaginax.data import sgf

    record = sgf.read(path)[0]
    if record.size != size:
        raise ValueError(f"the board is {record.size}x{record.size}, not {size}x{size}")
    black = [move.point for move in record.setup if move.colour == "B" and move.point is not None]
    white = [move.point for move in record.setup if move.colour == "W" and move.point is not None]
    game = go_game.begin(size, [row * size + column for row, column in black])
    for row, column in white:
        game = go_game.play(game, WHITE, row * size + column)
    count = len(record.moves) if until is None else max(until - 1, 0)
    for move in record.moves[:count]:
        point = None if move.point is None else move.point[0] * size + move.point[1]
        game = go_game.play(game, _COLOURS[move.colour], point)
    following = record.moves[count : count + 1]
    colours = [_COLOURS[move.colour] for move in following] or [BLACK if _even(game) else WHITE]
    known = record.komi != 0 or record.handicap > 0
    return Loaded(game, record.komi if known else None, colours[0])


def _even(game: GoGame) -> bool:
    """Whether Black is to move: the last move was White's, or there is no move and no handicap."""
    return game.moves[-1][0] == WHITE if game.moves else not game.handicap
