"""The game trees in an SGF text: the properties of each main line, or what is wrong with the tree.

A file may hold several trees, with any text before, between and after them. One that is malformed does not
spoil those that follow: the next one begins where a node has a root property.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from imaginax.data import encodings
from imaginax.types import ConfigError

_VALUE = r"\[(?P<value>(?:[^\]\\]++|\\.)*+)\]"
_VALUES = re.compile(_VALUE, re.S)
_PROPERTY = r"[A-Za-z]++\s*+(?:\[(?:[^\]\\]++|\\.)*+\]\s*+)++"
_NAMES = "FF|GM|SZ|CA|AP|PB|PW|KM"  # of properties of a root, in no other node
_TOKEN = re.compile(rf"\s*+(?:(?P<mark>[();])|(?P<property>{_PROPERTY}))", re.S)
_BEGIN = re.compile(r"\(\s*+(?:;|[A-Z]{1,2}\s*+\[)")  # the second form lacks its ;, which is an error
_ROOT = re.compile(rf"\(\s*+;\s*+(?:(?!(?:{_NAMES})\s*\[){_PROPERTY})*+(?:{_NAMES})\s*+\[", re.S)
_NODE = re.compile(r";\s*+[A-Z]{1,2}\s*+\[")
_UNCLOSED = re.compile(rf"(?:{_PROPERTY}|[A-Za-z]++\s*+)\[", re.S)
_DECLARED = re.compile(rb"(?P<begin>\(\s*;)|(?<![A-Za-z])CA\s*\[(?P<name>[^\]]{0,40})\]")
_NEWLINE = re.compile(r"\r\n?|\n")


class Property(NamedTuple):
    """A property of a node.

    Attributes:
        name: two capitals; FF[3] allowed small letters between them, which mean nothing.
        values: as written, with backslashes.
        line: where it stands.
    """

    name: str
    values: list[str]
    line: int


Node = list[Property]


class Tree(NamedTuple):
    """The nodes of a game's main line, which is made of first variations, and the line where it begins."""

    nodes: list[Node]
    line: int


def decode(data: bytes) -> str:
    """The text of a file. Each game may declare its own encoding (CA); see `data.encodings`."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return encodings.decode(data)
    cuts, declared, begin = [0], [""], 0
    for match in _DECLARED.finditer(data):
        if match["begin"]:
            begin = match.start()
        else:
            cuts.append(begin)
            declared.append(match["name"].decode("latin-1"))
    parts = zip(cuts, [*cuts[1:], len(data)], declared, strict=True)
    return "".join(encodings.decode(data[begin:end], name) for begin, end, name in parts)


def trees(text: str, name: str) -> Iterator[Tree | ConfigError]:
    """Each game tree of a text, or the error that says why it cannot be read.

    Args:
        text: of the file.
        name: of the file, for the errors, which name the line too.
    """
    source, place = _Source(text, name), 0
    while begin := _BEGIN.search(text, place):
        try:
            tree, place = _tree(source, begin.start())
            _check_between(source, place)
            yield tree
        except ConfigError as error:
            following = _ROOT.search(text, begin.end())
            place = following.start() if following else len(text)
            yield error
    if not _BEGIN.search(text):
        yield ConfigError(f"{name}: no game tree: (; is missing")


class _Source:
    """A text with its lines."""

    def __init__(self, text: str, name: str):
        self.text, self.name = text, name
        self._ends = [match.end() for match in _NEWLINE.finditer(text)]

    def line(self, place: int) -> int:
        return 1 + bisect.bisect_right(self._ends, place)

    def fail(self, place: int, what: str) -> NoReturn:
        raise ConfigError(f"{self.name}, line {self.line(place)}: {what}")


def _tree(source: _Source, begin: int) -> tuple[Tree, int]:
    """The tree that begins at a place, and the place after it."""
    nodes: list[Node] = []
    open_trees: list[bool] = []  # of each tree around this place: whether it has had a variation
    skipped, place = 0, begin  # how many of them are side lines
    while match := _TOKEN.match(source.text, place):
        start, place = match.start(match.lastgroup or 0), match.end()
        token = match["mark"]
        if token == "(":
            if open_trees and _ROOT.match(source.text, start):
                source.fail(start, f"a game begins inside the one of line {source.line(begin)}: ) is missing")
            if skipped or (open_trees and open_trees[-1]):
                skipped += 1
            elif open_trees:
                open_trees[-1] = True
            open_trees.append(False)
        elif token == ")":
            open_trees.pop()
            skipped -= skipped > 0
            if not open_trees:
                if not nodes:
                    source.fail(begin, "the game tree has no node (;)")
                return Tree(nodes, source.line(begin)), place
        elif skipped:
            continue
        elif token == ";":
            nodes.append([])
        elif not nodes:
            source.fail(start, f"property {short(match['property'])} stands before the first node (;)")
        else:
            nodes[-1].append(_property(match["property"], source.line(start)))
    _fail_at(source, place)


def _property(text: str, line: int) -> Property:
    name = text[: text.index("[")].strip()
    capitals = "".join(filter(str.isupper, name)) or name.upper()
    return Property(capitals, _VALUES.findall(text), line)


def _fail_at(source: _Source, place: int) -> NoReturn:
    """Says what stands at a place that is no token."""
    rest = source.text[place:].lstrip()
    start = len(source.text) - len(rest)
    if not rest:
        raise ConfigError(f"{source.name}: it ends inside a game tree: ) is missing")
    if _UNCLOSED.match(rest):
        source.fail(start, "a value without ]")
    if rest[0] == "[":
        source.fail(start, f"value {short(rest[1:])} belongs to no property")
    source.fail(start, f"{short(rest)} cannot be read")


def _check_between(source: _Source, place: int) -> None:
    """Refuses nodes that stand behind the end of their tree."""
    following = _BEGIN.search(source.text, place)
    if lost := _NODE.search(source.text, place, following.start() if following else len(source.text)):
        source.fail(lost.start(), "a node stands outside of every game tree: there is a ) too many")


def quoted(name: str, value: str) -> str:
    """A property as written, on one line, for an error message."""
    return f"{name}[{' '.join(value.split())[:20]}]"


def short(text: str) -> str:
    """A text in quotes for an error message, cut where it is long."""
    return repr(text if len(text) < 20 else text[:17] + "...")
