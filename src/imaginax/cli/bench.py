"""`imaginax bench`: how fast the programs are on this machine."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from imaginax.cli.terminal import Commands, at_least, describe, printing_may_fail, working

_ABOUT = """Times a system's programs, for one seed, beside a large matrix product: a decision (act), and a
chunk of each stage of training with and without learning. "of matrix rate" is the fraction of the
product's operations a second that a program reaches; "warm" is compiling it again, from the cache on disk."""

_EPILOG = """examples:
  imaginax bench                                every system at its smallest size
  imaginax bench pets --preset laptop           at the size of a run
  imaginax bench pets --output bench.json       with every number, the device and the commit
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    bench = describe(
        commands,
        "bench",
        help="time the programs beside this machine's limit",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    bench.add_argument("system", nargs="?", default="all", metavar="SYSTEM", help="a system; default: all")
    bench.add_argument("--preset", metavar="P", help="default: tiny, or else the system's first")
    bench.add_argument("--env", metavar="E", help="default: the preset's")
    bench.add_argument(
        "--repeats", type=at_least(1), default=5, metavar="N", help="timed calls of a program; default: 5"
    )
    bench.add_argument("--output", type=Path, metavar="FILE", help="JSON")
    bench.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Measures, prints and perhaps writes."""
    with working("preparing"):
        from imaginax import registry
        from imaginax.runtime import bench
        from imaginax.runtime.precision import pin, precision

        pin()
    if options.output:
        printing_may_fail()
    names = list(registry.SYSTEMS) if options.system == "all" else [options.system]
    chosen = [_system(registry.entry(name), options) for name in names]
    results = []
    print(
        f"{'program':<34}{'cold s':>8}{'warm s':>8}{'call s':>10}{'GFLOP':>9}"
        f"{'of matrix rate':>16}{'env steps/s':>13}"
    )
    for preset, system in chosen:
        rows = []
        with precision(system):
            for row in bench.measure(system, repeats=options.repeats):
                print(_line(system.name, row), flush=True)
                rows.append(row._asdict())
        env = system.environment.spec.name
        results.append({"system": system.name, "preset": preset, "env": env, "programs": rows})
    rates = [row["matrix_flops_per_s"] for result in results for row in result["programs"]]
    print(f"matrix product: {statistics.median(rates) / 1e9:.4g} GFLOP/s")
    if options.output:
        _write(options.output, bench.machine() | {"repeats": options.repeats, "systems": results})
    return 0


def _system(entry: Any, options: argparse.Namespace) -> tuple[str, Any]:
    from imaginax.runtime import config as configs

    preset = options.preset or ("tiny" if "tiny" in entry.presets else entry.presets[0])
    return preset, entry.make(configs.parse(entry, preset, options.env, []))


def _line(system: str, row: Any) -> str:
    speed = f"{row.env_steps_per_s:,.0f}".replace(",", " ") if row.env_steps_per_s else ""
    return (
        f"{system + ' ' + row.program:<34}{row.cold_s:>8.1f}{row.warm_s:>8.2f}{row.median_s:>10.3g}"
        f"{row.flops / 1e9:>9.3g}{row.of_matrix_rate:>16.1%}{speed:>13}"
    )


def _write(path: Path, record: dict[str, Any]) -> None:
    from imaginax.runtime.run_directory import RunError, write_json

    try:
        write_json(path, record)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    print(f"written to {path}")
