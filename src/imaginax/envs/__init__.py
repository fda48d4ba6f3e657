"""Environments as pure functions, found by name.

`make("pets_cartpole")` gives one environment with its time limit; `wrappers.training_environment`
turns it into many that reset themselves. `imaginax.registry` holds the names:

    pendulum, go_9x9, control_walker_walk ...  built in, or registered by another distribution
    package.module:function                    a function that returns an `Environment`
    brax:<task>, playground:<name>             see `envs.brax.standard`, `envs.playground`
    gym:<id>, atari:<game>, dmc:<task>         no JAX programs: see `envs.host.gymnasium`

The last part of a name may be options: `brax:ant?backend=mjx`, `mine:plant?mass=2.0`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from imaginax import registry
from imaginax.envs.games.names import is_game
from imaginax.errors import ConfigError

if TYPE_CHECKING:
    from imaginax.types import Environment

__all__ = ["make", "names", "raw", "resolve"]


def names() -> tuple[str, ...]:
    """Every name that `make` knows, besides `registry.PREFIXES` and `package.module:function`.

    Go and Hex exist in other sizes too, and Go with other komi: see `envs.games.names.parse`.
    """
    return registry.environment_names()


def make(name: str, *, max_steps: int | None = None, action_repeat: int = 1) -> Environment:
    """The environment called `name`, with its time limit.

    Args:
        name: one of `names()`, one with a prefix, or `package.module:function`.
        max_steps: simulator steps after which an episode is truncated; default: the published number, or the
            longest game that the rules allow.
        action_repeat: simulator steps for which every action is held; see `wrappers.action_repeat`.
            1 for a board game.

    Raises:
        ConfigError: for a name that cannot be loaded, a limit or a repeat below 1, or a missing package.
    """
    from imaginax.envs import wrappers

    if registry.is_host(name):
        from imaginax.envs.host import gymnasium

        return gymnasium.environment(name, max_steps=max_steps, action_repeat=action_repeat)
    env = _unlimited(name, max_steps)
    if env.game is None:
        return wrappers.action_repeat(wrappers.time_limit(env, max_steps), action_repeat)
    if action_repeat != 1:
        raise ConfigError(f"action_repeat of the game {name} must be 1, got {action_repeat}")
    if max_steps is not None and max_steps < env.spec.max_steps:
        raise ConfigError(f"the game {name} ends after {env.spec.max_steps} moves, not after {max_steps}")
    return env


def raw(name: str) -> Environment:
    """The environment called `name` as it is written, without a time limit; see `make`."""
    return make(name) if registry.is_host(name) else _unlimited(name, None)


def _unlimited(name: str, max_steps: int | None) -> Environment:
    """The environment without a time limit; a game has its own."""
    import dataclasses

    from imaginax.envs import loading

    base, options = loading.split_options(name)
    prefix, _, rest = base.partition(":")
    if prefix == "brax":
        from imaginax.envs.brax import standard

        return standard.environment(rest, **options)
    if prefix == "playground":
        from imaginax.envs import playground

        return playground.environment(rest, **options)
    if target := registry.environment_target(base):
        env = loading.load(name, target, options)
        return env._replace(spec=dataclasses.replace(env.spec, name=name))
    return _family(name, max_steps)


def _family(name: str, max_steps: int | None) -> Environment:
    """A task of the control suite or a board game."""
    if name in registry.CONTROL_TASKS:
        from imaginax.envs.control import suite

        return suite.make(name)
    if is_game(name) and ":" not in name:
        from imaginax.envs.games.environment import environment

        return environment(name, max_steps=max_steps)
    if ":" in name:
        known = ", ".join(f"{prefix}:" for prefix in registry.PREFIXES)
        raise ConfigError(f"unknown prefix of environment {name!r}; known: {known}, package.module:function")
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigError(f"unknown environment {name!r}; {hint}imaginax list shows all of them")


def resolve(
    env: Environment | None, name: str, *, max_steps: int | None = None, action_repeat: int = 1
) -> Environment:
    """The environment that a system is handed or, for None, the one called `name`.

    Args:
        env: one environment that does not reset itself, from anywhere.
        name: as of `make`.
        max_steps: as of `make`; None where a given environment is a board game or of the host.
        action_repeat: as of `make`; 1 for these two.

    Raises:
        ConfigError: as `make`, or for a limit or a repeat that a given environment cannot be held to.
    """
    from imaginax.envs import wrappers

    if env is None:
        return make(name, max_steps=max_steps, action_repeat=action_repeat)
    if env.host is None and env.game is None:
        return wrappers.action_repeat(wrappers.time_limit(env, max_steps), action_repeat)
    if max_steps not in (None, env.spec.max_steps) or action_repeat != 1:
        raise ConfigError(
            f"env {env.spec.name}, given as an object, ends its episodes itself and holds no actions: it"
            f" cannot take a limit of {max_steps} steps or action_repeat {action_repeat}"
        )
    return env
