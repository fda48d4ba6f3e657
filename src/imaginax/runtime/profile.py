"""What a compiled program spends its device's time on, by the `jax.named_scope`s of its source.

The profiler says how long each instruction of the program took, the program's text where each came from.
What the compiler merged into one instruction counts for the scope of its last operation.
`learn`, `act`, `environment` and `replay` are the scopes of every system's loop of training; a search and a
network have their own further in.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.profiler import ProfileData

_CONTAINERS = ("while", "conditional", "call")  # their time is that of what they contain
_KIND = re.compile(r"[._\d]+$")  # what follows the kind of an instruction in its name
_INSTRUCTION = re.compile(r"\s*(?:ROOT )?%?(\S+) = .*?\bmetadata=\{.*?op_name=\"([^\"]*)\"")


class Costs(NamedTuple):
    """Seconds of one call.

    Attributes:
        wall: from the first instruction to the end of the last.
        idle: of these, when the device had nothing to do.
        scopes: device time by scope, "learn/network" for example, the longest first; "" without a scope.
        instructions: how many ran in each.
        unplaced: of the ten longest kinds of instruction without a scope: seconds and how many ran. A CUDA
            graph is one of them, `command_buffer`, whatever it contains.
    """

    wall: float
    idle: float
    scopes: dict[str, float]
    instructions: dict[str, int]
    unplaced: dict[str, tuple[float, int]]


class Event(NamedTuple):
    """One instruction, in seconds."""

    name: str
    start: float
    duration: float


def profile(text: str, call: Callable[[], Any], scopes: Sequence[str]) -> Costs:
    """Calls a program once under the profiler.

    Args:
        text: of the compiled program (`as_text`).
        call: calls it.
        scopes: the names to tell apart.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(call())
        (path,) = Path(folder).rglob("*.xplane.pb")
        return by_scope(text, list(_events(path)), scopes)


def by_scope(text: str, events: Sequence[Event], scopes: Sequence[str]) -> Costs:
    """Sums the time of events, whose names are those of instructions in the program's text."""
    places = {_plain(name): _place(origin, scopes) for name, origin in origins(text).items()}
    seconds: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    unplaced: dict[str, list[float]] = defaultdict(list)
    for event in events:
        place = places.get(_plain(event.name), "")
        seconds[place] += event.duration
        counts[place] += 1
        if not place:
            unplaced[_KIND.sub("", event.name)].append(event.duration)
    wall, idle = _gaps(events)
    longest = dict(sorted(seconds.items(), key=lambda item: -item[1]))
    kinds = sorted(((sum(each), len(each), kind) for kind, each in unplaced.items()), reverse=True)[:10]
    return Costs(wall, idle, longest, dict(counts), {kind: (taken, ran) for taken, ran, kind in kinds})


def origins(text: str) -> dict[str, str]:
    """Of the instructions in a program's text, the path of scopes and transformations that they came from."""
    return {found[1]: found[2] for line in text.splitlines() if (found := _INSTRUCTION.match(line))}


def _place(origin: str, scopes: Sequence[str]) -> str:
    """The named scopes on a path, also where a transformation stands around them: transpose(jvp(network))."""
    found = [word for word in re.findall(r"\w+", origin) if word in scopes]
    return "/".join(dict.fromkeys(found))


def _plain(name: str) -> str:
    """Kernels are called as their instruction, but for characters that a symbol cannot have."""
    return re.sub(r"\W", "_", name)


def _events(path: Path) -> Iterator[Event]:
    """The instructions of a GPU's streams, or of a CPU's threads, in what the profiler wrote."""
    data = ProfileData.from_file(str(path))  # owns all that is read from it
    planes = list(data.planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:GPU")]
    for plane in devices or planes:
        for line in plane.lines:
            if devices and not line.name.startswith("Stream"):
                continue
            for event in line.events:
                name = dict(event.stats).get("hlo_op", event.name if devices else None)
                if name is not None and re.split(r"\W", name)[0] not in _CONTAINERS:
                    yield Event(name, event.start_ns * 1e-9, event.duration_ns * 1e-9)


def _gaps(events: Sequence[Event]) -> tuple[float, float]:
    """From the first event to the end of the last, and how much of that lies between events."""
    ordered = sorted(events, key=lambda event: event.start)
    begin = end = ordered[0].start
    idle = 0.0
    for event in ordered:
        idle += max(0.0, event.start - end)
        end = max(end, event.start + event.duration)
    return end - begin, idle
