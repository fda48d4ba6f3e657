"""Perfect play of Connect Four: what every position is worth, by search on bitboards.

A board is two integers with seven bits a column, the lowest cell first and the seventh bit always empty:
the stones of the player to move, and all stones. A score is what Pons defines ("Solving Connect 4: how to
build a perfect AI", part 2): 0 for a draw; k > 0 if the player to move wins with the k-th last of his 21
stones, so that an early win is a high score; negative for a loss. The search only ever asks whether a score
reaches a goal, remembers the answer as a bound, and narrows the score down by such questions.

Python searches some 60,000 positions a second: enough from about the 14th stone on. Earlier positions need
the book of all positions with 12 stones in the package `bitbully-databases` (MIT), the extra `connect-four`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from imaginax.types import ConfigError

COLUMNS, ROWS = 7, 6
CELLS = COLUMNS * ROWS
BOOK_STONES = 12
_HEIGHT = ROWS + 1
_BOTTOM = sum(1 << _HEIGHT * column for column in range(COLUMNS))
_FULL = _BOTTOM * ((1 << ROWS) - 1)
_COLUMN = tuple(((1 << ROWS) - 1) << _HEIGHT * column for column in range(COLUMNS))
_CENTRE_FIRST = tuple(_COLUMN[column] for column in (3, 2, 4, 1, 5, 0, 6))
_SHIFTS = (_HEIGHT, _HEIGHT - 1, _HEIGHT + 1)  # along a row and both diagonals


class Board(NamedTuple):
    """A position."""

    mine: int = 0
    stones: int = 0

    @property
    def count(self) -> int:
        """Stones on the board."""
        return self.stones.bit_count()

    def play(self, column: int) -> Board:
        """The position after the player to move drops a stone, seen by the other."""
        return Board(self.mine ^ self.stones, self.stones | (self.stones + (1 << _HEIGHT * column)))

    def legal(self) -> list[int]:
        """Columns that are not full; none once someone has four in line."""
        if aligned(self.mine ^ self.stones):
            return []
        return [column for column in range(COLUMNS) if _COLUMN[column] & ~self.stones]

    def wins_at_once(self) -> bool:
        """Whether the player to move can complete four in line now."""
        return bool(completing(self.mine, self.stones) & (self.stones + _BOTTOM))


def board_of(columns: Sequence[int]) -> Board:
    """The position after stones were dropped into these columns, counted from 0; -1 ends the game.

    Raises:
        ValueError: for a move into a full column or after the end.
    """
    board = Board()
    for column in columns:
        if column < 0:
            break
        if column not in board.legal():
            raise ValueError(f"column {column + 1} cannot be played after {board.count} stones")
        board = board.play(column)
    return board


def aligned(stones: int) -> bool:
    """Whether four of these lie in line."""
    for shift in (1, *_SHIFTS):
        pairs = stones & stones >> shift
        if pairs & pairs >> 2 * shift:
            return True
    return False


def completing(mine: int, stones: int) -> int:
    """The empty cells, within reach or not, that complete four of `mine`."""
    cells = mine << 1 & mine << 2 & mine << 3
    for shift in _SHIFTS:
        pairs = mine << shift & mine << 2 * shift
        cells |= pairs & mine << 3 * shift | pairs & mine >> shift
        pairs = mine >> shift & mine >> 2 * shift
        cells |= pairs & mine >> 3 * shift | pairs & mine << shift
    return cells & _FULL & ~stones


class Book:
    """The values of all positions with 12 stones in which nobody can win at once."""

    def __init__(self, codes: Int[np.ndarray, "N"], values: Int[np.ndarray, "N"]):
        """Keeps sorted codes of draws and losses; whoever is to move in any other position wins."""
        self._codes, self._values = codes, values

    @classmethod
    def load(cls) -> Book:
        """The book of `bitbully-databases`.

        Its entries are 32-bit numbers in ascending order: a code, and in the last two bits 0 for a draw and
        1 for a loss of the player to move; of a position and its mirror image only one may be present.

        Raises:
            ConfigError: if the package is not installed.
        """
        try:
            from bitbully_databases import BitBullyDatabases  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ConfigError(
                "Connect Four's openings need the book of bitbully-databases:"
                " pip install 'imaginax[connect-four]'"
            ) from error
        entries = np.fromfile(BitBullyDatabases.get_database_path("12-ply"), ">i4").astype(np.int64)
        return cls(entries & ~3, -(entries & 3))

    def value(self, mine: int, stones: int) -> int:
        """1, 0 or -1 for the player to move in a position with 12 stones."""
        for code in (_code(mine, stones, range(COLUMNS)), _code(mine, stones, range(COLUMNS - 1, -1, -1))):
            at = int(np.searchsorted(self._codes, code))
            if at < len(self._codes) and self._codes[at] == code:
                return int(self._values[at])
        return 1


def _code(mine: int, stones: int, columns: Sequence[int]) -> int:
    """Column by column from below: 10 a stone of the player to move, 11 another, 0 after the top one."""
    code = 0
    for column in columns:
        cell = 1 << _HEIGHT * column
        while stones & cell:
            code, cell = code << 2 | (2 if mine & cell else 3), cell << 1
        code <<= 1
    return ((code << 1) + 2**31) % 2**32 - 2**31  # as a signed number of 32 bits


class Solver:
    """Values and scores; what it has learned about positions is kept for the next question.

    Attributes:
        nodes: positions searched so far.
    """

    def __init__(self, book: Book | None = None):
        """Remembers the book, without which positions with few stones take hours."""
        self.nodes = 0
        self._book = book
        self._known: dict[int, tuple[int, int]] = {}  # of a position: bounds of its score

    def value(self, board: Board) -> int:
        """1, 0 or -1: a win, a draw or a loss for the player to move."""
        if aligned(board.mine ^ board.stones):
            return -1
        if self._reaches(board.mine, board.stones, board.count, 1):
            return 1
        return 0 if self._reaches(board.mine, board.stones, board.count, 0) else -1

    def values(self, board: Board) -> dict[int, int]:
        """The value of every legal column for the player who plays it."""
        return {column: -self.value(board.play(column)) for column in board.legal()}

    def score(self, board: Board) -> int:
        """The score for the player to move.

        Raises:
            ValueError: with a book, which knows values but not scores, in a position that needs it.
        """
        if self._book is not None and board.count <= BOOK_STONES:
            raise ValueError("a solver with a book knows values only, for positions with so few stones")
        if aligned(board.mine ^ board.stones):
            return -((CELLS + 2 - board.count) // 2)
        low, high = -((CELLS - board.count) // 2), (CELLS + 1 - board.count) // 2
        while low < high:
            goal = (low + high + 1) // 2
            if self._reaches(board.mine, board.stones, board.count, goal):
                low = goal
            else:
                high = goal - 1
        return low

    def _reaches(self, mine: int, stones: int, count: int, goal: int) -> bool:
        """Whether the player to move can score `goal` or more; nobody has four in line yet."""
        self.nodes += 1
        if count == CELLS:
            return goal <= 0
        possible = stones + _BOTTOM & _FULL
        if completing(mine, stones) & possible:
            return goal <= (CELLS + 1 - count) // 2
        if goal > (CELLS - 1 - count) // 2:
            return False
        threats = completing(mine ^ stones, stones)
        forced = possible & threats
        if forced:
            possible = forced if forced & forced - 1 == 0 else 0
        # Below a cell that completes the other's four nothing is played either.
        possible &= ~(threats >> 1)
        if not possible:
            return goal <= -((CELLS - count) // 2)
        if count >= CELLS - 2:
            return goal <= 0
        if goal <= -((CELLS - 2 - count) // 2):
            return True
        if count == BOOK_STONES and self._book is not None:
            return goal <= self._book.value(mine, stones)
        return self._search(mine, stones, count, goal, possible)

    def _search(self, mine: int, stones: int, count: int, goal: int, possible: int) -> bool:
        """The same, by trying every move that does not lose at once; most new threats first."""
        key = mine + stones
        low, high = self._known.get(key, (-CELLS, CELLS))
        if low >= goal:
            return True
        if high < goal:
            return False
        moves = [cell for column in _CENTRE_FIRST if (cell := possible & column)]
        if len(moves) > 1:
            moves.sort(key=lambda cell: -completing(mine | cell, stones | cell).bit_count())
        other = mine ^ stones
        for cell in moves:
            if not self._reaches(other, stones | cell, count + 1, 1 - goal):
                self._known[key] = (goal, high)
                return True
        self._known[key] = (low, goal - 1)
        return False
