"""Moves as text, as each game's programs and players write them.

    Go                 GTP: A1 at the bottom left, no column I, pass
    chess              UCI: e2e4, e1g1, e7e8q
    Gardner chess      the same on 5x5, as Fairy-Stockfish's variant `gardner`
    shogi              as Fairy-Stockfish's `shogi` under UCI: c3c4, b8b2+, P@e5, with a1 at the bottom left
    animal shogi       as Fairy-Stockfish's `dobutsu`: b2b3, C@a2; a chick's promotion goes without saying
    connect four       the column, 1 to 7
    others             a1 at the top left; pass in Othello, swap in Hex

All functions take one concrete state.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import numpy as np

from imaginax.envs.games import pgx_games
from imaginax.envs.games.names import GameName, parse
from imaginax.types import State

_GO_COLUMNS = "ABCDEFGHJKLMNOPQRST"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PROMOTED = "rbn"
_PIECES = {
    "chess": r"[a-h][1-8][a-h][1-8][qrbn]?",
    "gardner_chess": r"[a-e][1-5][a-e][1-5][qrbn]?",
    "shogi": r"([a-i][1-9]){2}\+?|[PLNSBRG]@[a-i][1-9]",
    "animal_shogi": r"([a-c][1-4]){2}\+?|[CEG]@[a-c][1-4]",
}
_HINTS = {
    "chess": "e2e4, or e7e8q to promote",
    "gardner_chess": "a2a3, or a4a5q to promote",
    "shogi": "c3c4, b8b2+ to promote, or P@e5 to drop",
    "animal_shogi": "b2b3, or C@a2 to drop",
    "go": "a vertex such as D4, or pass",
    "connect_four": "a column, 1 to 7",
    "tic_tac_toe": "a square, a1 to c3",
    "othello": "a square, a1 to h8, or pass",
    "hex": "a cell such as c4, or swap",
}


def format_move(name: str, state: State, action: int | np.integer) -> str:
    """How `action` is written in the game called `name`, when `state` is the position before it."""
    return _writer(parse(name), state)(int(action))


def legal_moves(name: str, state: State) -> dict[str, int]:
    """Every legal action by the way it is written."""
    write = _writer(parse(name), state)
    actions = np.flatnonzero(np.asarray(state.legal_action_mask))
    return {write(int(action)): int(action) for action in actions}


def parse_move(name: str, state: State, text: str) -> int:
    """The legal action that is written `text`; capital and small letters are the same.

    Raises:
        ValueError: for what is no move of this game, and, in other words, for a move that is not legal here.
    """
    game_name = parse(name)
    wanted = _canonical(game_name.kind, text)
    if game_name.kind in _PIECES:
        readable = re.fullmatch(_PIECES[game_name.kind], wanted)
    else:
        readable = wanted in {_point(game_name, action) for action in range(state.legal_action_mask.size)}
    if not readable:
        raise ValueError(f"{text.strip()!r} is not a move of {name}: write {_HINTS[game_name.kind]}")
    moves = legal_moves(name, state)
    if wanted not in moves:
        raise ValueError(f"illegal move {text.strip()!r}")
    return moves[wanted]


def _writer(game_name: GameName, state: State) -> Callable[[int], str]:
    writers = {"chess": _chess_move, "gardner_chess": _chess_move, "shogi": _shogi_move}
    writers["animal_shogi"] = _animal_move
    if game_name.kind in writers:
        return functools.partial(writers[game_name.kind], _Board(game_name, state))
    return functools.partial(_point, game_name)


def _canonical(kind: str, text: str) -> str:
    text = text.strip()
    if kind == "go":
        return "pass" if text.lower() == "pass" else text.upper()
    piece, at, square = text.partition("@")
    return f"{piece.upper()}@{square.lower()}" if at else text.lower()


def _point(game_name: GameName, action: int) -> str:
    if game_name.kind == "connect_four":
        return str(action + 1)
    columns = {"tic_tac_toe": 3, "othello": 8}.get(game_name.kind, game_name.size)
    row, column = divmod(action, columns)
    if row >= columns:
        return "swap" if game_name.kind == "hex" else "pass"
    if game_name.kind == "go":
        return f"{_GO_COLUMNS[column]}{columns - row}"
    return f"{_LETTERS[column]}{row + 1}"


def _chess_move(board: _Board, action: int) -> str:
    source, target, promoted = pgx_games.chess_move(board.kind, action)
    text = board.name(source) + board.name(target)
    if board.piece(source) == 1 and target % board.rows == board.rows - 1:
        return text + (_PROMOTED[promoted] if promoted >= 0 else "q")
    return text


class _Board:
    """A position on the host, and its squares as pgx numbers them.

    pgx counts column by column, as the player to move sees the board: in shogi from the top right, in chess
    from the bottom left, where Black's board is mirrored and not turned.
    """

    def __init__(self, game_name: GameName, state: State):
        position = pgx_games.position(game_name)(state)
        self.kind = game_name.kind
        self.squares = np.asarray(position.squares)
        self.seat = int(position.seat)
        self.rows, self.columns = self.squares.shape

    def _place(self, place: int) -> tuple[int, int]:
        """Row and column of a square in `squares`, which are drawn for the first player."""
        column, row = divmod(place, self.rows)
        if "shogi" in self.kind:
            row, column = row, self.columns - 1 - column
            return (self.rows - 1 - row, self.columns - 1 - column) if self.seat else (row, column)
        return (row if self.seat else self.rows - 1 - row), column

    def piece(self, place: int) -> int:
        """The mover's piece there, from 1; 0 or less where he has none."""
        return int(self.squares[self._place(place)]) * (1 - 2 * self.seat)

    def name(self, place: int) -> str:
        row, column = self._place(place)
        return f"{_LETTERS[column]}{self.rows - row}"


# Of each of ten directions in which a piece may have come, a step back to where it stood: columns from the
# right, rows from the top, as the mover sees them.
_CAME_FROM = ((0, 1), (-1, 1), (1, 1), (-1, 0), (1, 0), (0, -1), (-1, -1), (1, -1), (-1, 2), (1, 2))


def _shogi_move(board: _Board, action: int) -> str:
    direction, target = divmod(action, 81)
    if direction >= 20:
        return f"{'PLNSBRG'[direction - 20]}@{board.name(target)}"
    step, row = _CAME_FROM[direction % 10]
    column, row = target // 9 + step, target % 9 + row
    while direction % 10 < 8 and board.piece(9 * column + row) <= 0:
        column, row = column + step, row + _CAME_FROM[direction % 10][1]
    promotes = "+" if direction >= 10 else ""
    return board.name(9 * column + row) + board.name(target) + promotes


# The eight directions of animal shogi in pgx's order: columns from the right, rows from the top.
_STEPS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def _animal_move(board: _Board, action: int) -> str:
    direction, place = divmod(action, 12)
    if direction >= 8:
        return f"{'CEG'[direction - 8]}@{board.name(place)}"
    column, row = place // 4 + _STEPS[direction][0], place % 4 + _STEPS[direction][1]
    promotes = "+" if board.piece(place) == 1 and row == 0 else ""
    return board.name(place) + board.name(4 * column + row) + promotes
