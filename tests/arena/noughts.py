"""Tic-tac-toe once more, in plain Python: the referee and the exhaustive search that check the arena."""

from __future__ import annotations

import functools

Board = tuple[int, ...]  # of nine cells 0 empty, 1 of the player who began, 2 of the other
EMPTY: Board = (0,) * 9
LINES = ("012", "345", "678", "036", "147", "258", "048", "246")


def mover(board: Board) -> int:
    return 1 + sum(map(bool, board)) % 2


def legal(board: Board) -> list[int]:
    return [cell for cell in range(9) if board[cell] == 0]


def play(board: Board, cell: int) -> Board:
    assert board[cell] == 0, f"illegal move {cell} on {board}"
    return (*board[:cell], mover(board), *board[cell + 1 :])


def winner(board: Board) -> int:
    """1 or 2; 0 for a draw; -1 while the game goes on."""
    for line in LINES:
        marks = {board[int(cell)] for cell in line}
        if len(marks) == 1 and 0 not in marks:
            return marks.pop()
    return -1 if 0 in board else 0


def referee(moves: list[int]) -> tuple[int, int]:
    """Outcome for the player who began (1, 0, -1), and the length, of a game whose end -1 marks."""
    board, length = EMPTY, 0
    for cell in moves:
        if cell < 0:
            break
        assert winner(board) < 0, "a move after the end"
        board, length = play(board, cell), length + 1
    return {0: 0, 1: 1, 2: -1}[winner(board)], length


@functools.cache
def negamax(board: Board, depth: int) -> float:
    """The value for the player to move, `depth` plies deep; a win in n plies is worth 1 - n / 100."""
    if winner(board) == 0 or depth == 0 and winner(board) < 0:
        return 0.0
    if winner(board) > 0:
        return -1.0
    return max(later(-negamax(play(board, cell), depth - 1)) for cell in legal(board))


def later(value: float) -> float:
    """A value seen one ply earlier."""
    return value - (0.01 if value > 0 else -0.01 if value < 0 else 0.0)


@functools.cache
def random_play(board: Board = EMPTY) -> tuple[float, float, float]:
    """Probabilities that the player who began wins, draws and loses when all moves are random."""
    if (result := winner(board)) >= 0:
        return ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))[result]
    outcomes = [random_play(play(board, cell)) for cell in legal(board)]
    win, draw, loss = (sum(column) / len(outcomes) for column in zip(*outcomes, strict=True))
    return win, draw, loss


def positions(board: Board = EMPTY) -> set[Board]:
    """Every position that can be reached and is not over."""
    found, todo = set(), [board]
    while todo:
        board = todo.pop()
        if board not in found and winner(board) < 0:
            found.add(board)
            todo += [play(board, cell) for cell in legal(board)]
    return found


def moves_to(board: Board) -> list[int]:
    """Some moves that lead to a position and end no game before it, padded with -1 to nine."""
    order = _order(board)
    assert order is not None, board
    return order + [-1] * (9 - len(order))


@functools.cache
def _order(board: Board) -> list[int] | None:
    if board == EMPTY:
        return []
    last = 3 - mover(board)
    for cell in range(9):
        before = (*board[:cell], 0, *board[cell + 1 :])
        if board[cell] == last and winner(before) < 0 and (order := _order(before)) is not None:
            return [*order, cell]
    return None
