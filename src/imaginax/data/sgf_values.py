"""The values of SGF properties, as points and numbers; one that makes no sense is an error with its place."""

from __future__ import annotations

import re
import string

from imaginax.data.sgf_trees import quoted, short
from imaginax.types import ConfigError

Point = tuple[int, int]  # row and column, from the upper left corner

LETTERS = string.ascii_letters  # coordinates: a-z, then A-Z
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_SIZE = re.compile(r"(\d{1,3})(?:\s*[:x]\s*(\d{1,3}))?", re.ASCII)
_LARGEST_KOMI = 100.0  # that servers allow
# Komi in stones, which count for two points each under Chinese rules, and what servers such as Fox write:
# hundredths of stones or of points.
_IN_STONES = {2.75: 5.5, 3.25: 6.5, 3.75: 7.5}
_HUNDREDTHS: dict[float, float] = {
    275: 5.5,
    325: 6.5,
    350: 7.0,
    375: 7.5,
    550: 5.5,
    650: 6.5,
    700: 7.0,
    750: 7.5,
    800: 8.0,
}


def size(text: str, place: str) -> int:
    """Lines of a board, 19 where the record does not say."""
    match = _SIZE.fullmatch(text.strip() or "19")
    rows, columns = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= rows == columns <= len(LETTERS):
        raise ConfigError(f"{place}: {quoted('SZ', text)} is no square board of 1 to {len(LETTERS)} lines")
    return rows


def handicap(text: str, place: str) -> int:
    """Stones, 0 where the record does not say."""
    if not re.fullmatch(r"\+?\d{0,4}", text.strip(), re.ASCII):
        raise ConfigError(f"{place}: {quoted('HA', text)} is no number of stones")
    return int(text.strip() or 0)


def komi(text: str, size: int, place: str, *, fox: bool) -> float | None:
    """In points; None where the record has none.

    Args:
        text: the number, perhaps with a decimal comma, or as Chinese servers write it (`_HUNDREDTHS`).
        size: of the board.
        place: for the error.
        fox: whether the record is of the Fox server, which also writes 50 for half a point.
    """
    if not text.strip():
        return None
    if not _NUMBER.fullmatch(plain := text.strip().replace(",", ".")):
        raise ConfigError(f"{place}: {quoted('KM', text)} is no number")
    komi = float(plain)
    komi = 0.5 if fox and komi == 50 else _IN_STONES.get(komi, _HUNDREDTHS.get(komi, komi))
    if abs(komi) > min(_LARGEST_KOMI, size * size):
        raise ConfigError(f"{place}: {quoted('KM', text)} cannot be the komi of a board of {size} lines")
    return komi


def point(value: str, size: int, place: str) -> Point | None:
    """Of a move; None for a pass, which FF[3] wrote as tt."""
    text = unescaped(value).strip()
    if not text or text.lower() == "pass" or (text == "tt" and size <= 19):
        return None
    numbers = [LETTERS.find(letter) for letter in text]
    if len(numbers) != 2 or not all(0 <= number < size for number in numbers):
        raise ConfigError(f"{place}: {short(text)} is no point of a board of {size} lines")
    column, row = numbers
    return row, column


def rectangle(value: str, size: int, place: str) -> list[Point]:
    """The points of `aa`, or of `aa:cc`: all between two corners."""
    corners = [point(corner, size, place) for corner in value.split(":")]
    first, last = corners[0], corners[-1]
    if first is None or last is None or len(corners) > 2:
        raise ConfigError(f"{place}: {short(value)} is no point of a board of {size} lines")
    rows, columns = (sorted(pair) for pair in zip(first, last, strict=True))
    return [
        (row, column) for row in range(rows[0], rows[1] + 1) for column in range(columns[0], columns[1] + 1)
    ]


def unescaped(value: str) -> str:
    """A backslash keeps the next character as it is; before the end of a line both vanish."""
    if "\\" not in value:
        return value
    return re.sub(r"\\(\r\n|\n\r|.)", lambda match: match[1].strip("\r\n"), value, flags=re.S)
