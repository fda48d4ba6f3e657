"""The solver against exhaustive search, published scores and a book."""

from __future__ import annotations

import functools
import importlib.util

import numpy as np
import pytest

from imaginax.arena.connect_four import Board, Book, Solver, aligned, board_of, completing
from imaginax.types import ConfigError

HAS_BOOK = importlib.util.find_spec("bitbully_databases") is not None
Grid = tuple[tuple[int, ...], ...]  # of each column the stones from below, 0 of the player who began


def wins(grid: Grid, side: int) -> bool:
    cells = {(c, r) for c, stones in enumerate(grid) for r, owner in enumerate(stones) if owner == side}
    steps = ((1, 0), (0, 1), (1, 1), (1, -1))
    return any(all((c + i * x, r + i * y) in cells for i in range(4)) for c, r in cells for x, y in steps)


@functools.cache
def exhaustive(grid: Grid) -> int:
    """The score for the player to move, by trying everything."""
    count = sum(map(len, grid))
    if count == 42:
        return 0
    best = -42
    for column in range(7):
        if len(grid[column]) < 6:
            after = drop(grid, column, count % 2)
            best = max(best, (43 - count) // 2 if wins(after, count % 2) else -exhaustive(after))
    return best


def random_games(rng, stones: int, count: int) -> list[list[int]]:
    """Games of random moves of which none wins."""
    found = []
    while len(found) < count:
        grid: Grid = ((),) * 7
        columns = []
        while len(columns) < stones:
            side = len(columns) % 2
            open_ended = [
                (column, after)
                for column in range(7)
                if len(grid[column]) < 6 and not wins(after := drop(grid, column, side), side)
            ]
            if not open_ended:
                break
            column, grid = open_ended[rng.integers(len(open_ended))]
            columns.append(column)
        if len(columns) == stones:
            found.append(columns)
    return found


def drop(grid: Grid, column: int, side: int) -> Grid:
    return (*grid[:column], (*grid[column], side), *grid[column + 1 :])


def as_grid(columns: list[int]) -> Grid:
    grid = [[] for _ in range(7)]
    for ply, column in enumerate(columns):
        grid[column].append(ply % 2)
    return tuple(map(tuple, grid))


@pytest.mark.parametrize(("stones", "count"), [(34, 60), (37, 60), (41, 30)])
def test_scores_and_values_are_those_of_exhaustive_search(stones, count):
    rng = np.random.default_rng(stones)
    solver, fresh = Solver(), Solver()
    seen = set()
    for columns in random_games(rng, stones, count):
        board, score = board_of(columns), exhaustive(as_grid(columns))
        assert solver.score(board) == score, columns
        assert fresh.value(board) == np.sign(score), columns
        moves = fresh.values(board)
        assert sorted(moves) == board.legal() and max(moves.values()) == np.sign(score)
        seen.add(int(np.sign(score)))
    assert len(seen) == 3 or stones == 41


def test_alignments_are_found_in_every_direction():
    """`aligned` and `completing` against the plain rules, on boards of random stones."""
    rng = np.random.default_rng(0)
    for columns in random_games(rng, 20, 60):
        board = board_of(columns)
        for column in board.legal():
            after = board.play(column)
            won = wins(as_grid([*columns, column]), len(columns) % 2)
            cell = after.stones ^ board.stones
            assert aligned(after.mine ^ after.stones) == won == bool(completing(*board) & cell)
            assert won <= board.wins_at_once()


def test_moves_that_cannot_be_played_are_refused():
    with pytest.raises(ValueError, match="column 4 cannot be played after 6 stones"):
        board_of([3] * 7)
    with pytest.raises(ValueError, match="column 1 cannot be played after 7 stones"):
        board_of([3, 0, 3, 0, 3, 0, 3, 0])
    assert board_of([3, 0, -1, -1]).count == 2
    assert Solver().value(board_of([3, 0, 3, 0, 3, 0, 3])) == -1


def test_a_published_position_of_the_middle_game():
    """Pons, "Solving Connect 4", part 2: two examples with their scores."""
    for text, score in (
        ("7422341735647741166133573473242566", 1),
        ("2252576253462244111563365343671351441", -1),
    ):
        board = board_of([int(column) - 1 for column in text])
        assert Solver().score(board) == score


class Toy(Book):
    """A book in which the player who is to move loses wherever column 1 is empty."""

    def __init__(self):
        self.asked = 0

    def value(self, mine, stones):
        self.asked += 1
        return -1 if not stones & 63 else 1


def test_a_book_answers_for_positions_with_twelve_stones():
    book = Toy()
    solver = Solver(book)
    board = board_of([3, 3, 3, 3, 3, 3, 2, 4, 2, 4, 5])
    assert not board.wins_at_once() and not any(board.play(c).wins_at_once() for c in board.legal())
    # twelve stones stand after one more move: the other side loses wherever column 1 stays empty
    assert solver.values(board) == {0: -1, 1: 1, 2: 1, 4: 1, 5: 1, 6: 1} and book.asked >= 6
    with pytest.raises(ValueError, match="values only"):
        solver.score(board)


def test_codes_of_a_book_are_found_mirrored_too():
    """A book of one drawn position, coded by hand: 12 stones in the first three columns."""
    columns = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    board = board_of(columns)
    text = "".join(_column(columns, column) for column in range(7)) + "0"
    assert len(text) == 32
    code = int(text, 2) - (1 << 32 if text[0] == "1" else 0)
    book = Book(np.array([code]), np.array([0]))
    assert book.value(*board) == 0
    assert book.value(*board_of([6 - column for column in columns])) == 0
    assert book.value(*board_of([6, *columns[1:], 0][:12])) == 1  # any other position is won


def _column(columns: list[int], wanted: int) -> str:
    """With 12 stones the player who began is to move: his stones are 10, the other's 11."""
    return "".join("11" if ply % 2 else "10" for ply, column in enumerate(columns) if column == wanted) + "0"


@pytest.mark.skipif(HAS_BOOK, reason="bitbully-databases is installed")
def test_a_missing_book_is_named():
    with pytest.raises(ConfigError, match=r"imaginax\[connect-four\]"):
        Book.load()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_BOOK, reason="bitbully-databases is not installed")
def test_the_first_moves_have_their_published_values():
    """Allis 1988: the centre wins, its neighbours draw, the others lose."""
    solver = Solver(Book.load())
    assert solver.values(Board()) == {0: -1, 1: -1, 2: 0, 3: 1, 4: 0, 5: -1, 6: -1}
    assert solver.value(board_of([3, 3])) == 1
