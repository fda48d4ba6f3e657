"""Skeletons in Acclaim's format, ASF: what the CMU motion capture archive uses.

Read are the sections units, root, bonedata and hierarchy. Conventions, with column vectors:

- A bone turns its far end about its near end: G = G_parent C M C', where C is its `axis`.
- `axis a b c XYZ` is C = Rz(c) Ry(b) Rx(a): the first letter turns first, about axes that do not move.
- `dof rx ry rz` is M = Rz Ry Rx likewise, and is the order of the numbers in an AMC file. So is the root's
  `order`; the root's `axis` belongs to its `orientation` alone.
- The unit of length is 1/length inches, as the archive states: 5.64 cm at its `length 0.45`.
- A direction is scaled to length 1, so the bone is as long as the file says.

- Keywords may be in capitals, and names may differ in theirs between sections and from the AMC file.
- The root's `position` is added to what the AMC file says about its place.

Not read, because programs disagree on them: a bone's degrees of freedom other than rx, ry and rz, and a root
whose `orientation` is not 0 0 0.

The format: http://mocap.co.nz/downloads/ASF_spec_v1.html; what its lines mean to Vicon's programs:
http://graphics.cs.cmu.edu/nsp/course/cs229/info/ACCLAIMdef.html.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.data.mocap import lines
from imaginax.data.mocap.lines import Line, MotionFileError, plural, short
from imaginax.data.mocap.skeleton import AXES, Joint, Skeleton, assemble, euler

_IGNORED = (":version", ":name", ":documentation", ":skin")
_SECTIONS = (*_IGNORED, ":units", ":root", ":bonedata", ":hierarchy")
_UNITS = ("mass", "length", "angle")
_ROOT = ("order", "axis", "position", "orientation")
_BONE = ("id", "name", "direction", "length", "axis", "dof", "limits", "bodymass", "cofmass")
_INCH = 0.0254

Fields = dict[str, Line]


class _Section(NamedTuple):
    header: Line
    body: list[Line]


class _Units(NamedTuple):
    degrees: float  # per unit of angle
    metres: float  # per unit of length


def read(path: Path | str) -> Skeleton:
    """The skeleton in a file.

    Raises:
        MotionFileError: if the file cannot be read or is malformed; it names the file and the line.
    """
    return _skeleton(lines.read(path), str(path))


def parse(text: str, name: str = "ASF") -> Skeleton:
    """The skeleton in a text; `name` is that of the file, for error messages.

    Raises:
        MotionFileError: if it is malformed; it names the file and the line.
    """
    return _skeleton(lines.numbered(io.StringIO(text), name), name)


def _skeleton(found: Iterable[Line], name: str) -> Skeleton:
    sections = _sections(found)
    for needed in (":root", ":bonedata", ":hierarchy"):
        if needed not in sections:
            last = max(line.number for part in sections.values() for line in (part.header, *part.body))
            raise MotionFileError(f"{name}, line {last}: the file ends without the section {needed}")
    units = _units(sections.get(":units"))
    bones = {}
    for fields in _blocks(sections[":bonedata"]):
        bone = _bone(fields, units)
        if bone.name in bones or bone.name.lower() == "root":
            fields["name"].fail(f"there is already a bone {short(bone.name)}")
        bones[bone.name] = bone
    root = _root(sections[":root"])
    return assemble([root, *_ordered(sections[":hierarchy"], bones)], units.metres)


def _sections(found: Iterable[Line]) -> dict[str, _Section]:
    sections: dict[str, _Section] = {}
    body: list[Line] | None = None
    for line in found:
        keyword = line.words[0].lower()
        if not keyword.startswith(":"):
            if body is None:
                line.fail(f"{short(keyword)} stands before the first section")
            words = " ".join(line.words).replace(",", " ").split()  # the format takes commas for spaces
            body += [line._replace(words=tuple(words))] if words else []
            continue
        if keyword not in _SECTIONS:
            line.fail(f"unknown section {short(keyword)}; there are {', '.join(_SECTIONS)}")
        if keyword in sections:
            line.fail(f"section {keyword} comes twice")
        if len(line.words) > 1 and keyword not in _IGNORED:
            line.fail(f"{short(line.words[1])} after {keyword}")
        body = []
        sections[keyword] = _Section(line, body)
    return sections


def _fields(body: Iterable[Line], known: Sequence[str], what: str) -> Fields:
    """The lines by their first words. Limits go on over several lines, which are joined."""
    fields: Fields = {}
    key = ""
    for line in body:
        if key == "limits" and line.words[0].startswith("("):
            fields[key] = fields[key]._replace(words=fields[key].words + line.words)
            continue
        key = line.words[0].lower()
        if key not in known:
            line.fail(f"unknown keyword {short(key)} in {what}; there are {', '.join(known)}")
        if key in fields:
            line.fail(f"{key} comes twice in {what}")
        fields[key] = line
    return fields


def _units(section: _Section | None) -> _Units:
    """Degrees and inches where the file does not say."""
    fields = _fields(section.body if section else (), _UNITS, ":units")
    degrees, length = 1.0, 1.0
    if line := fields.get("angle"):
        unit = " ".join(line.words[1:]).lower()
        if unit not in ("deg", "rad"):
            line.fail("angle must be deg or rad")
        degrees = 1.0 if unit == "deg" else float(np.rad2deg(1.0))
    if line := fields.get("length"):
        length = float(line.numbers(line.words[1:], 1, "length")[0])
        if not length >= 1e-9:
            line.fail("length must be positive")
    if line := fields.get("mass"):
        line.numbers(line.words[1:], 1, "mass")
    return _Units(degrees, _INCH / length)


# ----------------------------------------------------------------- root and bones


def _root(section: _Section) -> Joint:
    fields = _fields(section.body, _ROOT, ":root")
    if "order" not in fields:
        section.header.fail("the root has no order")
    line = fields["order"]
    dof = _dof(line, ("tx", "ty", "tz", "rx", "ry", "rz"))
    if axis := fields.get("axis"):
        _order(axis, axis.words[1:])
    if (line := fields.get("orientation")) and line.numbers(line.words[1:], 3, "orientation").any():
        line.fail("a root whose orientation is not 0 0 0 is not supported")
    line = fields.get("position")
    position = line.numbers(line.words[1:], 3, "position") if line else np.zeros(3)
    return Joint("root", "", position, dof, _turns(dof), np.eye(3), False, _no_limits(dof))


def _blocks(section: _Section) -> list[Fields]:
    """The lines of each bone, from begin to end."""
    blocks: list[Fields] = []
    body: list[Line] | None = None
    begun = section.header
    for line in section.body:
        keyword = " ".join(line.words).lower()
        if keyword not in ("begin", "end"):
            if body is None:
                line.fail(f"{short(line.words[0])} stands outside begin and end")
            body.append(line)
        elif (body is None) == (keyword == "end"):
            line.fail(f"{keyword} without {'begin' if body is None else 'end before it'}")
        elif body is None:
            body, begun = [], line
        else:
            blocks.append(_fields(body, _BONE, "a bone"))
            for key in ("name", "direction", "length", "axis"):
                if key not in blocks[-1]:
                    line.fail(f"the bone that begins on line {begun.number} has no {key}")
            body = None
    if body is not None:
        (body[-1] if body else begun).fail("the file ends inside a bone: end is missing")
    return blocks


def _bone(fields: Fields, units: _Units) -> Joint:
    """One bone; its parent is still to be found."""
    if len(fields["name"].words) != 2:
        fields["name"].fail("a bone's name is one word")
    line = fields["length"]
    length = float(line.numbers(line.words[1:], 1, "length")[0])
    if length < 0:
        line.fail("length must not be negative")
    line = fields["direction"]
    direction = line.numbers(line.words[1:], 3, "direction")
    size = float(np.linalg.norm(direction))
    if length > 0 and not size > 1e-6:
        line.fail("a direction must not be 0 0 0")
    offset = direction * (length / max(size, 1e-6))
    line = fields["axis"]
    order = _order(line, line.words[4:])
    frame = euler(order[::-1], line.numbers(line.words[1:4], 3, "axis") * units.degrees)
    dof = _dof(fields["dof"], ("rx", "ry", "rz")) if "dof" in fields else ()
    limits = _limits(fields["limits"], dof) * units.degrees if "limits" in fields else _no_limits(dof)
    return Joint(fields["name"].words[1], "", offset, dof, _turns(dof), frame, True, limits)


def _order(line: Line, words: Sequence[str]) -> str:
    """`xyz`, of the words after an axis' numbers."""
    if len(words) != 1 or sorted(words[0].lower()) != list(AXES):
        line.fail(f"an axis ends with an order such as XYZ, got {short(' '.join(words))}")
    return words[0].lower()


def _dof(line: Line, known: Sequence[str]) -> tuple[str, ...]:
    dof = tuple(word.lower() for word in line.words[1:])
    for name in dof:
        if name not in known:
            line.fail(f"degree of freedom {short(name)} is not supported; there are {', '.join(known)}")
    if len(set(dof)) != len(dof) or not dof:
        line.fail("degrees of freedom must be named, and each once")
    return dof


def _turns(dof: Sequence[str]) -> str:
    """The axes of M from left to right: the first degree of freedom turns first, which is rightmost."""
    return "".join(name[1] for name in dof[::-1] if name[0] == "r")


def _no_limits(dof: Sequence[str]) -> Float[np.ndarray, "N 2"]:
    return np.tile([-np.inf, np.inf], (len(dof), 1))


def _limits(line: Line, dof: Sequence[str]) -> Float[np.ndarray, "N 2"]:
    """Pairs in brackets, each of which may be infinite."""
    words = " ".join(line.words[1:]).replace("(", " ").replace(")", " ").split()
    if len(words) != 2 * len(dof):
        line.fail(f"limits take {plural(2 * len(dof), 'number')}, got {len(words)}")
    infinite = {"-inf": -np.inf, "inf": np.inf}
    values = [
        infinite[word.lower()] if word.lower() in infinite else line.numbers([word], 1, "limits")[0]
        for word in words
    ]
    return np.array(values).reshape(-1, 2)


# ----------------------------------------------------------------- hierarchy


def _ordered(section: _Section, bones: dict[str, Joint]) -> list[Joint]:
    """The bones with their parents, from the root outwards."""
    parents, children = _relations(section, bones)
    found: list[Joint] = []
    waiting = children.get("root", [])[::-1]
    while waiting:
        name = waiting.pop()
        found.append(bones[name]._replace(parent=parents[name][0]))
        waiting += children.get(name, [])[::-1]
    if missing := [name for name in bones if name not in parents]:
        section.header.fail(f"bones without a parent: {', '.join(map(short, missing[:5]))}")
    if len(found) < len(bones):
        reached = {joint.name for joint in found}
        name = next(name for name in bones if name not in reached)
        parents[name][1].fail(f"the parents of {short(name)} form a cycle that the root is not in")
    return found


def _relations(
    section: _Section, bones: dict[str, Joint]
) -> tuple[dict[str, tuple[str, Line]], dict[str, list[str]]]:
    """The parent of each bone with the line that says so, and the children of each."""
    body = section.body
    if not body or [word.lower() for word in body[0].words] != ["begin"]:
        (body[0] if body else section.header).fail("the hierarchy starts with begin")
    if [word.lower() for word in body[-1].words] != ["end"]:
        body[-1].fail("the file ends inside the hierarchy: end is missing")
    parents: dict[str, tuple[str, Line]] = {}
    children: dict[str, list[str]] = {}
    known = lines.spellings([*bones, "root"])
    for line in body[1:-1]:
        for word in line.words:
            if word.casefold() not in known:
                line.fail(f"there is no bone {short(word)}")
        parent, *names = (known.get(word, known[word.casefold()]) for word in line.words)
        for name in names:
            if name == "root" or name in parents:
                line.fail(f"{short(name)} has already a parent" if name != "root" else "root has no parent")
            parents[name] = (parent, line)
            children.setdefault(parent, []).append(name)
    return parents, children
