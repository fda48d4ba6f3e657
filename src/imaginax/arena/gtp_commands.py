"""The commands of GTP that are about a game; `arena.gtp` has those about the conversation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import imaginax
from imaginax.arena import clock as clocks
from imaginax.arena.clock import Clock
from imaginax.arena.go import board as goban
from imaginax.arena.go import game as go_game
from imaginax.arena.go.board import BLACK, EMPTY, WHITE
from imaginax.arena.go.session import GoSession

_COLOURS = {"b": BLACK, "black": BLACK, "w": WHITE, "white": WHITE}
_LARGEST = 1e6  # seconds, stones and points of komi that are still believed

Command = Callable[[GoSession, list[str]], str]


class GtpError(Exception):
    """A command that fails; the message is the answer."""


def word(words: list[str], place: int) -> str:
    """An argument.

    Raises:
        GtpError: if there are not so many.
    """
    if len(words) <= place:
        raise GtpError("syntax error")
    return words[place]


# -------------------------------------------------------------------- set-up


def _boardsize(session: GoSession, words: list[str]) -> str:
    if _integer(words, 0) != session.size:
        raise GtpError("unacceptable size")
    return _clear_board(session, words)


def _clear_board(session: GoSession, words: list[str]) -> str:
    del words
    session.clear()
    return ""


def _komi(session: GoSession, words: list[str]) -> str:
    session.set_komi(_number(words, 0))
    return ""


def _handicap(points: Callable[[int, int], list[int]]) -> Command:
    def command(session: GoSession, words: list[str]) -> str:
        stones = _integer(words, 0)
        if not session.game.untouched:
            raise GtpError("board not empty")
        try:
            session.clear(points(session.size, stones))
        except ValueError as error:
            raise GtpError(str(error)) from error
        return " ".join(goban.vertex(session.size, point) for point in session.game.handicap)

    return command


def _set_free_handicap(session: GoSession, words: list[str]) -> str:
    if not session.game.untouched:
        raise GtpError("board not empty")
    points = [point for word in words if (point := _point(session, word)) is not None]
    if not len(set(points)) == len(words) >= 2:
        raise GtpError("bad vertex list")
    try:
        session.clear(points)
    except ValueError as error:  # the whole board
        raise GtpError("bad vertex list") from error
    return ""


def _loadsgf(session: GoSession, words: list[str]) -> str:
    from imaginax.arena.go import records

    until = _integer(words, 1) if len(words) > 1 else None
    try:
        record = records.read(Path(word(words, 0)), session.size, until)
    except ValueError as error:
        raise GtpError(f"cannot load file: {' '.join(str(error).split())}") from error
    session.clear()
    session.game = record.game
    if record.komi is not None:
        session.set_komi(record.komi)
    return "black" if record.mover == BLACK else "white"


# ---------------------------------------------------------------------- play


def _play(session: GoSession, words: list[str]) -> str:
    colour = _colour(words)
    if word(words, 1).lower() == "resign":  # ends a game, changes no position
        return ""
    try:
        session.game = go_game.play(session.game, colour, _point(session, words[1]))
    except ValueError as error:
        raise GtpError("illegal move") from error
    return ""


def _genmove(session: GoSession, words: list[str]) -> str:
    return _named(session, session.generate(_colour(words)))


def _reg_genmove(session: GoSession, words: list[str]) -> str:
    return _named(session, session.choose(_colour(words)))


def _cleanup(session: GoSession, words: list[str]) -> str:
    return _named(session, session.generate(_colour(words), cleanup=True))


def _named(session: GoSession, chosen: int | str | None) -> str:
    return chosen if isinstance(chosen, str) else goban.vertex(session.size, chosen)


def _undo(session: GoSession, words: list[str]) -> str:
    del words
    try:
        session.game = go_game.undo(session.game)
    except ValueError as error:
        raise GtpError("cannot undo") from error
    return ""


# ---------------------------------------------------------------------- time


def _time_settings(session: GoSession, words: list[str]) -> str:
    main, period, stones = _number(words, 0), _number(words, 1), _integer(words, 2)
    if min(main, period, stones) < 0:
        raise GtpError("syntax error")
    if period > 0 and stones == 0:  # the specification's way to say: no limit
        session.set_clocks(None)
        return ""
    clock = Clock(main, period, stones if period else 0)
    session.set_clocks(clock if main else clocks.spend(clock, 0.0))
    return ""


def _kgs_time_settings(session: GoSession, words: list[str]) -> str:
    system = word(words, 0)
    if system == "none":
        session.set_clocks(None)
        return ""
    if system == "absolute":
        return _time_settings(session, [word(words, 1), "0", "0"])
    if system == "byoyomi":  # one move a period
        return _time_settings(session, [word(words, 1), word(words, 2), "1"])
    if system == "canadian":
        return _time_settings(session, words[1:])
    raise GtpError("syntax error")


def _time_left(session: GoSession, words: list[str]) -> str:
    colour, seconds, left = _colour(words), _number(words, 1), _integer(words, 2)
    if left < 0:
        raise GtpError("syntax error")
    session.set_time_left(colour, seconds, left)
    return ""


# ------------------------------------------------------------ the end of a game


def _final_score(session: GoSession, words: list[str]) -> str:
    del words
    return session.score()


def _final_status_list(session: GoSession, words: list[str]) -> str:
    status, board = word(words, 0), session.game.board
    if status not in ("alive", "seki", "dead"):
        raise GtpError("syntax error")
    _, dead, seki = session.settlement()
    alive = {point for point, cell in enumerate(board.cells) if cell != EMPTY} - dead - seki
    wanted = {"alive": alive, "dead": set(dead), "seki": set(seki)}[status]
    lines = []
    while wanted:
        members = goban.chain(session.size, board.cells, min(wanted))[0]
        lines.append(" ".join(goban.vertex(session.size, point) for point in sorted(members)))
        wanted -= members
    return "\n".join(lines)


def _showboard(session: GoSession, words: list[str]) -> str:
    del words
    return f"\n{goban.text(session.game.board)}"


# ----------------------------------------------------------------- arguments


def _number(words: list[str], place: int) -> float:
    try:
        value = float(word(words, place))
    except ValueError as error:
        raise GtpError("syntax error") from error
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise GtpError("syntax error")
    return value


def _integer(words: list[str], place: int) -> int:
    value = _number(words, place)
    if value != int(value):
        raise GtpError("syntax error")
    return int(value)


def _colour(words: list[str]) -> int:
    colour = _COLOURS.get(word(words, 0).lower())
    if colour is None:
        raise GtpError("invalid color or coordinate")
    return colour


def _point(session: GoSession, word: str) -> int | None:
    try:
        return goban.point_of(session.size, word)
    except ValueError as error:
        raise GtpError("invalid color or coordinate") from error


COMMANDS: dict[str, Command] = {
    "protocol_version": lambda session, words: "2",
    "version": lambda session, words: imaginax.__version__,
    "boardsize": _boardsize,
    "clear_board": _clear_board,
    "komi": _komi,
    "fixed_handicap": _handicap(go_game.fixed_handicap),
    "place_free_handicap": _handicap(go_game.free_handicap),
    "set_free_handicap": _set_free_handicap,
    "loadsgf": _loadsgf,
    "play": _play,
    "genmove": _genmove,
    "reg_genmove": _reg_genmove,
    "kgs-genmove_cleanup": _cleanup,
    "undo": _undo,
    "time_settings": _time_settings,
    "kgs-time_settings": _kgs_time_settings,
    "time_left": _time_left,
    "final_score": _final_score,
    "final_status_list": _final_status_list,
    "showboard": _showboard,
}
