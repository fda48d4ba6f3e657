"""`imaginax export`: programs for machines that this one is not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaginax.cli.terminal import Commands, complain, describe, printing_may_fail, working

if TYPE_CHECKING:
    from imaginax.runtime.export.aot import Report
    from imaginax.runtime.export.costs import Costs
    from imaginax.types import System

_EPILOG = """examples:
  imaginax export pets                        for tpu, cuda and cpu, from any machine
  imaginax export runs/pets                   with the settings of a run
  imaginax export all --platform tpu          every system, for a TPU
  imaginax export pets --compile v5e:2x2      does it compile for four TPU v5e, and does it fit?
  imaginax export pets --compile h100         the same for a GPU

Lowering shows that a platform has every operation; the files in DIR reload with imaginax.runtime.export.load.
--compile runs the vendor's own compiler, without its device (pip install 'imaginax[tpu-aot]' or
'imaginax[cuda-aot]'): each program for one chip, and the training programs again spread over all of them.

FLOPs and bytes are of one call: a chunk of training, one decision. A "+" marks loops whose length
depends on data; they count as one iteration. "mem" is what the call needs at once on one device.
"""
_LOWERED = ("program", "platform", "kB", "FLOPs", "bytes", "mem MB", "seconds")
_COMPILED = ("program", "devices", "seconds", "FLOPs", "bytes", "mem MB", "of MB", "fits", "collectives")


def add(commands: Commands) -> None:
    """Describes the command."""
    export = describe(
        commands,
        "export",
        help="lower or compile programs for tpu, cuda or cpu",
        about="Lowers a system's programs for other machines, or compiles them with --compile.",
        epilog=_EPILOG,
    )
    export.add_argument("system", metavar="SYSTEM", help="a system, all, or a run directory")
    export.add_argument("--preset", metavar="P", help="default: the system's first")
    export.add_argument("--env", metavar="E", help="default: the preset's")
    export.add_argument(
        "--platform", nargs="+", default=["tpu", "cuda", "cpu"], metavar="P", help="default: all"
    )
    export.add_argument(
        "--output", type=Path, default=Path("build/export"), metavar="DIR", help="default: build/export"
    )
    export.add_argument(
        "--compile", metavar="TARGET", help="compile instead: v5e:2x2, v6e:2x2, v4:2x2x1, h100, h100:8"
    )
    export.add_argument("--report", type=Path, metavar="FILE", help="with --compile: the table as JSON")
    export.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Lowers and writes, or compiles."""
    with working("preparing"):
        from imaginax.runtime.precision import pin

        pin()
    if options.report or not options.compile:
        printing_may_fail()
    if options.compile:
        return _compile(options)
    if options.report:
        return complain("--report belongs to --compile; without it the table is DIR/table.json", 2)
    return _lower(options)


def _systems(options: argparse.Namespace) -> Iterator[tuple[str, str, System]]:
    """The chosen systems with their names and presets."""
    from imaginax import registry
    from imaginax.runtime import config as configs
    from imaginax.runtime.run_directory import RunDirectory, located, read_run

    if RunDirectory(located(options.system)).config.is_file():
        record = read_run(options.system)[1]
        entry = registry.entry(record["system"])
        config = configs.from_json(entry.config, record["config"])
        yield entry.name, record.get("preset") or "", entry.make(config)
        return
    for name in registry.SYSTEMS if options.system == "all" else [options.system]:
        entry = registry.entry(name)
        preset = options.preset or entry.presets[0]
        yield name, preset, entry.make(configs.parse(entry, preset, options.env, []))


# ----------------------------------------------------------------- lowering


def _lower(options: argparse.Namespace) -> int:
    from imaginax.runtime import export
    from imaginax.runtime.compilation import enable_cache

    enable_cache()
    rows = []
    _print_row(_LOWERED)
    for name, preset, system in _systems(options):
        for program, (function, arguments) in export.programs(system).items():
            for platform in options.platform:
                made = export.export(f"{name} {program}", function, arguments, platform)
                export.write(options.output / name, made._replace(name=program))
                memory = export.peak_memory(function, arguments) if platform == "cpu" else None
                row = {"system": name, "env": system.environment.spec.name, "preset": preset}
                row |= {"program": program, "platform": platform, "size": len(made.data), "memory": memory}
                rows.append(row | {"seconds": made.seconds} | made.costs._asdict())
                _print_row(_lowered_cells(rows[-1], made.costs))
    _write(options.output / "table.json", {"programs": rows})
    print(f"written to {options.output}")
    return 0


def _lowered_cells(row: dict[str, Any], costs: Costs) -> Sequence[str]:
    memory = "-" if row["memory"] is None else f"{row['memory'] / 1e6:.2f}"
    flops, traffic = _work(costs)
    program = f"{row['system']} {row['program']}"
    return (
        program,
        row["platform"],
        f"{row['size'] / 1e3:.0f}",
        flops,
        traffic,
        memory,
        f"{row['seconds']:.1f}",
    )


# ---------------------------------------------------------------- compiling


def _compile(options: argparse.Namespace) -> int:
    """Compiles every program for one chip, and training for all; 1 if one of them does not fit."""
    from imaginax.runtime.export import aot

    aot.prepare()
    target = aot.open_target(options.compile)
    print(f"{target.name}: {len(target.devices)} devices of {target.memory / 1e6:.0f} MB, {target.compiler}")
    _print_row(_COMPILED)
    rows, refused = [], []
    for name, preset, system in _systems(options):
        for report in _reports(target, name, system):
            _print_row(_compiled_cells(report))
            if not report.fits:
                refused.append(f"{report.program} does not fit on {target.name}: {report.note}")
            row = {"system": name, "env": system.environment.spec.name, "preset": preset}
            rows.append(row | _plain(report))
    if options.report:
        _write(options.report, _record(options, target, rows))
        print(f"written to {options.report}")
    for line in refused:
        complain(line, 1)
    return 1 if refused else 0


def _reports(target: Any, name: str, system: System) -> Iterator[Report]:
    from imaginax.runtime import distributed, export
    from imaginax.runtime.export import aot

    for program, (function, arguments) in export.programs(system).items():
        yield aot.compile_for(target, f"{name} {program}", function, arguments)
    if len(target.devices) > 1:
        mesh = distributed.make_mesh(target.devices)
        for program, (function, arguments) in export.sharded(system, mesh).items():
            yield aot.compile_for(target, f"{name} {program}", function, arguments, mesh=mesh)


def _compiled_cells(report: Report) -> Sequence[str]:
    exchanges = ", ".join(
        f"{kind} {one.count} ({one.in_loops} in loops)" for kind, one in report.collectives.items()
    )
    return (
        report.program,
        str(report.devices),
        f"{report.seconds:.1f}",
        *_work(report.costs),
        "-" if report.memory is None else f"{report.memory.total / 1e6:.2f}",
        f"{report.limit / 1e6:.0f}",
        "yes" if report.fits else "NO",
        exchanges or "-",
    )


def _plain(report: Report) -> dict[str, Any]:
    """A report as JSON."""
    memory = report.memory and report.memory._asdict() | {"total": report.memory.total}
    exchanges = {kind: one._asdict() for kind, one in report.collectives.items()}
    row = report._asdict() | report.costs._asdict() | {"memory": memory, "collectives": exchanges}
    return {field: value for field, value in row.items() if field not in ("costs", "target")}


def _record(options: argparse.Namespace, target: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the report file holds: where the table comes from, and the table."""
    from importlib import metadata

    from imaginax.runtime.plotting import commit

    common = {field: rows[0][field] if options.system != "all" else None for field in ("env", "preset")}
    return {
        "system": options.system,
        **common,
        "commit": commit(),
        "jax": metadata.version("jax"),
        "compiler": target.compiler,
        "target": target.name,
        "devices": len(target.devices),
        "memory_of_device": target.memory,
        "programs": rows,
    }


# -------------------------------------------------------------------- tables


def _write(path: Path, table: dict[str, Any]) -> None:
    from imaginax.runtime.run_directory import RunError, write_json

    try:
        write_json(path, table)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def _work(costs: Costs) -> tuple[str, str]:
    more = "+" if costs.open_loops else ""
    return f"{costs.flops:.2e}{more}", f"{costs.bytes:.2e}{more}"


def _print_row(cells: Sequence[str]) -> None:
    """One line; the first column is of text, the last one of a compiled row too."""
    first, *rest = cells
    last = [rest.pop()] if len(cells) == len(_COMPILED) else []
    print(
        f"{first:<24}" + "".join(f"{cell:>11}" for cell in rest) + "".join(f"  {cell}" for cell in last),
        flush=True,
    )
