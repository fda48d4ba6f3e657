"""The registries of systems and of environments: what `imaginax train` and `imaginax list` know.

The settings of a system, `systems.presets.<name>`, hold its `ENTRY`. They are imported when they are asked
for, and the system itself when one is made. An environment is a name for `module:function`; a distribution
adds names of its own with the entry point group `imaginax.envs`. Nothing here imports jax.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from typing import Any, NamedTuple

__all__ = [
    "BRAX_TASKS",
    "CONTROL_TASKS",
    "ENTRY_POINTS",
    "ENVIRONMENTS",
    "GAMES",
    "PREFIXES",
    "SYSTEMS",
    "SystemEntry",
    "build",
    "entry",
    "environment_names",
    "environment_target",
    "is_host",
]


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
        make: (config, environment or None for `config.env`) -> `imaginax.types.System`.
        reaches: the mean return that the evaluation after `--preset tiny` must reach; well above what the
            system gets before it has learned, and below the optimum.
        kinds: for each field whose settings are of several kinds (`--model gp`), what turns a preset into one
            of that kind; the first is the preset's own.
    """

    name: str
    summary: str
    config: type
    preset: Callable[[str, str | None], Any]
    presets: tuple[str, ...]
    environments: tuple[str, ...]
    make: Callable[..., Any]
    reaches: float
    kinds: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {}


def _load(name: str) -> SystemEntry:
    return importlib.import_module(f"imaginax.systems.presets.{name}").ENTRY


def build(name: str, config: Any, env: Any = None) -> Any:
    """The system called `name`, made by its module; `env` may stand for the environment of its config."""
    return importlib.import_module(f"imaginax.systems.{name}").make(config, env)


_NAMES = (
    "pets",
    "mpc",
    "gp_mpc",
    "pilco",
    "gpdm",
    "planet",
    "dreamer",
    "dreamerv2",
    "alphago_zero",
    "alphazero",
    "muzero",
)

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


# ------------------------------------------------------------ environments

ENTRY_POINTS = "imaginax.envs"  # the group in which distributions register environments

# name -> the function that makes the environment, without a time limit
ENVIRONMENTS = {
    "pets_cartpole": "imaginax.envs.pets_cartpole:cartpole",
    "pets_halfcheetah": "imaginax.envs.brax.tasks:half_cheetah",
    "pets_reacher": "imaginax.envs.brax.tasks:reacher",
    "pets_pusher": "imaginax.envs.brax.tasks:pusher",
    "pendulum": "imaginax.envs.pendulum:pendulum",
    "cartpole": "imaginax.envs.cartpole:cartpole",
    "gpmpc_cartpole": "imaginax.envs.gpmpc:cartpole",
    "gpmpc_double_pendulum": "imaginax.envs.gpmpc:double_pendulum",
    "gpmpc_cartpole_wall": "imaginax.envs.gpmpc:cartpole_wall",
    "gpmpc_double_pendulum_wall": "imaginax.envs.gpmpc:double_pendulum_wall",
    "minatar_asterix": "imaginax.envs.minatar:asterix",
    "minatar_breakout": "imaginax.envs.minatar:breakout",
    "minatar_freeway": "imaginax.envs.minatar:freeway",
    "minatar_seaquest": "imaginax.envs.minatar:seaquest",
    "minatar_space_invaders": "imaginax.envs.minatar:space_invaders",
    "missing_frames": "imaginax.envs.missing_frames:generated",
    "diagnostic_bandit": "imaginax.envs.diagnostics:bandit",
    "diagnostic_lqr": "imaginax.envs.diagnostics:lqr",
    "diagnostic_chain": "imaginax.envs.diagnostics:chain",
}

# task of the DeepMind control suite -> (module of `envs.control`, its function that makes the task)
CONTROL_TASKS = {
    "control_cartpole_swingup": ("cartpole", "swingup"),
    "control_cartpole_balance": ("cartpole", "balance"),
    "control_pendulum_swingup": ("pendulum", "swingup"),
    "control_reacher_easy": ("reacher", "easy"),
    "control_cheetah_run": ("cheetah", "run"),
    "control_finger_spin": ("finger", "spin"),
    "control_cup_catch": ("ball_in_cup", "catch"),
    "control_walker_walk": ("walker", "walk"),
    "control_hopper_hop": ("hopper", "hop"),
}

# board games of `envs.games`; Go and Hex exist in other sizes too
GAMES = (
    "tic_tac_toe",
    "connect_four",
    "othello",
    "hex",
    "hex_5x5",
    "hex_7x7",
    "go_5x5",
    "go_7x7",
    "go_9x9",
    "go_13x13",
    "go_19x19",
    "gardner_chess",
    "animal_shogi",
    "chess",
    "shogi",
)

# brax's own environments: `brax:ant`, with another physics `brax:ant?backend=mjx`
BRAX_TASKS = (
    "ant",
    "halfcheetah",
    "hopper",
    "humanoid",
    "humanoidstandup",
    "inverted_double_pendulum",
    "inverted_pendulum",
    "pusher",
    "reacher",
    "swimmer",
    "walker2d",
)

# what a name may begin with -> (the rest of it, what it is)
PREFIXES = {
    "brax": ("<task>", "environments of brax, for example brax:ant or brax:ant?backend=mjx"),
    "playground": ("<name>", "MuJoCo Playground, for example playground:CartpoleSwingup"),
    "gym": ("<id>", "any environment of gymnasium, for example gym:Pendulum-v1"),
    "atari": ("<game>", "for example atari:Pong"),
    "dmc": ("<domain>-<task>", "for example dmc:cartpole-swingup"),
}


def is_host(name: str) -> bool:
    """Whether an environment's name says that it is no JAX program."""
    return name.partition(":")[0] in ("gym", "atari", "dmc")


def environment_names() -> tuple[str, ...]:
    """Every environment that has a name of its own, those of other distributions last."""
    own = (*ENVIRONMENTS, *CONTROL_TASKS, *(f"brax:{task}" for task in BRAX_TASKS), *GAMES)
    return tuple(dict.fromkeys((*own, *_registered())))


def environment_target(name: str) -> str | None:
    """The `module:function` that makes the environment called `name`; None where it has no such entry.

    `package.module:function` stands for itself. A name of this package hides one of another distribution.
    """
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name]
    if name in _registered():
        return _registered()[name]
    return name if _TARGET.fullmatch(name) and name.partition(":")[0] not in PREFIXES else None


_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")  # package.module:function


def _registered() -> dict[str, str]:
    """What the installed distributions register: name -> `module:function`."""
    return {point.name: point.value for point in metadata.entry_points(group=ENTRY_POINTS)}
