"""The registry of systems: what `imaginax train` and `imaginax list` know.

The settings of a system, `systems.presets.<name>`, hold its `ENTRY`. They are imported when they are asked
for, and the system itself when one is made.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

__all__ = ["SYSTEMS", "SystemEntry", "build", "entry"]


class SystemEntry(NamedTuple):
    """What the command line knows of a system.

    Attributes:
        name: the word after `imaginax train`.
        summary: one line: what it is and which paper it comes from.
        config: the frozen dataclass of its settings.
        preset: (preset name, environment name or None for the preset's own) -> config.
        presets: names of the presets, the default first. Every system has one named `tiny`: a run of seconds
            on a diagnostic environment whose optimum is known (`envs.diagnostics`).
        environments: environments it is known to run on, the default first.
        make: config -> `imaginax.types.System`.
        reaches: the mean return that the evaluation after `--preset tiny` must reach; well above what the
            system gets before it has learned, and below the optimum.
    """

    name: str
    summary: str
    config: type
    preset: Callable[[str, str | None], Any]
    presets: tuple[str, ...]
    environments: tuple[str, ...]
    make: Callable[[Any], Any]
    reaches: float


def _load(name: str) -> SystemEntry:
    return importlib.import_module(f"imaginax.systems.presets.{name}").ENTRY


def build(name: str, config: Any) -> Any:
    """The system called `name`, made by its module."""
    return importlib.import_module(f"imaginax.systems.{name}").make(config)


_NAMES = ("pets", "mpc", "gp_mpc", "pilco", "gpdm", "planet", "alphago_zero", "alphazero")

SYSTEMS: dict[str, Callable[[], SystemEntry]] = {name: partial(_load, name) for name in _NAMES}


def entry(name: str) -> SystemEntry:
    """The entry of the system called `name`.

    Raises:
        ConfigError: for a name that is not registered.
    """
    if name not in SYSTEMS:
        from imaginax.errors import ConfigError

        near = difflib.get_close_matches(name, SYSTEMS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(f"unknown system {name!r}; {hint}known: {', '.join(SYSTEMS)}")
    return SYSTEMS[name]()
