"""Positions as text: boards in letters for terminals, and FEN."""

from __future__ import annotations

import numpy as np

from imaginax.envs.games import pgx_games
from imaginax.envs.games.names import GameName, parse
from imaginax.types import ConfigError, State

_LETTERS = {
    "chess": "PNBRQK",
    "gardner_chess": "PNBRQK",
    "shogi": ("P", "L", "N", "S", "B", "R", "G", "K", "+P", "+L", "+N", "+S", "+B", "+R"),
    "animal_shogi": ("C", "E", "G", "L", "+C"),
}
_STONES = {"connect_four": "XO", "tic_tac_toe": "XO", "hex": "XO", "othello": "XO", "go": "XO"}


def text_board(name: str, state: State) -> str:
    """The board as lines of text, as the player who began sees it, with the names of rows and columns.

    The first player's stones are X and the second's O; pieces are capital and small letters, an empty
    point is a dot. Captured pieces and the player to move stand below.
    """
    game_name = parse(name)
    position = pgx_games.position(game_name)(state)
    squares = np.asarray(position.squares)
    rows, columns = squares.shape
    width = 2 if "shogi" in game_name.kind else 1
    names = "ABCDEFGHJKLMNOPQRST" if game_name.kind == "go" else "abcdefghijklmnopqrstuvwxyz"
    if game_name.kind == "connect_four":
        names = "1234567"
    margin = len(str(rows))
    header = " " * (margin + 1) + " ".join(names[column].rjust(width) for column in range(columns))
    lines = [header]
    for row in range(rows):
        number = row + 1 if game_name.kind in ("othello", "hex", "tic_tac_toe") else rows - row
        label = "" if game_name.kind == "connect_four" else str(number)
        cells = " ".join(_cell(game_name, int(code)).rjust(width) for code in squares[row])
        shift = " " * row if game_name.kind == "hex" else ""
        lines.append(f"{shift}{label.rjust(margin)} {cells}")
    if game_name.kind != "connect_four":
        lines.append((" " * rows if game_name.kind == "hex" else "") + header)
    held = [_hand(game_name, np.asarray(hand), mark) for mark, hand in enumerate(position.hands)]
    if any(held):
        lines.append("in hand: " + (" ".join(filter(None, held))))
    lines.append(f"to move: {_mover(game_name, int(position.seat))}")
    return "\n".join(lines)


def to_fen(name: str, state: State) -> str:
    """The position in FEN, as python-chess, Stockfish or Fairy-Stockfish read it.

    Raises:
        ConfigError: for a game that has no FEN.
    """
    game_name = parse(name)
    if game_name.kind not in _LETTERS:
        raise ConfigError(f"game {name} has no FEN; chess, gardner_chess, shogi and animal_shogi have")
    position, clocks = pgx_games.position(game_name)(state), pgx_games.clocks(game_name.kind, state)
    board = "/".join(_fen_row(game_name, row) for row in np.asarray(position.squares))
    turn = "wb"[int(position.seat)]
    if "shogi" in game_name.kind:
        hands = np.asarray(position.hands)
        held = _hand(game_name, hands[0], 0, all_letters=True) + _hand(
            game_name, hands[1], 1, all_letters=True
        )
        return f"{board}[{held or '-'}] {turn} {clocks.quiet} {clocks.move}"
    rights = "".join(letter for letter, right in zip("QKqk", clocks.castling, strict=True) if right)
    rights = "".join(sorted(rights)) or "-"
    row, column = clocks.en_passant
    target = f"{'abcdefgh'[column]}{8 - row}" if row >= 0 else "-"
    return f"{board} {turn} {rights} {target} {clocks.quiet} {clocks.move}"


def _cell(game_name: GameName, code: int) -> str:
    if code == 0:
        return "."
    if game_name.kind in _STONES:
        return _STONES[game_name.kind][code < 0]
    letter = _LETTERS[game_name.kind][abs(code) - 1]
    return letter if code > 0 else letter.lower()


def _fen_row(game_name: GameName, row: np.ndarray) -> str:
    text, empty = "", 0
    for code in row:
        if code == 0:
            empty += 1
            continue
        text += (str(empty) if empty else "") + _cell(game_name, int(code))
        empty = 0
    return text + (str(empty) if empty else "")


def _hand(game_name: GameName, hand: np.ndarray, seat: int, all_letters: bool = False) -> str:
    """Captured pieces: `3P` three pawns, or every letter of its own for FEN."""
    text = ""
    for code, count in enumerate(hand, start=1):
        letter = _cell(game_name, code if seat == 0 else -code)
        text += letter * count if all_letters else (f"{count}{letter}" if count else "")
    return text


def _mover(game_name: GameName, seat: int) -> str:
    if game_name.kind in ("go", "othello"):
        return ("Black (X)", "White (O)")[seat]
    if game_name.kind in _STONES:
        return "XO"[seat]
    return ("White (capitals)", "Black (small letters)")[seat]
