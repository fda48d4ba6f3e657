"""Programs of this library timed in turn with a large matrix product and with a peer in its own process."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from imaginax.runtime import bench
from imaginax.runtime.compilation import compiled
from imaginax.runtime.export import costs
from imaginax.runtime.run_directory import write_json

PEERS = Path(__file__).parent / "peers"
RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"


class Program(NamedTuple):
    """What is timed.

    Attributes:
        call: of some units of work.
        units: how many.
        flops: floating-point operations of one.
        steps: environment steps in it.
        request: what asks the peer for the same, if it can do it.
        compile_s: seconds.
    """

    call: Callable[[], Any]
    units: int
    flops: float
    steps: int
    request: dict[str, Any] | None
    compile_s: float


def program(
    function, *arguments, units: int = 1, steps: int = 0, request: dict[str, Any] | None = None
) -> Program:
    """The compiled function with its arguments."""
    built = compiled(function, *arguments)
    flops = costs.count(function, *arguments).flops / units
    return Program(lambda: built.call(*arguments), units, flops, steps, request, built.seconds)


class Peer:
    """Another implementation, which answers each request with the seconds that it took."""

    def __init__(self, python: str, script: str):
        self._process = subprocess.Popen(
            [python, str(PEERS / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, request: dict[str, Any]) -> float:
        """Of one call there."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request | {"threads": os.cpu_count()}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["seconds"]

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def measure(timed: Mapping[str, Program], repeats: int, peer: Peer | None) -> dict[str, dict[str, Any]]:
    """Times everything in turn."""
    size = bench.matrix_size()
    product = bench.matrix_product(size)
    for entry in timed.values():
        bench.seconds(entry.call)
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, entry in timed.items():
            rate = 2.0 * size**3 / bench.seconds(product)
            taken = bench.seconds(entry.call) / entry.units
            other = peer.seconds(entry.request) if peer and entry.request else 0.0
            rows[name].append((taken, rate, other))
    return {name: _row(timed[name], found) for name, found in rows.items()}


def _row(entry: Program, found: list[tuple[float, float, float]]) -> dict[str, Any]:
    taken = statistics.median(row[0] for row in found)
    other = statistics.median(row[2] for row in found)
    return {
        "seconds": taken,
        "gflop": entry.flops / 1e9,
        "matrix_gflop_per_s": statistics.median(row[1] for row in found) / 1e9,
        "fraction_of_matrix_rate": statistics.median(entry.flops / row[0] / row[1] for row in found),
        "env_steps_per_s": entry.steps / taken,
        "peer_seconds": other or None,
        "peer_over_ours": statistics.median(row[2] / row[0] for row in found) or None,
        "compile_s": entry.compile_s,
    }


def main(
    doc: str | None, name: str, peer: tuple[str, str], programs: Callable[[], Mapping[str, Program]]
) -> None:
    """The command line of a benchmark: measures, prints and writes.

    Args:
        doc: of the script, whose first line says what it measures.
        name: of the result file.
        peer: what the other implementation is called, and its script.
        programs: makes what is measured.
    """
    called, script = peer
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", metavar="PYTHON", help=f"a python that peers/{script} runs with")
    options = parser.parse_args()
    other = Peer(options.peer, script) if options.peer else None
    _report(name, called, options.repeats, measure(programs(), options.repeats, other))
    if other:
        other.close()


def _report(name: str, peer: str, repeats: int, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Prints the table, and writes `results/benchmarks/<name>.json`."""
    print(f"{'':<42}{'seconds':>9}{'of matrix rate':>16}{'steps/s':>9}{peer:>10}{'ratio':>7}")
    for row_name, row in rows.items():
        steps = f"{row['env_steps_per_s']:>9,.0f}" if row["env_steps_per_s"] else " " * 9
        beside = f"{row['peer_seconds']:>10.3f}{row['peer_over_ours']:>7.1f}" if row["peer_seconds"] else ""
        print(f"{row_name:<42}{row['seconds']:>9.3f}{row['fraction_of_matrix_rate']:>16.0%}{steps}{beside}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(RESULTS / bench.result_name(name), bench.machine() | {"repeats": repeats, "programs": rows})
