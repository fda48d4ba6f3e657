"""Motions in Acclaim's format, AMC: for each frame its number, then a line of numbers for each bone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Float

from imaginax.data.mocap import lines
from imaginax.data.mocap.lines import Line, plural, short
from imaginax.data.mocap.skeleton import Motion, Skeleton, is_rotation
from imaginax.types import ConfigError

CMU_RATE = 120.0  # frames a second of the CMU archive; the format does not say
_ANGLES = {":degrees": 1.0, ":radians": float(np.rad2deg(1.0))}
_IGNORED = (":fully-specified",)

Places = dict[str, slice]


def read(path: Path | str, skeleton: Skeleton, *, rate: float = CMU_RATE) -> Motion:
    """The motion in a file. Bones may come in any order in each frame; every one that moves must be there.

    Args:
        path: of the file.
        skeleton: of an ASF file.
        rate: frames a second.

    Raises:
        MotionFileError: if the file cannot be read or is malformed; it names the file and the line.
        ConfigError: if the rate is not positive.
    """
    return _motion(lines.read(path), str(path), skeleton, rate)


def parse(text: str, skeleton: Skeleton, *, rate: float = CMU_RATE, name: str = "AMC") -> Motion:
    """The motion in a text; `name` is that of the file, for error messages.

    Raises:
        MotionFileError: if it is malformed; it names the file and the line.
        ConfigError: if the rate is not positive.
    """
    return _motion(lines.numbered(io.StringIO(text), name), name, skeleton, rate)


def _motion(found: Iterable[Line], name: str, skeleton: Skeleton, rate: float) -> Motion:
    if not 0 < rate < np.inf:
        raise ConfigError(f"rate must be positive, got {rate}")
    rotations = np.array([is_rotation(channel) for channel in skeleton.channels])
    parts = list(_frames(found, name, skeleton))
    values = np.stack([values * np.where(rotations, degrees, 1.0) for degrees, values in parts])
    return Motion(values, skeleton.channels, 1.0 / rate)


def _places(skeleton: Skeleton) -> Places:
    """The columns of each bone that moves."""
    places: Places = {}
    for column, channel in enumerate(skeleton.channels):
        bone = channel.rpartition(".")[0]
        places[bone] = slice(places[bone].start if bone in places else column, column + 1)
    return places


def _frames(
    found: Iterable[Line], name: str, skeleton: Skeleton
) -> Iterator[tuple[float, Float[np.ndarray, "D"]]]:
    """Degrees per unit of angle, and the numbers of each frame."""
    places = _places(skeleton)
    degrees, values, missing, last = 1.0, np.zeros(0), dict[str, None](), None
    line = Line((), 1, name)
    for line in found:
        word = line.words[0]
        if word.startswith(":"):
            degrees = _header(line, degrees, begun=last is not None)
        elif word.isdecimal() or len(line.words) == 1:
            number = line.whole(word, "a frame's number")
            _check_frame(line, number, last, missing)
            if last is not None:
                yield degrees, values
            last, missing = number, dict.fromkeys(places)
            values = np.zeros(len(skeleton.channels))
        elif last is None:
            line.fail(f"{short(word)} stands before the first frame's number")
        elif word not in missing:
            _unexpected(line, word, last, places, skeleton)
        else:
            del missing[word]
            place = places[word]
            values[place] = line.numbers(line.words[1:], place.stop - place.start, f"bone {short(word)}")
    if last is None:
        line.fail("the file ends without a frame")
    if missing:
        line.fail(f"the file ends inside frame {last}: {_listed(missing)} missing")
    yield degrees, values


def _header(line: Line, degrees: float, *, begun: bool) -> float:
    keyword = line.words[0].lower()
    if begun:
        line.fail(f"{short(line.words[0])} after the first frame")
    if len(line.words) > 1 or keyword not in (*_IGNORED, *_ANGLES):
        known = ", ".join((*_IGNORED, *_ANGLES)).upper()
        line.fail(f"unknown keyword {short(' '.join(line.words))}; there are {known}")
    return _ANGLES.get(keyword, degrees)


def _check_frame(line: Line, number: int, last: int | None, missing: dict[str, None]) -> None:
    if len(line.words) != 1:
        line.fail(f"a frame's number stands alone, got {plural(len(line.words), 'word')}")
    if last is None:
        return
    if missing:
        line.fail(f"frame {number} begins, but of frame {last} {_listed(missing)} missing")
    if number == last:
        line.fail(f"frame {number} comes twice")
    if number != last + 1:
        line.fail(f"frame {number} is out of order: it follows frame {last}")


def _listed(missing: dict[str, None]) -> str:
    names = [short(name) for name in missing]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{plural(len(names), 'bone')} ({', '.join(names[:5])}{more}) {'is' if len(names) == 1 else 'are'}"


def _unexpected(line: Line, word: str, frame: int, places: Places, skeleton: Skeleton) -> NoReturn:
    if word in places:
        line.fail(f"bone {short(word)} comes twice in frame {frame}")
    if word in skeleton.joints:
        line.fail(f"bone {short(word)} has no degree of freedom")
    line.fail(f"there is no bone {short(word)}")
