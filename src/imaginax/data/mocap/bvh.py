"""Skeletons with their motions in Biovision's format, BVH.

Conventions, with column vectors: a joint lies at its OFFSET in its parent's axes and turns what hangs on it,
G = G_parent R. `CHANNELS 3 Zrotation Xrotation Yrotation` is R = Rz Rx Ry. Position channels replace the
OFFSET in their axes; programs that add them agree where that OFFSET is 0, as it nearly always is. Channels
are called as in ASF: `Hips.tx`, `Hips.rz`. An end site is a joint called after its parent: `Toe end`.

The format: https://research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/BVH.html. It has no unit of length;
centimetres are usual. Files with several roots are not read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imaginax.data.mocap import lines
from imaginax.data.mocap.lines import Line, MotionFileError, plural, short
from imaginax.data.mocap.skeleton import AXES, Joint, Motion, Skeleton, assemble
from imaginax.types import ConfigError

CENTIMETRE = 0.01
_KINDS = {axis + "position": "t" + axis for axis in AXES} | {axis + "rotation": "r" + axis for axis in AXES}

_ALONE = ("HIERARCHY", "{", "}", "MOTION")
_KEYWORDS = (*_ALONE, "ROOT", "JOINT", "OFFSET", "CHANNELS")
_GLUED = re.compile(  # where a space may be missing
    r"(?i)(?<=[{}])|(?=[{}])|(?<=\boffset)(?=[-+.\d])|(?<=\bchannels)(?=\d)"
    r"|(?<=[\dn])(?=[xyz](?:position|rotation))|(?<=\bend)(?=site\b)"
)

Recording = tuple[Skeleton, Motion]


class _Open(NamedTuple):
    """A joint whose closing bracket has not come yet."""

    name: str
    parent: str
    end: bool  # whether it is an end site


class _Source:
    """The pieces of a file with a view to the next one."""

    def __init__(self, found: Iterable[Line], name: str) -> None:
        self._pieces = _pieces(iter(found))
        self._held: Line | None = None
        self.last = Line((), 1, name)

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        self.last, self._held = self._held or next(self._pieces), None
        return self.last

    def next_is(self, keyword: str) -> bool:
        """Whether the next piece begins with a keyword; it is not taken."""
        self._held = self._held or next(self._pieces, None)
        return self._held is not None and self._held.words[0] == keyword

    def take(self, wanted: str) -> Line:
        """The next piece.

        Raises:
            MotionFileError: where the file ends; it names what was wanted.
        """
        for line in self:
            return line
        raise MotionFileError(f"{self.last.name}, line {self.last.number}: the file ends before {wanted}")


def _pieces(found: Iterator[Line]) -> Iterator[Line]:
    """Each keyword with what belongs to it, and each brace; numbers line by line."""
    motion = False
    for line in found:
        if motion and not line.words[0].lower().startswith("frame"):
            yield line
            break
        for words in _split(" ".join(line.words)):
            yield line._replace(words=words)
            motion = motion or words == ("MOTION",)
    yield from found


def _split(text: str) -> Iterator[tuple[str, ...]]:
    """A line cut before keywords and around braces; keywords, but no names, become capitals."""
    words = _GLUED.sub(" ", text).split()
    piece: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        first = piece[0] if piece else ""
        named = piece in (["ROOT"], ["JOINT"]) and word not in ("{", "}")
        keyword = "" if named or word.upper() not in _KEYWORDS else word.upper()
        site = not named and (word + following).lower() == "endsite"
        time = first.lower().startswith("frames") and word.lower().startswith("frame")
        if piece and (keyword or site or time or first in _ALONE):
            yield tuple(piece)
            piece = []
        piece.append(keyword or word)
    if piece:
        yield tuple(piece)


def read(path: Path | str, *, metres: float = CENTIMETRE) -> Recording:
    """The skeleton and the motion in a file.

    Args:
        path: of the file.
        metres: per unit of length.

    Raises:
        MotionFileError: if the file cannot be read or is malformed; it names the file and the line.
        ConfigError: if `metres` is not positive.
    """
    return _recording(lines.read(path), str(path), metres)


def parse(text: str, *, metres: float = CENTIMETRE, name: str = "BVH") -> Recording:
    """The skeleton and the motion in a text; `name` is that of the file, for error messages.

    Raises:
        MotionFileError: if it is malformed; it names the file and the line.
        ConfigError: if `metres` is not positive.
    """
    return _recording(lines.numbered(io.StringIO(text), name), name, metres)


def _recording(found: Iterable[Line], name: str, metres: float) -> Recording:
    if not 0 < metres < np.inf:
        raise ConfigError(f"metres must be positive, got {metres}")
    source = _Source(found, name)
    line = source.take("HIERARCHY")
    if line.words != ("HIERARCHY",):
        line.fail(f"a BVH file starts with HIERARCHY, got {short(' '.join(line.words))}")
    skeleton = assemble(_joints(source), metres)
    return skeleton, _motion(source, skeleton)


# ----------------------------------------------------------------- hierarchy


def _joints(source: _Source) -> list[Joint]:
    """The joints in the order of the file: parents first. End sites are joints without channels."""
    joints: list[Joint] = []
    names: set[str] = set()
    around: list[_Open] = []
    while around or not joints:
        line = source.take(f"the closing bracket of {short(around[-1].name)}" if around else "ROOT")
        if line.words == ("}",) and around:
            around.pop()
            continue
        opened = _opened(line, around)
        if opened.end and opened.name in names:
            opened = opened._replace(name=f"{opened.name} {len(names)}")
        if opened.name in names:
            line.fail(f"there is already a joint {short(opened.name)}")
        names.add(opened.name)
        joints.append(_joint(source, opened))
        around.append(opened)
    if not any(joint.dof for joint in joints):
        line.fail("no joint has a channel")
    return joints


def _opened(line: Line, around: list[_Open]) -> _Open:
    """What a line begins: `ROOT name`, `JOINT name` or `End Site`."""
    keyword, name = line.words[0], " ".join(line.words[1:])
    parent = around[-1].name if around else ""
    wanted = "JOINT, End Site or }" if around else "ROOT"
    if around and around[-1].end:
        line.fail(f"an end site holds nothing but its OFFSET, got {short(' '.join(line.words))}")
    if keyword.lower() == "end" and around:
        return _Open(f"{parent} end", parent, end=True)
    if keyword != ("JOINT" if around else "ROOT"):
        line.fail(f"expected {wanted}, got {short(' '.join(line.words))}")
    if not name:
        line.fail(f"{keyword} has no name")
    return _Open(name, parent, end=False)


def _joint(source: _Source, opened: _Open) -> Joint:
    """Reads from the opening bracket to the channels, without which a joint does not move."""
    line = source.take("{")
    if line.words != ("{",):
        line.fail(f"expected {{ after {short(opened.name)}, got {short(' '.join(line.words))}")
    dof = _channels(source) if source.next_is("CHANNELS") and not opened.end else ()
    line = source.take("OFFSET")
    if line.words[0] != "OFFSET":
        line.fail(f"expected OFFSET, got {short(line.words[0])}")
    offset = line.numbers(line.words[1:], 3, "OFFSET")
    if source.next_is("CHANNELS") and not opened.end and not dof:
        dof = _channels(source)
    for axis in AXES:
        if f"t{axis}" in dof:
            offset[AXES.index(axis)] = 0.0
    return Joint(
        name=opened.name,
        parent=opened.parent,
        offset=offset,
        dof=dof,
        order="".join(name[1] for name in dof if name[0] == "r"),
        frame=np.eye(3),
        own=False,
        limits=np.tile([-np.inf, np.inf], (len(dof), 1)),
    )


def _channels(source: _Source) -> tuple[str, ...]:
    line = source.take("CHANNELS")
    if len(line.words) < 2:
        line.fail("expected CHANNELS and their number")
    count, kinds = line.whole(line.words[1], "the number of channels"), line.words[2:]
    if len(kinds) != count:
        line.fail(f"{plural(count, 'channel')} promised, got {len(kinds)}")
    for kind in kinds:
        if kind.lower() not in _KINDS:
            line.fail(f"unknown channel {short(kind)}; there are {', '.join(_KINDS)}")
    dof = tuple(_KINDS[kind.lower()] for kind in kinds)
    if len(set(dof)) != len(dof):
        line.fail("a channel comes twice")
    return dof


# ----------------------------------------------------------------- motion


def _motion(source: _Source, skeleton: Skeleton) -> Motion:
    line = source.take("MOTION")
    if line.words != ("MOTION",):
        line.fail(f"expected MOTION, got {short(' '.join(line.words))}")
    count = source.take("Frames:")
    frames = count.whole(_after(count, "Frames:"), "Frames:")
    line = source.take("Frame Time:")
    step = float(line.numbers([_after(line, "Frame Time:")], 1, "Frame Time:")[0])
    if step <= 0:
        line.fail("must be positive")
    rows = [
        line.numbers(line.words, len(skeleton.channels), f"frame {n}") for n, line in enumerate(source, 1)
    ]
    if not rows:
        source.last.fail("the file ends without a frame")
    if len(rows) != frames:
        count.tell(f"{plural(frames, 'frame')} promised, but there are {len(rows)}: these are read")
    return Motion(np.stack(rows), skeleton.channels, step)


def _after(line: Line, keyword: str) -> str:
    """The value after a keyword of a motion; spaces around the colon, and the colon, may be missing."""
    pattern = keyword.replace(" ", r"\s*").replace(":", r"\s*:?\s*") + r"(\S+)"
    match = re.fullmatch(pattern, " ".join(line.words), re.IGNORECASE)
    if match is None:
        line.fail(f"expected {keyword} and a number, got {short(' '.join(line.words))}")
    return match[1]
