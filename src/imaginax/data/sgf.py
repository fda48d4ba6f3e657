"""Records of Go games in the Smart Game Format, FF[4]: reading of main lines, and writing.

The format: https://www.red-bean.com/sgf/. A file holds game trees; each is nodes of properties with values in
brackets. Read are size, komi, rules, result, handicap, players, stones set up and the moves of the main line.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from imaginax.types import ConfigError

Colour = Literal["B", "W"]
Point = tuple[int, int]  # row and column, from the upper left corner
Node = dict[str, list[str]]

_LETTERS = string.ascii_letters  # coordinates: a-z, then A-Z
_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[();])|(?P<name>[A-Za-z]+)|\[(?P<value>(?:\\.|[^\]\\])*)\]|(?P<bad>\S))", re.S
)
_END = re.compile(r"\s*\Z")


class Move(NamedTuple):
    """A stone, or where `point` is None a pass."""

    colour: Colour
    point: Point | None


class Record(NamedTuple):
    """One game.

    Attributes:
        moves: of the main line.
        size: of the board.
        komi: points that White is given.
        result: as written: `B+3.5`, `W+Resign`, `0` for a draw, empty if unknown.
        rules: as written.
        handicap: stones that Black was given; they are in `setup`.
        setup: stones set up before or between moves.
        black: player's name.
        white: player's name.
    """

    moves: tuple[Move, ...]
    size: int = 19
    komi: float = 0.0
    result: str = ""
    rules: str = ""
    handicap: int = 0
    setup: tuple[Move, ...] = ()
    black: str = ""
    white: str = ""


def winner(result: str) -> int | None:
    """1 if a result says that Black won, -1 White, 0 for a draw, None if it says neither."""
    text = result.strip().upper()
    if text.startswith(("B+", "W+")):
        return 1 if text[0] == "B" else -1
    return 0 if text in ("0", "DRAW", "JIGO") else None


# ----------------------------------------------------------------- reading


def read(path: Path | str) -> list[Record]:
    """The games of a file.

    Raises:
        ConfigError: if it cannot be read or is malformed; it names the file and the line.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    return parse(decode(data), str(path))


def decode(data: bytes) -> str:
    """The text of a file, whose encoding few files name: UTF-8, or else Latin-1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse(text: str, name: str = "SGF") -> list[Record]:
    """The games in a text.

    Args:
        text: one or more game trees.
        name: of the file, for error messages.

    Raises:
        ConfigError: if it is malformed; it names the file and the line.
    """
    return [_record(nodes, f"{name}, line {line}") for line, nodes in _main_lines(text, name)]


def _main_lines(text: str, name: str) -> Iterator[tuple[int, list[Node]]]:
    """The line where each game tree begins, and the nodes of its main line: of the first variations."""
    nodes: list[Node] = []
    open_trees: list[bool] = []  # whether each one around this place has had a variation
    skipped, begun, values = (
        0,
        0,
        None,
    )  # of the trees around, those in side lines; line; of the last property
    for token, line in _tokens(text, name):
        place = f"{name}, line {line}"
        if token in ("(", ")", ";"):
            values = None
        if token == "(":
            if skipped or (open_trees and open_trees[-1]):
                skipped += 1
            elif open_trees:
                open_trees[-1] = True
            else:
                nodes, begun = [], line
            open_trees.append(False)
        elif not open_trees:
            raise ConfigError(f"{place}: a game tree begins with (, got {_short(token)}")
        elif token == ")":
            open_trees.pop()
            skipped -= skipped > 0
            if not open_trees:
                yield begun, nodes
        elif skipped:
            continue
        elif token == ";":
            nodes.append({})
        elif token[0] != "[":
            if not nodes:
                raise ConfigError(f"{place}: property {_short(token)} stands before the first node (;)")
            values = nodes[-1].setdefault("".join(filter(str.isupper, token)), [])
        elif values is None:
            raise ConfigError(f"{place}: value {_short(token)} belongs to no property")
        else:
            values.append(token[1:])
    if open_trees:
        raise ConfigError(f"{name}: it ends inside a game tree: ) is missing")


def _tokens(text: str, name: str) -> Iterator[tuple[str, int]]:
    """`(`, `)`, `;`, names of properties, and values with a [ in front; each with its line."""
    start = text.find("(")
    if start < 0:
        raise ConfigError(f"{name}: no game tree: ( is missing")
    place, line = start, 1 + text.count("\n", 0, start)
    while not _END.match(text, place):
        match = _TOKEN.match(text, place)
        line += text.count("\n", place, match.start(match.lastgroup)) if match and match.lastgroup else 0
        if match is None or match["bad"]:
            rest = text[place:].lstrip()
            what = "a value without ]" if rest[0] == "[" else _short(rest)
            raise ConfigError(f"{name}, line {line}: {what} cannot be read")
        kind = str(match.lastgroup)
        yield ("[" if kind == "value" else "") + match[kind], line
        line += text.count("\n", match.start(kind), match.end())
        place = match.end()


def _short(text: str) -> str:
    return repr(text if len(text) < 20 else text[:17] + "...")


def _record(nodes: list[Node], place: str) -> Record:
    if not nodes:
        raise ConfigError(f"{place}: the game tree has no node (;)")
    root = nodes[0]
    text = {name: _unescaped((root.get(name) or [""])[0]) for name in ("RE", "RU", "PB", "PW", "SZ")}
    size = _size(text["SZ"], place)
    if (game := (root.get("GM") or ["1"])[0].strip()) != "1":
        raise ConfigError(f"{place}: GM[{game}] is not Go, which is GM[1]")
    moves, setup = [], []
    for node in nodes:
        for name, values in node.items():
            if name in ("B", "W"):
                moves += [Move(name, _point(value, size, place)) for value in values]
            elif name in ("AB", "AW"):
                points = [point for value in values for point in _rectangle(value, size, place)]
                setup += [Move("B" if name == "AB" else "W", point) for point in points]
    return Record(
        moves=tuple(moves),
        size=size,
        komi=_number(root, "KM", place),
        result=text["RE"].strip(),
        rules=text["RU"].strip(),
        handicap=int(_number(root, "HA", place)),
        setup=tuple(setup),
        black=text["PB"],
        white=text["PW"],
    )


def _size(text: str, place: str) -> int:
    columns, _, rows = (text.strip() or "19").partition(":")
    if not columns.isdecimal() or not 1 <= int(columns) <= len(_LETTERS) or rows not in ("", columns):
        raise ConfigError(f"{place}: SZ[{text}] is no square board of 1 to {len(_LETTERS)} lines")
    return int(columns)


def _number(node: Node, name: str, place: str) -> float:
    text = (node.get(name) or [""])[0].strip()
    if not re.fullmatch(r"([+-]?(\d+(\.\d*)?|\.\d+))?", text):
        raise ConfigError(f"{place}: {name}[{text}] is no number")
    return float(text or 0)


def _point(value: str, size: int, place: str) -> Point | None:
    """Of a move; None for a pass, which FF[3] wrote as tt."""
    text = value.strip()
    if not text or (text == "tt" and size <= 19):
        return None
    numbers = [_LETTERS.find(letter) for letter in text]
    if len(numbers) != 2 or not all(0 <= number < size for number in numbers):
        raise ConfigError(f"{place}: {_short(text)} is no point of a board of {size} lines")
    column, row = numbers
    return row, column


def _rectangle(value: str, size: int, place: str) -> list[Point]:
    """The points of `aa`, or of `aa:cc`: all between two corners."""
    corners = [_point(corner, size, place) for corner in value.split(":")]
    first, last = corners[0], corners[-1]
    if first is None or last is None or len(corners) > 2:
        raise ConfigError(f"{place}: {_short(value)} is no point of a board of {size} lines")
    return [(row, column) for row in range(first[0], last[0] + 1) for column in range(first[1], last[1] + 1)]


def _unescaped(value: str) -> str:
    """A backslash keeps the next character as it is; before the end of a line both vanish."""
    return re.sub(r"\\(\r\n|\n\r|.)", lambda match: match[1].strip("\r\n"), value, flags=re.S)


# ----------------------------------------------------------------- writing


def text(record: Record) -> str:
    """A record as a game tree, with a newline at its end.

    Raises:
        ConfigError: for a point off the board.
    """
    fields = {"PB": record.black, "PW": record.white, "RU": record.rules, "RE": record.result}
    head = f"GM[1]FF[4]CA[UTF-8]SZ[{record.size}]KM[{record.komi:g}]"
    head += f"HA[{record.handicap}]" if record.handicap else ""
    head += "".join(f"{name}[{_escaped(value)}]" for name, value in fields.items() if value)
    for colour in ("B", "W"):
        stones = [_written(move, record.size) for move in record.setup if move.colour == colour]
        head += f"A{colour}" + "".join(stones) if stones else ""
    moves = [f";{move.colour}{_written(move, record.size)}" for move in record.moves]
    lines = ["".join(moves[i : i + 10]) for i in range(0, len(moves), 10)]
    return "\n".join([f"(;{head}", *lines]) + ")\n"


def _written(move: Move, size: int) -> str:
    if move.point is None:
        return "[]"
    if not all(0 <= number < min(size, len(_LETTERS)) for number in move.point):
        raise ConfigError(f"{move.point} is no point of a board of {size} lines")
    row, column = move.point
    return f"[{_LETTERS[column]}{_LETTERS[row]}]"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("]", "\\]")
