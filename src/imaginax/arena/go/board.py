"""Go on the host: the rules that a client of the protocol may rely on.

Clients set up handicaps, let a colour move twice, go on after two passes and play past the number of moves
at which the environment ends a game, so the referee's board is not the environment's. Area rules: suicide is
illegal, and so is any move that repeats a position of the whole board (positional superko).

Points are numbered row by row from the upper left, as the environment's actions are; passing is None here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

EMPTY, BLACK, WHITE = 0, 1, 2
LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # columns; there is no I


class Board(NamedTuple):
    """A position.

    Attributes:
        size: of its side.
        cells: one byte a point: EMPTY, BLACK or WHITE.
        captured: stones that Black and White have captured.
        seen: all positions of the game.
    """

    size: int
    cells: bytes
    captured: tuple[int, int]
    seen: frozenset[bytes]


def empty(size: int) -> Board:
    """A board without stones."""
    cells = bytes(size * size)
    return Board(size, cells, (0, 0), frozenset([cells]))


@functools.cache
def neighbours(size: int) -> tuple[tuple[int, ...], ...]:
    """The points beside each point."""
    return tuple(
        tuple(
            (row + down) * size + column + right
            for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0))
            if 0 <= row + down < size and 0 <= column + right < size
        )
        for row in range(size)
        for column in range(size)
    )


def chain(size: int, cells: bytes | bytearray, point: int) -> tuple[set[int], bool]:
    """The stones connected with one (or the empty region around a point), and whether they have a liberty."""
    near, colour = neighbours(size), cells[point]
    members, open_ends, liberty = {point}, [point], False
    while open_ends:
        for beside in near[open_ends.pop()]:
            if cells[beside] == colour and beside not in members:
                members.add(beside)
                open_ends.append(beside)
            liberty |= cells[beside] == EMPTY
    return members, liberty


def place(size: int, cells: bytearray, colour: int, point: int) -> set[int] | None:
    """Puts a stone on an empty point of `cells` and takes what it captures.

    Returns:
        The captured points; None for suicide, which leaves `cells` as they were.
    """
    cells[point] = colour
    taken: set[int] = set()
    for beside in neighbours(size)[point]:
        if cells[beside] == 3 - colour and beside not in taken:
            members, alive = chain(size, cells, beside)
            taken |= set() if alive else members
    for dead in taken:
        cells[dead] = EMPTY
    if not taken and not chain(size, cells, point)[1]:
        cells[point] = EMPTY
        return None
    return taken


def play(board: Board, colour: int, point: int | None) -> Board:
    """The position after a move of either colour; None passes.

    Raises:
        ValueError: if the move is illegal.
    """
    if point is None:
        return board
    if board.cells[point] != EMPTY:
        raise ValueError("the point is occupied")
    cells = bytearray(board.cells)
    taken = place(board.size, cells, colour, point)
    if taken is None:
        raise ValueError("suicide")
    after = bytes(cells)
    if after in board.seen:
        raise ValueError("the position is repeated")
    captured = list(board.captured)
    captured[colour - BLACK] += len(taken)
    return Board(board.size, after, (captured[0], captured[1]), board.seen | {after})


def legal(board: Board, colour: int) -> Bool[np.ndarray, "A"]:
    """The legal moves of a colour; the last one is to pass."""
    allowed = np.ones(board.size**2 + 1, bool)
    for point in range(board.size**2):
        try:
            play(board, colour, point)
        except ValueError:
            allowed[point] = False
    return allowed


def area(board: Board, dead: frozenset[int] = frozenset()) -> tuple[int, int]:
    """Black's and White's area: stones, and empty regions that touch one colour only.

    Args:
        board: the position.
        dead: stones that are taken off first.
    """
    cells = bytes(EMPTY if point in dead else cell for point, cell in enumerate(board.cells))
    owners = list(owned(board.size, cells))
    return owners.count(BLACK), owners.count(WHITE)


def owned(size: int, cells: bytes | bytearray) -> Iterator[int]:
    """The owner of each point by area rules: BLACK, WHITE or EMPTY."""
    near = neighbours(size)
    found: dict[int, int] = {}
    for point, cell in enumerate(cells):
        if cell == EMPTY and point not in found:
            region = chain(size, cells, point)[0]
            borders = {cells[beside] for member in region for beside in near[member]} - {EMPTY}
            found |= dict.fromkeys(region, borders.pop() if len(borders) == 1 else EMPTY)
        yield cell or found[point]


def vertex(size: int, point: int | None) -> str:
    """The name of a point, like D4, or of a pass."""
    if point is None:
        return "pass"
    row, column = divmod(point, size)
    return f"{LETTERS[column]}{size - row}"


def point_of(size: int, text: str) -> int | None:
    """The point that a vertex names; None for a pass.

    Raises:
        ValueError: if there is no such point.
    """
    if text.lower() == "pass":
        return None
    match = re.fullmatch(r"([A-Z])([0-9]{1,2})", text.upper())
    column, row = (LETTERS.find(match[1]), int(match[2])) if match else (-1, 0)
    if not (0 <= column < size and 1 <= row <= size):
        raise ValueError(f"no point {text}")
    return (size - row) * size + column


def text(board: Board) -> str:
    """The board as GTP's showboard draws it: X is Black, O is White."""
    size = board.size
    columns = "   " + " ".join(LETTERS[:size])
    rows = [
        f"{size - row:2d} {' '.join('.XO'[cell] for cell in board.cells[row * size : (row + 1) * size])}"
        f" {size - row}"
        for row in range(size)
    ]
    black, white = board.captured
    return "\n".join([columns, *rows, columns, f"captured: X {black}, O {white}"])
