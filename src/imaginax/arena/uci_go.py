"""What UCI's `go` asks for, and how it is answered in numbers."""

from __future__ import annotations

import math
import re

from imaginax.arena import clock
from imaginax.arena.engine import SearchLimit

_NUMBERS = ("wtime", "btime", "winc", "binc", "movestogo", "movetime", "nodes", "depth", "mate")
_WORDS = ("infinite", "ponder")
_MOST = 10**9


class UciError(Exception):
    """A command that cannot be done; the message is what the client reads."""


def centipawns(value: float) -> int:
    """The score of an expected result in [-1, 1]: 400 log10((1 + v) / (1 - v)), within 1720 of 0."""
    value = min(max(value, -0.9999), 0.9999)
    return round(400 * math.log10((1 + value) / (1 - value)))


def settings_of(words: list[str]) -> tuple[dict[str, int], list[str]]:
    """The numbers and flags (as 1) after `go`, and the moves to search; what means nothing is skipped."""
    settings: dict[str, int] = {}
    moves: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if word in _NUMBERS:
            number = words[place] if place < len(words) else ""
            if re.fullmatch(r"[+-]?[0-9]{1,18}", number):
                settings[word] = min(max(int(number), -_MOST), _MOST)
                place += 1
        elif word in _WORDS:
            settings[word] = 1
        elif word == "searchmoves":
            while place < len(words) and words[place] not in (*_NUMBERS, *_WORDS):
                moves.append(words[place])
                place += 1
    return settings, moves


def limit_of(settings: dict[str, int], *, black: bool) -> SearchLimit:
    """How long to think; `black` says whose clock counts."""
    simulations = max(settings["nodes"], 1) if "nodes" in settings else None
    if "infinite" in settings or "ponder" in settings:
        return SearchLimit(simulations, endless=True)
    if "movetime" in settings:
        return SearchLimit(simulations, max(settings["movetime"], 0) / 1000)
    side = "btime" if black else "wtime"
    if side not in settings:
        return SearchLimit(simulations)
    increment = max(settings.get("binc" if black else "winc", 0), 0) / 1000
    left = max(settings[side], 0) / 1000
    return SearchLimit(simulations, clock.chess_seconds(left, increment, settings.get("movestogo")))


def whole(word: str, minimum: int, maximum: int, *, name: str = "value") -> int:
    """A number from its word.

    Raises:
        UciError: if it is none, or out of bounds.
    """
    try:
        value = int(word)
    except ValueError as error:
        raise UciError(f"{name} needs a whole number, got {word[:40]!r}") from error
    if not minimum <= value <= maximum:
        raise UciError(f"{name} must lie in [{minimum}, {maximum}], got {value}")
    return value
