"""Names of games: `go_9x9`, `go_9x9_komi6.5`, `hex_7x7`, `chess` ..."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from imaginax.errors import ConfigError
from imaginax.registry import GAMES as NAMES

_PLAIN = tuple(name for name in NAMES if not name.startswith(("go", "hex_")))
_SIZED = re.compile(r"(go|hex)_(\d+)x(\d+)(?:_komi(\d+(?:\.\d+)?))?")
_SIZES = {"go": (5, 19), "hex": (3, 19)}

# Half a point below the result of best play, so that Black can just win: 25 points on 5x5 (van der Werf and
# others, Solving Go on Small Boards, 2003), and 4 and 9, which are not proven, on 6x6 and 7x7. With 7.5
# points Black would win 5x5 without effort.
_SMALL_BOARD_KOMI = {5: 24.5, 6: 3.5, 7: 8.5}


class GameName(NamedTuple):
    """What a name says.

    Attributes:
        kind: the family: go, hex, chess ...
        size: edge of the board of Go and Hex; 0 for a game of one size.
        komi: points that White gets in Go for moving second; 0 elsewhere.
    """

    kind: str
    size: int = 0
    komi: float = 0.0


def is_game(name: str) -> bool:
    """Whether a name is meant to be a board game's, be it right or wrong."""
    return name in _PLAIN or name.startswith(("go_", "hex_"))


def parse(name: str) -> GameName:
    """Kind, size and komi of the game called `name`.

    Komi is 7.5 unless the name says otherwise, on 5x5, 6x6 and 7x7 the half point below the result of
    best play. It has to end in a half, so that no game of Go is drawn.

    Raises:
        ConfigError: for an unknown game, a size out of range or a komi that allows draws.
    """
    if name in _PLAIN:
        return GameName(name, 11) if name == "hex" else GameName(name)
    match = _SIZED.fullmatch(name)
    if not match:
        near = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ConfigError(f"unknown game {name!r}{hint}; write go_NxN, go_NxN_komiK or hex_NxN")
    kind, size, komi = match[1], int(match[2]), match[4]
    low, high = _SIZES[kind]
    if match[2] != match[3] or not low <= size <= high:
        raise ConfigError(f"game {name!r}: the board must be square, from {low}x{low} to {high}x{high}")
    if kind == "hex":
        if komi:
            raise ConfigError(f"game {name!r}: Hex has no komi")
        return GameName(kind, size)
    points = float(komi) if komi else _SMALL_BOARD_KOMI.get(size, 7.5)
    if points % 1 != 0.5:
        raise ConfigError(f"game {name!r}: komi must end in .5, or games could be drawn")
    return GameName(kind, size, points)
