"""Motions in Acclaim's format, AMC: for each frame its number, then a line of numbers for each bone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from jaxtyping import Float

from imaginax.data.mocap import lines
from imaginax.data.mocap.lines import Line, plural, short
from imaginax.data.mocap.skeleton import Motion, Skeleton, is_rotation
from imaginax.types import ConfigError

CMU_RATE = 120.0  # frames a second of the CMU archive, whose files do not say
_ANGLES = {":degrees": 1.0, ":radians": float(np.rad2deg(1.0))}
_RATE = ":samples-per-second"
_IGNORED = (":fully-specified",)
_LONGEST_GAP = 10_000  # frames

Places = dict[str, slice]


class _Header(NamedTuple):
    degrees: float = 1.0  # per unit of angle
    rate: float | None = None  # frames a second


class _Frame(NamedTuple):
    header: _Header
    begin: Line
    number: int
    values: Float[np.ndarray, "D"]


def read(path: Path | str, skeleton: Skeleton, *, rate: float | None = None) -> Motion:
    """The motion in a file. Bones may come in any order in each frame; every one that moves must be there.

    Frames whose numbers are left out are gaps: NaN. Where all numbers are multiples of one step apart, that
    is the step of the motion. Either is logged.

    Args:
        path: of the file.
        skeleton: of an ASF file.
        rate: frames a second; None: as the file says, or else `CMU_RATE`.

    Raises:
        MotionFileError: if the file cannot be read or is malformed; it names the file and the line.
        ConfigError: if the rate is not positive.
    """
    return _motion(lines.read(path), str(path), skeleton, rate)


def parse(text: str, skeleton: Skeleton, *, rate: float | None = None, name: str = "AMC") -> Motion:
    """The motion in a text, as `read`; `name` is that of the file, for error messages.

    Raises:
        MotionFileError: if it is malformed; it names the file and the line.
        ConfigError: if the rate is not positive.
    """
    return _motion(lines.numbered(io.StringIO(text), name), name, skeleton, rate)


def _motion(found: Iterable[Line], name: str, skeleton: Skeleton, rate: float | None) -> Motion:
    if rate is not None and not 0 < rate < np.inf:
        raise ConfigError(f"rate must be positive, got {rate}")
    rotations = np.array([is_rotation(channel) for channel in skeleton.channels])
    frames = list(_frames(found, name, skeleton))
    read = np.stack([frame.values * np.where(rotations, frame.header.degrees, 1.0) for frame in frames])
    numbers = np.array([frame.number for frame in frames])
    step = max(int(np.gcd.reduce(np.diff(numbers))), 1)
    rows = (numbers - numbers[0]) // step
    values = np.full((rows[-1] + 1, read.shape[1]), np.nan)
    values[rows] = read
    _tell(frames, step, len(values) - len(frames))
    rate = rate or frames[0].header.rate or CMU_RATE
    return Motion(values, skeleton.channels, step / rate)


def _tell(frames: list[_Frame], step: int, missing: int) -> None:
    """Logs what is unusual about the numbers of frames."""
    if step > 1:
        frames[1].begin.tell(f"the numbers of frames are multiples of {step} apart: a step is so much longer")
    if missing:
        pairs = zip(frames, frames[1:], strict=False)
        after = next(later.begin for frame, later in pairs if later.number > frame.number + step)
        after.tell(f"{plural(missing, 'frame')} missing from here on; they are NaN")


def _places(skeleton: Skeleton) -> Places:
    """The columns of each bone that moves."""
    places: Places = {}
    for column, channel in enumerate(skeleton.channels):
        bone = channel.rpartition(".")[0]
        places[bone] = slice(places[bone].start if bone in places else column, column + 1)
    return places


def _frames(found: Iterable[Line], name: str, skeleton: Skeleton) -> Iterator[_Frame]:
    """The frames in the order of the file."""
    places, known = _places(skeleton), lines.spellings(skeleton.joints)
    header, frame, missing = _Header(), None, dict[str, None]()
    line = Line((), 1, name)
    for line in found:
        word = line.words[0]
        if word.startswith(":"):
            header = _header(line, header, begun=frame is not None)
        elif word.isdecimal() or len(line.words) == 1:
            number = line.whole(word, "a frame's number")
            _check_frame(line, number, frame and frame.number, missing)
            if frame is not None:
                yield frame
            missing = dict.fromkeys(places)
            frame = _Frame(header, line, number, np.zeros(len(skeleton.channels)))
        elif frame is None:
            line.fail(f"{short(word)} stands before the first frame's number")
        elif (bone := known.get(word) or known.get(word.casefold(), word)) not in missing:
            _unexpected(line, bone, frame.number, places, skeleton)
        else:
            del missing[bone]
            place = places[bone]
            numbers = line.numbers(line.words[1:], place.stop - place.start, f"bone {short(word)}")
            frame.values[place] = numbers
    if frame is None:
        line.fail("the file ends without a frame")
    if missing:
        line.fail(f"the file ends inside frame {frame.number}: {_listed(missing)} missing")
    yield frame


def _header(line: Line, header: _Header, *, begun: bool) -> _Header:
    keyword = line.words[0].lower().rstrip(":")
    if begun:
        line.fail(f"{short(line.words[0])} after the first frame")
    if keyword == _RATE:
        rate = float(line.numbers(line.words[1:], 1, keyword)[0])
        if rate <= 0:
            line.fail("a rate must be positive")
        return header._replace(rate=rate)
    if len(line.words) > 1 or keyword not in (*_IGNORED, *_ANGLES):
        known = ", ".join((*_IGNORED, *_ANGLES, _RATE)).upper()
        line.fail(f"unknown keyword {short(' '.join(line.words))}; there are {known}")
    return header._replace(degrees=_ANGLES.get(keyword, header.degrees))


def _check_frame(line: Line, number: int, last: int | None, missing: dict[str, None]) -> None:
    if len(line.words) != 1:
        line.fail(f"a frame's number stands alone, got {plural(len(line.words), 'word')}")
    if last is None:
        return
    if missing:
        line.fail(f"frame {number} begins, but of frame {last} {_listed(missing)} missing")
    if number == last:
        line.fail(f"frame {number} comes twice")
    if not last < number <= last + _LONGEST_GAP:
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
