"""`imaginax train SYSTEM --sweep FIELD=A,B`: a run for each combination of values, and a table."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imaginax.cli.terminal import complain, number, printing_may_fail, working
from imaginax.errors import ConfigError


class Point(NamedTuple):
    """One combination.

    Attributes:
        values: value by field, as written.
        config: the configuration.
    """

    values: dict[str, str]
    config: Any


def run(
    options: argparse.Namespace, entry: Any, preset: str, overrides: list[str], train: Callable[..., Any]
) -> int:
    """Trains all combinations, one after the other, and prints and writes what came out.

    Args:
        options: of the command line.
        entry: the system.
        preset: its name.
        overrides: fields that all runs share.
        train: (options, system, preset, directory) -> the content of its summary.json.

    Raises:
        ConfigError: for a combination that cannot work, before the first one is trained.
    """
    if options.processes > 1:
        return complain("argument --sweep: runs in one process, without --processes", 2)
    printing_may_fail()
    combinations = points(entry, preset, options.env, overrides, options.sweep)
    with working(f"preparing {len(combinations)} runs of {entry.name}"):
        from imaginax.runtime import distributed
        from imaginax.runtime.run_directory import default_path, write_json

        distributed.initialise(devices=options.devices)
    base, rows = options.logdir, []
    for index, point in enumerate(combinations, 1):
        name = ",".join(f"{field}={value}" for field, value in point.values.items())
        print(f"{index}/{len(combinations)}  {name}", flush=True)
        with working(f"preparing {name}"):
            system = entry.make(point.config)
        base = base or default_path(entry.name, f"{system.environment.spec.name}-sweep", preset)
        logdir = base / name.replace("/", "-").replace(" ", "_")
        summary = train(options, system, preset, logdir)
        if summary["status"] != "finished":
            return 0
        rows.append(row(point, logdir, summary))
    print("\n" + "\n".join(table(rows)))
    if distributed.is_leader():
        path = Path(base) / "sweep.json"
        write_json(path, {"system": entry.name, "preset": preset, "rows": rows})
        print(f"  {path}")
    return 0


def points(
    entry: Any, preset: str, env: str | None, overrides: Sequence[str], sweeps: Sequence[str]
) -> list[Point]:
    """All combinations of the values of `FIELD=A,B` words, the last field changing fastest.

    Raises:
        ConfigError: for a word of another form, an unknown field, or values that cannot work.
    """
    from imaginax.runtime import config as configs

    flags = configs.known_flags(entry, preset, env, overrides)
    fields: dict[str, list[str]] = {}
    for word in sweeps:
        name, equals, values = word.partition("=")
        given = [value.strip() for value in values.split(",")]
        if not equals or not all(given):
            raise ConfigError(f"argument --sweep: must be FIELD=A,B,..., got {word!r}")
        fields[_field(name, flags)] = given
    found = []
    for combination in itertools.product(*fields.values()):
        values = dict(zip(fields, combination, strict=True))
        words = [part for field, value in values.items() for part in (f"--{field}", *value.split())]
        found.append(Point(values, configs.parse(entry, preset, env, [*overrides, *words])))
    return found


def _field(name: str, flags: Sequence[str]) -> str:
    """The whole name of a field, of which the last part is enough where it is the only one."""
    name = name.removeprefix("--")
    ends = [flag.removeprefix("--") for flag in flags if flag.endswith(f".{name}")]
    return ends[0] if f"--{name}" not in flags and len(ends) == 1 else name


def row(point: Point, logdir: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """What the table says of a run."""
    names = ("eval_return", "eval_return_per_seed", "env_steps", "wall_s")
    return {"values": point.values, "logdir": str(logdir), **{name: summary[name] for name in names}}


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Aligned lines: values, mean return of the evaluation, its seeds, and time; the best one last."""
    fields = list(rows[0]["values"])
    lines = [[*fields, "return", "seeds", "seconds"]]
    for one in rows:
        seeds = one["eval_return_per_seed"]
        spread = f"{number(min(seeds))} to {number(max(seeds))}" if len(seeds) > 1 else "1"
        values = [one["values"][field] for field in fields]
        lines.append([*values, number(one["eval_return"]), spread, f"{one['wall_s']:.0f}"])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    best = max(rows, key=lambda one: one["eval_return"])
    told = ", ".join(f"{field} {value}" for field, value in best["values"].items())
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) for line in lines]
    return [*(line.rstrip() for line in text), f"highest: {told}"]
