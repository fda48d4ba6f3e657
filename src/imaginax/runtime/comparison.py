"""Runs beside each other: their curves under labels that tell them apart, seeds of equal settings joined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imaginax.runtime.curves import Curve, join
from imaginax.runtime.plotting import RETURN, read_curve, read_results
from imaginax.runtime.published import observation_of
from imaginax.runtime.run_directory import read_run
from imaginax.types import ConfigError


def read_curves(
    sources: Sequence[Path | str], *, metric: str = RETURN, x: str = "env_steps", group: bool = False
) -> list[Curve]:
    """Curves of several sources, under labels that tell them apart.

    Args:
        sources: run directories or results files.
        metric: see `read_curve`.
        x: see `read_curve`.
        group: makes one curve of runs that differ in their seeds only.

    Raises:
        ConfigError: as `read_curve`, and if runs to be grouped share a seed.
    """
    curves = [read_curve(source, metric=metric, x=x) for source in sources]
    records = [_record(Path(source)) for source in sources]
    groups: dict[Any, list[int]] = {}
    for i, record in enumerate(records):
        settings = [record.get(name) for name in ("system", "env", "preset", "config")]
        groups.setdefault(json.dumps(settings, sort_keys=True) if group else i, []).append(i)
    firsts = [members[0] for members in groups.values()]
    labels = _distinct(
        [curves[i].label for i in firsts],
        [f"{curves[i].label}, {records[i].get('preset')}" for i in firsts],
        [Path(sources[i]).name for i in firsts],
        [str(sources[i]) for i in firsts],
    )
    for members in groups.values():
        _check_seeds([(sources[i], records[i]) for i in members])
    return [
        join(label, [curves[i] for i in members])
        if len(members) > 1
        else curves[members[0]]._replace(label=label)
        for label, members in zip(labels, groups.values(), strict=True)
    ]


def tasks(sources: Sequence[Path | str]) -> list[str]:
    """The different environments of runs or results files, in order."""
    return list(dict.fromkeys(_record(Path(source)).get("env") or "?" for source in sources))


def same_task(sources: Sequence[Path | str]) -> tuple[str, str]:
    """The environment of all sources, and what their systems see: `pixels` or `state`.

    Raises:
        ConfigError: if they are not the same for all.
    """
    records = [_record(Path(source)) for source in sources]
    found = dict.fromkeys((record.get("env") or "?", observation_of(record["config"])) for record in records)
    if len(found) > 1:
        told = ", ".join(f"{env} from {observation}" for env, observation in found)
        raise ConfigError(f"these runs are of different tasks ({told}): compare one task at a time")
    return next(iter(found))


def _record(source: Path) -> dict[str, Any]:
    return read_results(source) if source.suffix == ".json" else read_run(source)[1]


def _distinct(*schemes: list[str]) -> list[str]:
    """The first list of labels without a repetition, or the last."""
    return next((labels for labels in schemes if len(set(labels)) == len(labels)), schemes[-1])


def _check_seeds(members: Sequence[tuple[Path | str, dict[str, Any]]]) -> None:
    """The same seed twice is one piece of evidence, which would be counted as two."""
    holder: dict[int, Any] = {}
    for source, record in members:
        if "seed" not in record:  # a results file, which keeps their number only
            continue
        for seed in range(record["seed"], record["seed"] + record["seeds"]):
            if seed in holder:
                raise ConfigError(f"{holder[seed]} and {source} cannot be grouped: both hold seed {seed}")
            holder[seed] = source
