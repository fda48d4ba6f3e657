"""Training from Python: the same as `imaginax train`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from imaginax import registry
from imaginax.api.agent import load
from imaginax.api.scoring import Score, evaluate, read_metrics
from imaginax.runtime import config as configs
from imaginax.runtime import run as runs
from imaginax.runtime.precision import pin
from imaginax.runtime.progress import OnChunk
from imaginax.runtime.run_directory import default_path
from imaginax.types import ConfigError, Environment


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that `train` made, or went on with.

    Attributes:
        path: its directory.
        summary: the content of summary.json: `eval_return`, `env_steps`, `wall_s` and more.
        env: the environment, if it was handed over as an object.
    """

    path: Path
    summary: dict[str, Any]
    env: Environment | None = dataclasses.field(default=None, repr=False)

    def agent(self, **options: Any) -> Any:
        """The trained agent; options are those of `imaginax.load`."""
        return load(self.path, env=self.env, **options)

    def evaluate(self, episodes: int = 1, *, seed: int | None = None) -> Score:
        """Fresh episodes; see `imaginax.evaluate`."""
        return evaluate(self.path, episodes, env=self.env, seed=seed)

    def metrics(self) -> dict[str, Any]:
        """What every chunk reported; see `imaginax.read_metrics`."""
        return read_metrics(self.path)

    def __fspath__(self) -> str:
        return str(self.path)


def train(
    system: str,
    *,
    env: str | Environment | None = None,
    preset: str | None = None,
    logdir: str | Path | None = None,
    seeds: int = 1,
    seed: int = 0,
    on_chunk: OnChunk | None = None,
    quiet: bool = False,
    **fields: Any,
) -> Run:
    """Trains a system, or goes on with the run in `logdir`; then evaluates it.

    Args:
        system: a name that `imaginax list` shows.
        env: name of an environment, or an `imaginax.types.Environment`; by default that of the preset.
        preset: a named configuration; the system's first by default.
        logdir: the run directory; `runs/SYSTEM-ENV-PRESET` by default.
        seeds: runs at once, as lanes of one program.
        seed: of the first of them.
        on_chunk: called after every chunk with an `imaginax.runtime.progress.ChunkReport`.
        quiet: show no progress.
        fields: fields of the configuration; those of a part as a dict: `fit={"epochs": 20}`.

    Raises:
        ConfigError: for settings that cannot work, naming the field, before anything is compiled.
        RunError: if a metric is not finite, or something cannot be written.
    """
    pin()
    entry = registry.entry(system)
    preset = preset or entry.presets[0]
    if preset not in entry.presets:
        raise ConfigError(f"unknown preset {preset!r} of {system}; {configs.hint(preset, entry.presets)}")
    given = env if isinstance(env, Environment) else None
    config = entry.preset(preset, env if isinstance(env, str) else None)
    config = configured(entry, config, fields)
    made = entry.make(config) if given is None else entry.make(config, given)
    path = Path(logdir or default_path(system, made.environment.spec.name, preset))
    summary = runs.train(
        made, logdir=path, seeds=seeds, seed=seed, preset=preset, quiet=quiet, on_chunk=on_chunk
    )
    return Run(path, summary, given)


def configured(entry: registry.SystemEntry, config: Any, fields: dict[str, Any]) -> Any:
    """A configuration with other values.

    Args:
        entry: the system.
        config: the preset.
        fields: values by name; dicts for parts, the name of a kind for a field that has several (`model`).

    Raises:
        ConfigError: naming a field that is unknown or has a value of the wrong type.
    """
    rest = dict(fields)
    for field, kinds in entry.kinds.items():
        if isinstance(rest.get(field), str):
            kind = rest.pop(field)
            if kind not in kinds:
                raise ConfigError(f"{field} must be one of {', '.join(kinds)}, got {kind!r}")
            config = kinds[kind](config)
    return configs.from_json(type(config), _merged(configs.to_json(config), rest))


def _merged(tree: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A tree with some of its leaves replaced; tuples become lists, as JSON has them."""
    merged = dict(tree)
    for name, value in changes.items():
        old = merged.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[name] = _merged(old, value)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            merged[name] = configs.to_json(value) | (
                {"type": type(value).__name__} if isinstance(old, dict) and "type" in old else {}
            )
        else:
            merged[name] = _plain(value)
    return merged


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
