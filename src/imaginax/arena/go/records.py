"""A recorded game (SGF) as one that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from imaginax.arena.go import board as goban
from imaginax.arena.go import game as go_game
from imaginax.arena.go.board import BLACK, WHITE
from imaginax.arena.go.game import GoGame
from imaginax.data import sgf
from imaginax.data.sgf import Change, Move, Record

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

    Where stones are set up or taken off between moves, the position is a new start: earlier ones may come
    again, and nothing before it can be taken back.

    Args:
        path: of the file.
        size: that the board must have.
        until: stop before the move of this number, counted from 1; None: at the end.

    Raises:
        ValueError: if the file cannot be read, or holds no game on such a board, or an illegal move.
    """
    record = next(sgf.games(sgf.load(path), str(path)))
    if isinstance(record, ValueError):
        raise record
    if record.size != size:
        raise ValueError(f"the board is {record.size}x{record.size}, not {size}x{size}")
    game = go_game.begin(size, *_points(record, size))
    mover = _COLOURS.get(record.mover or "", BLACK if game.white or not game.handicap else WHITE)
    count = len(record.moves) if until is None else max(until - 1, 0)
    events = sorted(
        [*enumerate(record.moves), *((change.before, change) for change in record.changes)], key=_order
    )
    for number, event in events:
        if isinstance(event, Change) and number <= count:
            game = _changed(game, event, number)
            mover = _COLOURS.get(event.mover or "", mover)
        elif isinstance(event, Move) and number < count:
            game = _played(game, event, number)
            mover = BLACK + WHITE - _COLOURS[event.colour]
    if following := record.moves[count : count + 1]:
        mover = _COLOURS[following[0].colour]
    return Loaded(game, 0.0 if record.komi is None and record.handicap else record.komi, mover)


def _order(event: tuple[int, Move | Change]) -> tuple[int, bool]:
    """A change comes before the move of its number."""
    return event[0], isinstance(event[1], Move)


def _points(record: Record, size: int) -> tuple[list[int], list[int]]:
    """Black's and White's stones before the first move.

    A handicap whose stones are not in the record, with White to begin, lies on the traditional points.
    """
    stones: dict[str, list[int]] = {"B": [], "W": []}
    for colour, point in record.setup:
        if point is not None:
            stones[colour].append(point[0] * size + point[1])
    if record.handicap > 1 and not record.setup and record.moves[:1] and record.moves[0].colour == "W":
        stones["B"] = go_game.free_handicap(size, record.handicap)
        if len(stones["B"]) < record.handicap:
            raise ValueError(f"HA[{record.handicap}]: the record does not say where these stones are")
    return stones["B"], stones["W"]


def _played(game: GoGame, move: Move, number: int) -> GoGame:
    size = game.board.size
    point = None if move.point is None else move.point[0] * size + move.point[1]
    try:
        return go_game.play(game, _COLOURS[move.colour], point)
    except ValueError as error:
        raise ValueError(f"{error}: move {number + 1}, {move.colour} {goban.vertex(size, point)}") from error


def _changed(game: GoGame, change: Change, number: int) -> GoGame:
    """A new game from the position after a change."""
    size = game.board.size
    cells = bytearray(game.board.cells)
    for row, column in change.removed:
        cells[row * size + column] = goban.EMPTY
    for colour, point in change.stones:
        if point is not None:
            cells[point[0] * size + point[1]] = _COLOURS[colour]
    if bytes(cells) == game.board.cells:
        return game
    stones = ([point for point, cell in enumerate(cells) if cell == colour] for colour in (BLACK, WHITE))
    try:
        return go_game.begin(size, *stones)
    except ValueError as error:
        raise ValueError(f"{error} after move {number}") from error
