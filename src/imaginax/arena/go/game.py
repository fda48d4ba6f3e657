"""A game of Go as a protocol tells it: a handicap, then moves of either colour in any order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from imaginax.arena.go import board as goban
from imaginax.arena.go.board import BLACK, EMPTY, WHITE, Board


class GoGame(NamedTuple):
    """A game so far.

    Attributes:
        handicap: points of Black's first stones.
        moves: (colour, point or None for a pass), after the handicap.
        boards: the position before the first of them, and after each.
        white: points of White's stones in a position that was set up.
    """

    handicap: tuple[int, ...]
    moves: tuple[tuple[int, int | None], ...]
    boards: tuple[Board, ...]
    white: tuple[int, ...] = ()

    @property
    def board(self) -> Board:
        """The position."""
        return self.boards[-1]

    @property
    def untouched(self) -> bool:
        """Whether nothing has been set or played yet."""
        return not self.moves and not self.handicap and not self.white


def begin(size: int, handicap: Iterable[int] = (), white: Iterable[int] = ()) -> GoGame:
    """A game before its first move.

    Args:
        size: of the board.
        handicap: points of Black's stones.
        white: points of White's stones, where a position is set up.

    Raises:
        ValueError: if two stones are on one point, or a chain has no liberty.
    """
    points, others = tuple(handicap), tuple(white)
    cells = bytearray(size * size)
    for colour, point in _setup(points, others):
        if cells[point] != EMPTY:
            raise ValueError("the point is occupied")
        cells[point] = colour
    if not all(goban.chain(size, cells, point)[1] for point in (*points, *others)):
        raise ValueError("a chain without a liberty is set up")
    position = bytes(cells)
    return GoGame(points, (), (Board(size, position, (0, 0), frozenset([position])),), others)


def _setup(black: Iterable[int], white: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The stones of a position as moves: in turn as far as they go; none of them captures."""
    for pair in itertools.zip_longest(black, white):
        yield from (
            (colour, point) for colour, point in zip((BLACK, WHITE), pair, strict=True) if point is not None
        )


def play(game: GoGame, colour: int, point: int | None) -> GoGame:
    """The game after a move.

    Raises:
        ValueError: if it is illegal.
    """
    board = goban.play(game.board, colour, point)
    return game._replace(moves=(*game.moves, (colour, point)), boards=(*game.boards, board))


def undo(game: GoGame) -> GoGame:
    """The game without its last move.

    Raises:
        ValueError: if there is none.
    """
    if not game.moves:
        raise ValueError("cannot undo")
    return game._replace(moves=game.moves[:-1], boards=game.boards[:-1])


def actions(game: GoGame, mover: int) -> list[int]:
    """The game as moves in turn, Black's first, after which `mover` is to move: what an environment can play.

    Where one colour moves twice the other one passes in between. After two passes in a row play goes on as if
    they had not been made, unless they are the last moves.
    """
    side = game.board.size
    pass_ = side * side
    turns: list[int] = []
    for colour, point in [*_setup(game.handicap, game.white), *game.moves]:
        _hand_over(turns, colour, pass_)
        turns.append(pass_ if point is None else point)
    if (BLACK, WHITE)[len(turns) % 2] != mover:
        _hand_over(turns, mover, pass_)
    return turns


def _hand_over(turns: list[int], colour: int, pass_: int) -> None:
    """Makes it `colour`'s turn to go on."""
    if (BLACK, WHITE)[len(turns) % 2] != colour:
        turns.append(pass_)
    if turns[-2:] == [pass_, pass_]:
        del turns[-2:]


# ----------------------------------------------------------------- handicaps


def fixed_handicap(size: int, stones: int) -> list[int]:
    """The traditional points of a handicap.

    Raises:
        ValueError: if there are none for so many stones on such a board.
    """
    maximum = 0 if size < 7 else 4 if size % 2 == 0 or size == 7 else 9
    if not 2 <= stones <= maximum:
        raise ValueError("invalid number of stones")
    low = 3 if size >= 13 else 2
    high, middle = size - 1 - low, size // 2
    corners = [(high, low), (low, high), (low, low), (high, high)]  # (row from above, column)
    sides = [(middle, low), (middle, high), (low, middle), (high, middle)]
    chosen = corners[: min(stones, 4)] + sides[: (stones - 4) // 2 * 2 if stones > 5 else 0]
    if stones % 2 and stones > 3:
        chosen.append((middle, middle))
    return [row * size + column for row, column in chosen]


def free_handicap(size: int, stones: int) -> list[int]:
    """Points for a handicap: the traditional ones, or fewer where there are not so many.

    Raises:
        ValueError: if it is no handicap, or the board has no traditional points.
    """
    if not 2 <= stones < size * size:
        raise ValueError("invalid number of stones")
    if size < 7:  # no tradition: the corners of the inner square
        near, far = 1, size - 2
        points = [(far, near), (near, far), (near, near), (far, far)][: min(stones, 4)]
        return [row * size + column for row, column in points]
    return fixed_handicap(size, min(stones, 4 if size % 2 == 0 or size == 7 else 9))
