"""Reading compiled programs: the memory they need, and the collectives in their optimised HLO text.

A collective is an operation in which devices exchange data. Its bytes are those of its result on one device.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxtyping import PyTree

from imaginax.types import SystemState

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")


class Footprint(NamedTuple):
    """Bytes on one device; a result that takes the memory of an argument counts once."""

    arguments: int
    results: int
    temporaries: int
    code: int

    @property
    def total(self) -> int:
        """All of it at once."""
        return sum(self)


class Collective(NamedTuple):
    """All collectives of one kind.

    Attributes:
        count: in the text of the program.
        in_loops: how many of them are inside of loops.
        bytes: of the results of all, each once.
        runs: how often they run in one call: a loop that may stop early counts to its limit.
        bytes_run: of all these runs.
        open_loops: how many of them are in loops whose length is not known; these loops count once.
    """

    count: int = 0
    in_loops: int = 0
    bytes: int = 0
    runs: int = 0
    bytes_run: int = 0
    open_loops: int = 0


class _Place(NamedTuple):
    """How often a computation runs, in how many loops, and whether the length of one is not known."""

    runs: int = 1
    depth: int = 0
    open: bool = False


_COMPUTATION = re.compile(r"^(ENTRY )?%?(\S+) \(.*\) -> .*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?(\S+) = (.+?) ([a-z][a-z0-9-]*)\(")
_CALLED = re.compile(
    r"\b(?:body|condition|calls|to_apply|true_computation|false_computation)=%?([\w.-]+)"
    r"|(?:branch_computations|called_computations)=\{([^}]*)\}"
)
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_ARRAY = re.compile(r"\b(pred|[a-z]+(\d+)[a-z0-9]*)\[([\d,]*)\]")


def donated(arguments: Sequence[PyTree]) -> tuple[int, ...]:
    """Positions of the arguments whose memory a program may take: the state that it gives back changed."""
    return tuple(i for i, argument in enumerate(arguments) if isinstance(argument, SystemState))


def footprint(compiled: Any) -> Footprint:
    """The memory of a compiled program."""
    stats = compiled.memory_analysis()
    return Footprint(
        stats.argument_size_in_bytes,
        stats.output_size_in_bytes - stats.alias_size_in_bytes,
        stats.temp_size_in_bytes,
        stats.generated_code_size_in_bytes,
    )


def collectives(text: str) -> dict[str, Collective]:
    """The collectives in the text of a compiled program (`compiled.as_text()`) by kind."""
    computations, entry = _computations(text)
    found: dict[str, Collective] = {}
    for line, place in _executed(computations, entry, _Place()):
        kind, size = _collective(line)
        if kind:
            old = found.get(kind, Collective())
            new = (1, place.depth > 0, size, place.runs, size * place.runs, place.open)
            found[kind] = Collective(*(a + int(b) for a, b in zip(old, new, strict=True)))
    return {kind: found[kind] for kind in COLLECTIVES if kind in found}


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    """The lines of each computation, and the name of the one that a call starts."""
    computations, entry, lines = {}, "", []
    for line in text.splitlines():
        if header := _COMPUTATION.match(line):
            lines = computations.setdefault(header[2], [])
            entry = header[2] if header[1] else entry
        elif line.startswith(" "):
            lines.append(line)
    return computations, entry


def _executed(computations: dict[str, list[str]], name: str, place: _Place) -> Iterator[tuple[str, _Place]]:
    """Every instruction that runs, each computation as often as it is called from the text."""
    for line in computations.get(name, []):
        yield line, place
        inside = place
        if " while(" in line:
            trips = _trips(line, computations)
            inside = _Place(place.runs * (trips or 1), place.depth + 1, place.open or trips is None)
        for one, several in _CALLED.findall(line):
            for callee in [one] if one else re.findall(r"[\w.-]+", several):
                yield from _executed(computations, callee, inside)


def _trips(line: str, computations: dict[str, list[str]]) -> int | None:
    """How often a while loop runs: as XLA says, or N if it goes on while a counter is below the constant N.

    Such counters start at zero. A condition with further terms may end the loop before.
    """
    if known := _TRIPS.search(line):
        return int(known[1])
    name = re.search(r"condition=%?([\w.-]+)", line)
    condition = computations.get(name[1], []) if name else []
    limits = dict(re.findall(r"%?(\S+) = s32\[\]\S* constant\((\d+)\)", "\n".join(condition)))
    for test in condition:
        compared = re.search(r"compare\((?:\S+ )?%?\S+, (?:\S+ )?%?([^\s)]+)\), direction=LT", test)
        if compared and compared[1] in limits:
            return int(limits[compared[1]])
    return None


def _collective(line: str) -> tuple[str, int]:
    """The kind of an instruction and its bytes; "" for another instruction.

    An asynchronous collective is two instructions; the second one, `-done`, is not counted.
    """
    parts = _INSTRUCTION.match(line)
    if not parts or parts[3].removesuffix("-start") not in COLLECTIVES:
        return "", 0
    sizes = [_array_bytes(*array) for array in _ARRAY.findall(parts[2])]
    kind = parts[3].removesuffix("-start")
    if kind != parts[3] and kind != "all-reduce":  # (operands, results, and counters of some back ends)
        return kind, max(sizes)
    return kind, sum(sizes)


def _array_bytes(name: str, bits: str, shape: str) -> int:
    elements = math.prod(int(size) for size in shape.split(",") if size)
    return elements * (1 if name == "pred" else math.ceil(int(bits) / 8))
