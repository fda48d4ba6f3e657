r"""The encoding of a text file: as declared or marked, or else the most likely one.

In Big5, GBK and Shift-JIS the second byte of a character can be [ \ ] { or }, so files are decoded before
their brackets are looked for. Undeclared encodings are told apart by naive Bayes: the everyday characters
of each are taken as equally likely, and every other one as e^-5 times as likely.
"""

from __future__ import annotations

import codecs
import collections
import math
from collections.abc import Callable

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SUPERSETS = {  # what files that name the left one were written in
    "ascii": "utf-8",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
}
_SAMPLE = 2**16  # bytes that an encoding is told by
_DECLARED = 8.0  # log of the prior odds of a declaration, or of UTF-8 where there is none
_UNUSUAL = 5.0
_NO_TEXT = 25.0
_MARKS_OF_TEXT = "‘’“”–—…«»°·"


def decode(data: bytes, declared: str = "") -> str:
    """The text of a file; bytes that are no text become U+FFFD."""
    return data.decode(detect(data, declared), "replace")


def detect(data: bytes, declared: str = "") -> str:
    """Python's name of the encoding of a text.

    Args:
        data: the file, or its beginning up to the end of a line.
        declared: encoding that the file names. It is not taken for granted: programs write files again in
            another encoding and leave the name as it was.
    """
    for mark, codec in _MARKS.items():
        if data.startswith(mark):
            return codec
    stated = _codec(declared)
    if data.isascii():  # nothing to tell by, but for encodings of 7 bits
        return stated or ("iso2022_jp_ext" if b"\x1b$" in data else "utf-8")
    sample = b"\n".join(line for line in data.split(b"\n") if not line.isascii())[:_SAMPLE]
    known = dict.fromkeys([stated or "utf-8", *_COSTS])
    return min(known, key=lambda codec: _surprise(sample, codec) - _DECLARED * (codec == (stated or "utf-8")))


def _codec(name: str) -> str:
    """Python's name of a declared encoding; empty where it has none, or is no extension of ASCII."""
    try:
        codec = codecs.lookup(name.strip().lower().removeprefix("x-")).name
        plain = b"CA[\\]".decode(codec, "replace") == "CA[\\]"
    except (LookupError, UnicodeError, ValueError):
        return ""
    return _SUPERSETS.get(codec, codec) if plain else ""


def _surprise(sample: bytes, codec: str) -> float:
    """Minus the log of the probability of a text in an encoding."""
    found = collections.Counter(char for char in sample.decode(codec, "replace") if not char.isascii())
    cost, rare = _COSTS.get(codec, _other), 6.0 * (codec == "euc_jp")  # Japanese files are in Shift-JIS
    return rare + sum(
        number * (_NO_TEXT if char == "\ufffd" else cost(char)) for char, number in found.items()
    )


def _double(narrow: str, everyday: tuple[int, ...], count: int) -> Callable[[str], float]:
    """The cost of a character of two bytes; `everyday` are the first ones, in the `narrow` encoding."""

    def cost(char: str) -> float:
        data = char.encode(narrow, "ignore")
        return math.log(count) + _UNUSUAL * (len(data) != 2 or data[0] not in everyday)

    return cost


def _japanese(char: str) -> float:
    """Of kana, as many as kanji; everyday kanji are those of level 1."""
    data = char.encode("shift_jis", "ignore")
    if len(data) == 2 and data[0] in (0x82, 0x83):
        return math.log(2 * 180)
    return math.log(2 * 3000) + _UNUSUAL * (len(data) != 2 or data[0] not in (0x81, *range(0x88, 0x99)))


def _korean(char: str) -> float:
    """Of a syllable; those of simple vowels and of single consonants are the everyday ones."""
    onset, rest = divmod(ord(char) - ord("가"), 21 * 28)
    if not 0 <= onset < 19:
        return math.log(1000) + _UNUSUAL
    vowel, coda = divmod(rest, 28)
    simple = onset not in (1, 4, 8, 10, 13) and vowel in _VOWELS and coda in _CODAS
    within = char.encode("euc_kr", "ignore")[:1]
    return math.log(1000) + _UNUSUAL * (0 if simple else 0.6 if within else 1)


def _latin(char: str) -> float:
    """Of a letter with an accent; nine in ten letters have none."""
    usual = (char.isalpha() and "À" <= char <= "ÿ") or char in _MARKS_OF_TEXT
    return math.log(600) + _UNUSUAL * (not usual) + _UNUSUAL * (not char.isprintable())


def _unicode(char: str) -> float:
    return math.log(600 if char < "\u0370" else 20_000)


def _other(char: str) -> float:
    return math.log(200)


_VOWELS, _CODAS = (0, 1, 4, 5, 6, 8, 13, 18, 20), (0, 1, 4, 8, 16, 17, 19, 20, 21)  # by Unicode's numbers
_COSTS: dict[str, Callable[[str], float]] = {
    "utf-8": _unicode,
    "gb18030": _double("gb2312", (0xA1, 0xA3, *range(0xB0, 0xD8)), 3900),  # level 1
    "big5hkscs": _double("big5", (*range(0xA1, 0xC7),), 5800),  # level 1
    "cp932": _japanese,
    "euc_jp": _japanese,
    "cp949": _korean,
    "cp1252": _latin,
    "latin-1": _latin,
}
