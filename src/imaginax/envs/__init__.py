"""Environments as pure functions, found by name.

`make("pets_cartpole")` gives one environment with its time limit; `wrappers.training_environment`
turns it into many that reset themselves. `make("gym:Pendulum-v1")` gives one that is no JAX program:
see `envs.host.gymnasium`. `make("go_9x9")` gives a board game: see `envs.games`.
`make("control_walker_walk")` gives a task of the DeepMind control suite: see `envs.control`.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from imaginax.envs.control.tasks import TASKS
from imaginax.envs.games.names import NAMES, is_game
from imaginax.errors import ConfigError

if TYPE_CHECKING:
    from imaginax.types import Environment

__all__ = ["make", "names"]

# name -> (module, factory); imported only when asked for, since some need an optional dependency
_FACTORIES = {
    "pets_cartpole": ("pets_cartpole", "cartpole"),
    "pets_halfcheetah": ("brax.tasks", "half_cheetah"),
    "pets_reacher": ("brax.tasks", "reacher"),
    "pets_pusher": ("brax.tasks", "pusher"),
    "pendulum": ("pendulum", "pendulum"),
    "gpmpc_cartpole": ("gpmpc", "cartpole"),
    "gpmpc_double_pendulum": ("gpmpc", "double_pendulum"),
    "gpmpc_cartpole_wall": ("gpmpc", "cartpole_wall"),
    "gpmpc_double_pendulum_wall": ("gpmpc", "double_pendulum_wall"),
    "missing_frames": ("missing_frames", "generated"),
    "diagnostic_bandit": ("diagnostics", "bandit"),
    "diagnostic_lqr": ("diagnostics", "lqr"),
    "diagnostic_chain": ("diagnostics", "chain"),
}


def names() -> tuple[str, ...]:
    """Every name that `make` knows, besides those with a prefix: gym:, atari: and dmc:.

    Go and Hex exist in other sizes too, and Go with other komi: see `envs.games.names.parse`.
    """
    return (*_FACTORIES, *TASKS, *NAMES)


def make(name: str, *, max_steps: int | None = None, action_repeat: int = 1) -> Environment:
    """The environment called `name`, with its time limit.

    Args:
        name: one of `names()`, or an environment of gymnasium's by its id: `gym:<id>`.
        max_steps: simulator steps after which an episode is truncated; default: the published number, or the
            longest game that the rules allow.
        action_repeat: simulator steps for which every action is held; see `wrappers.action_repeat`.
            1 for a board game.

    Raises:
        ConfigError: for an unknown name, a limit or a repeat below 1, or a missing optional dependency.
    """
    from imaginax.envs import wrappers

    if ":" in name:
        return _on_host(name, max_steps, action_repeat)
    if is_game(name):
        from imaginax.envs.games.environment import environment

        if action_repeat != 1:
            raise ConfigError(f"action_repeat of the game {name} must be 1, got {action_repeat}")
        return environment(name, max_steps=max_steps)
    return wrappers.action_repeat(wrappers.time_limit(_raw(name), max_steps), action_repeat)


def _raw(name: str) -> Environment:
    if name in TASKS:
        from imaginax.envs.control import suite

        return suite.make(name)
    if name not in _FACTORIES:
        near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ";"
        raise ConfigError(f"unknown environment {name!r}{hint} known: {', '.join(names())}, gym:<id>")
    module, factory = _FACTORIES[name]
    return getattr(importlib.import_module(f"imaginax.envs.{module}"), factory)()


def _on_host(name: str, max_steps: int | None, action_repeat: int) -> Environment:
    from imaginax.envs.host import gymnasium

    prefix = name.partition(":")[0]
    if prefix not in gymnasium.PREFIXES:
        known = ", ".join(f"{known}:" for known in gymnasium.PREFIXES)
        raise ConfigError(f"unknown prefix of environment {name!r}; known: {known}")
    return gymnasium.environment(name, max_steps=max_steps, action_repeat=action_repeat)
