"""The lines of a motion file, and the one error that every fault in them becomes."""

from __future__ import annotations

import io
import logging
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from jaxtyping import Float

from imaginax.data import encodings
from imaginax.types import ConfigError

LARGEST_FILE = 512 * 2**20  # bytes; a minute of the CMU archive is 5 MB
_LONGEST_LINE = 2**20
_HEAD = 2**20  # bytes that the encoding is told by: all names of a skeleton
_LARGEST_NUMBER = 1e9
_log = logging.getLogger(__name__)
_COMMENT = re.compile(r"(^|\s)#.*", re.S)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class MotionFileError(ConfigError):
    """A malformed file; its one-line message names the file and the line."""


class Line(NamedTuple):
    """A line that is neither empty nor a comment.

    Attributes:
        words: of the line, at least one.
        number: of the line, from 1.
        name: of the file.
    """

    words: tuple[str, ...]
    number: int
    name: str

    def fail(self, what: str) -> NoReturn:
        """Raises MotionFileError: what is wrong with this line."""
        raise MotionFileError(f"{self.name}, line {self.number}: {what}")

    def tell(self, what: str) -> None:
        """Logs what is unusual about this line, which is read all the same."""
        _log.warning("%s, line %d: %s", self.name, self.number, what)

    def numbers(self, words: Sequence[str], expected: int, what: str) -> Float[np.ndarray, "N"]:
        """Some of the words as numbers.

        Raises:
            MotionFileError: if they are not `expected` finite numbers of at most 1e9.
        """
        if len(words) != expected:
            self.fail(f"{what} takes {plural(expected, 'number')}, got {len(words)}")
        return np.array([self._number(word, what) for word in words], np.float64)

    def whole(self, word: str, what: str) -> int:
        """A word as a whole number from 0 to 1e9.

        Raises:
            MotionFileError: if it is none.
        """
        if not re.fullmatch(r"\d{1,10}", word, re.ASCII) or int(word) > _LARGEST_NUMBER:
            self.fail(f"{what} must be a whole number, got {short(word)}")
        return int(word)

    def _number(self, word: str, what: str) -> float:
        number = float(word) if _NUMBER.fullmatch(word) else math.nan
        if not abs(number) <= _LARGEST_NUMBER:
            self.fail(f"{what}: {short(word)} is no number of at most {_LARGEST_NUMBER:g}")
        return number


def short(text: str) -> str:
    """A text in quotes for an error message, cut where it is long."""
    return repr(text if len(text) <= 24 else text[:21] + "...")


def plural(count: int, noun: str) -> str:
    """`1 number`, `3 numbers`."""
    return f"{count} {noun}" + "s" * (count != 1)


def spellings(names: Iterable[str]) -> dict[str, str]:
    """The name that is meant by each spelling: its own, or with small letters for capitals."""
    known = list(names)
    return {name.casefold(): name for name in known} | {name: name for name in known}


def read(path: Path | str) -> Iterator[Line]:
    """The lines of a file, one after the other. A `#` begins a comment; `data.encodings` tells the encoding.

    Raises:
        MotionFileError: if the file cannot be read, is no text or is too large.
    """
    path = Path(path)
    try:
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise MotionFileError(f"{path} has {size} bytes, more than {LARGEST_FILE}")
        with path.open("rb") as start:
            head = start.read(_HEAD)
        encoding = encodings.detect(head[: head.rfind(b"\n") + 1] or head)
        with path.open(encoding=encoding, errors="replace") as stream:
            yield from numbered(stream, str(path))
    except OSError as error:
        raise MotionFileError(f"{path} cannot be read: {error.strerror}") from None


def numbered(stream: io.TextIOBase, name: str) -> Iterator[Line]:
    """As `read`, from an open text; `name` is that of the file.

    Raises:
        MotionFileError: if it is no text or holds no line.
    """
    number, found = 0, False
    while text := stream.readline(_LONGEST_LINE):
        number += 1
        if len(text) == _LONGEST_LINE:
            raise MotionFileError(f"{name}, line {number}: longer than {_LONGEST_LINE} characters")
        if control := _CONTROL.search(text):
            raise MotionFileError(f"{name}, line {number}: {control[0]!r} is no text")
        if words := tuple(_COMMENT.sub("", text).split()):
            found = True
            yield Line(words, number, name)
    if not found:
        raise MotionFileError(f"{name}, line {number}: the file is empty")
