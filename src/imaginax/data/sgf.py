"""Records of Go games in the Smart Game Format, FF[1] to FF[4]: reading of main lines, and writing.

The format: https://www.red-bean.com/sgf/. Read are size, komi, rules, result, handicap, players, stones set
up or taken off, the player to move and the moves of the main line. Where one of these makes no sense the game
is left out, and the line is named.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from imaginax.data import sgf_trees, sgf_values
from imaginax.data.sgf_trees import Node, Property, Tree, decode, quoted
from imaginax.data.sgf_values import Point
from imaginax.types import ConfigError

__all__ = ["Change", "Move", "Record", "decode", "games", "load", "parse", "read", "text", "winner"]

Colour = Literal["B", "W"]

_log = logging.getLogger(__name__)
_PLAYERS: dict[str, Colour] = {"B": "B", "W": "W", "1": "B", "2": "W"}
_WON = re.compile(
    r"(?:(?P<B>B(?:LACK)?|黑|黒|흑)|(?P<W>W(?:HITE)?|白|백))\s*"
    r"(?:\+|WINS?|WON|[^黑黒흑白백负負败敗패]{0,6}(?:胜|勝|赢|贏|승))"
)
_DRAWN = ("0", "DRAW", "JIGO", "和棋", "和局", "平局", "持碁", "持棋", "ジゴ", "무승부", "빅")


class Move(NamedTuple):
    """A stone, or where `point` is None a pass."""

    colour: Colour
    point: Point | None


class Change(NamedTuple):
    """What a node does to a position other than by a move.

    Attributes:
        before: how many moves have been made.
        stones: set up.
        removed: points that become empty.
        mover: the player to move, None where the node does not say.
    """

    before: int
    stones: tuple[Move, ...] = ()
    removed: tuple[Point, ...] = ()
    mover: Colour | None = None


class Record(NamedTuple):
    """One game.

    Attributes:
        moves: of the main line.
        size: of the board.
        komi: points that White is given, None if unknown.
        result: as written: `B+3.5`, `W+Resign`, `0` for a draw, empty if unknown.
        rules: as written.
        handicap: stones that Black was given; they are in `setup`.
        setup: stones on the board before the first move.
        black: player's name.
        white: player's name.
        mover: the player to move first, None where the record does not say.
        changes: to the position between and after moves.
    """

    moves: tuple[Move, ...]
    size: int = 19
    komi: float | None = None
    result: str = ""
    rules: str = ""
    handicap: int = 0
    setup: tuple[Move, ...] = ()
    black: str = ""
    white: str = ""
    mover: Colour | None = None
    changes: tuple[Change, ...] = ()


def winner(result: str) -> int | None:
    """1 if a result says that Black won, -1 White, 0 for a draw, None if it says neither."""
    text = result.strip().upper()
    if text in _DRAWN:
        return 0
    match = _WON.match(text)
    return None if match is None else 1 if match["B"] else -1


# ----------------------------------------------------------------- reading


def read(path: Path | str) -> list[Record]:
    """The games of a file. Those that cannot be read are logged and left out.

    Raises:
        ConfigError: if the file cannot be read, or no game in it; it names the file and the line.
    """
    return _kept(games(load(path), str(path)))


def parse(text: str, name: str = "SGF") -> list[Record]:
    """The games in a text, as `read`; `name` is that of the file, for error messages.

    Raises:
        ConfigError: if there is no game that can be read; it names the file and the line.
    """
    return _kept(games(text, name))


def load(path: Path | str) -> str:
    """The text of a file.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        return decode(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def games(text: str, name: str = "SGF") -> Iterator[Record | ConfigError]:
    """Each game in a text, or the error that says with its line why it cannot be read."""
    for tree in sgf_trees.trees(text, name):
        try:
            yield tree if isinstance(tree, ConfigError) else _record(tree, name)
        except ConfigError as error:
            yield error


def _kept(found: Iterable[Record | ConfigError]) -> list[Record]:
    found = list(found)
    records = [record for record in found if isinstance(record, Record)]
    for fault in found:
        if isinstance(fault, ConfigError):
            if not records:
                raise fault
            _log.warning("%s; this game is left out", fault)
    return records


def _record(tree: Tree, name: str) -> Record:
    info: dict[str, Property] = {}  # where a property stands first
    for node in tree.nodes:
        for one in node:
            info.setdefault(one.name, one)
    value = {key: sgf_values.unescaped(one.values[0]) for key, one in info.items()}
    place = {key: f"{name}, line {one.line}" for key, one in info.items()}
    if (game := value.get("GM", "").strip() or "1") != "1":
        raise ConfigError(f"{place['GM']}: {quoted('GM', game)} is not Go, which is GM[1]")
    size = sgf_values.size(value.get("SZ", ""), place.get("SZ", ""))
    fox = "foxwq" in value.get("AP", "").lower()
    moves, setup, mover, changes = _line(tree.nodes, size, name)
    return Record(
        moves=moves,
        size=size,
        komi=sgf_values.komi(value.get("KM", ""), size, place.get("KM", ""), fox=fox),
        result=value.get("RE", "").strip(),
        rules=value.get("RU", "").strip(),
        handicap=sgf_values.handicap(value.get("HA", ""), place.get("HA", "")),
        setup=tuple(Move(colour, point) for point, colour in setup.items()),
        black=value.get("PB", ""),
        white=value.get("PW", ""),
        mover=mover,
        changes=changes,
    )


def _line(
    nodes: list[Node], size: int, name: str
) -> tuple[tuple[Move, ...], dict[Point, Colour], Colour | None, tuple[Change, ...]]:
    """The moves of a main line, the stones and the player to move before the first one, and later changes."""
    moves: list[Move] = []
    setup: dict[Point, Colour] = {}
    mover, changes = None, []
    for node in nodes:
        change = _change(node, len(moves), size, name)
        if change and moves:
            changes.append(change)
        elif change:
            setup = {point: colour for point, colour in setup.items() if point not in change.removed}
            setup |= {point: colour for colour, point in change.stones if point is not None}
            mover = change.mover or mover
        for one in node:
            if one.name in ("B", "W"):
                place = f"{name}, line {one.line}"
                moves += [Move(one.name, sgf_values.point(value, size, place)) for value in one.values]
    return tuple(moves), setup, mover, tuple(changes)


def _change(node: Node, before: int, size: int, name: str) -> Change | None:
    """What the setup properties of a node do, which come before a move in it; None if there are none."""
    found: dict[Point, str] = {}
    mover: Colour | None = None
    for one in node:
        place = f"{name}, line {one.line}"
        if one.name in ("AB", "AW", "AE"):
            points = [point for value in one.values for point in sgf_values.rectangle(value, size, place)]
            if twice := [point for point in points if found.get(point, one.name) != one.name]:
                raise ConfigError(f"{place}: one node sets {_written(twice[0], size)} up in two ways")
            found |= dict.fromkeys(points, one.name)
        elif one.name == "PL" and one.values[0].strip():
            mover = _PLAYERS.get(one.values[0].strip().upper()[:1])
            if mover is None:
                raise ConfigError(f"{place}: {quoted('PL', one.values[0])} is no player")
    if not found and mover is None:
        return None
    stones = tuple(Move("B" if by == "AB" else "W", point) for point, by in found.items() if by != "AE")
    return Change(before, stones, tuple(point for point, by in found.items() if by == "AE"), mover)


# ----------------------------------------------------------------- writing


def text(record: Record) -> str:
    """A record as a game tree in UTF-8, with a newline at its end.

    Raises:
        ConfigError: for a point off the board.
    """
    fields = {"PB": record.black, "PW": record.white, "RU": record.rules, "RE": record.result}
    head = f"GM[1]FF[4]CA[UTF-8]SZ[{record.size}]"
    head += "" if record.komi is None else f"KM[{record.komi:g}]"
    head += f"HA[{record.handicap}]" if record.handicap else ""
    head += "".join(f"{name}[{_escaped(value)}]" for name, value in fields.items() if value)
    head += _changed(Change(0, record.setup, (), record.mover), record.size)
    nodes = [f";{move.colour}[{_written(move.point, record.size)}]" for move in record.moves]
    for change in reversed(record.changes):
        nodes.insert(change.before, f";{_changed(change, record.size)}")
    lines = ["".join(nodes[i : i + 10]) for i in range(0, len(nodes), 10)]
    return "\n".join([f"(;{head}", *lines]) + ")\n"


def _changed(change: Change, size: int) -> str:
    """The setup properties of a node."""
    points: dict[str, list[Point | None]] = {"AB": [], "AW": [], "AE": list(change.removed)}
    for colour, point in change.stones:
        points[f"A{colour}"].append(point)
    values = {
        name: "".join(f"[{_written(point, size)}]" for point in those) for name, those in points.items()
    }
    found = "".join(name + value for name, value in values.items() if value)
    return found + (f"PL[{change.mover}]" if change.mover else "")


def _written(point: Point | None, size: int) -> str:
    if point is None:
        return ""
    if not all(0 <= number < min(size, len(sgf_values.LETTERS)) for number in point):
        raise ConfigError(f"{point} is no point of a board of {size} lines")
    row, column = point
    return sgf_values.LETTERS[column] + sgf_values.LETTERS[row]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("]", "\\]")
