"""The player of a trained run, as an engine that can be asked for moves."""

from __future__ import annotations

import argparse
import dataclasses

from imaginax import envs, registry
from imaginax.arena.engine import Engine, TimedPlayer
from imaginax.envs.games import names
from imaginax.runtime import playback
from imaginax.types import ConfigError, Environment, System

_WHITE_BEGINS = ("chess", "gardner_chess")


def game(trained: playback.Trained) -> Environment:
    """The game of a run, without what training wraps around it.

    Raises:
        ConfigError: if the run's system plays no game.
    """
    if trained.system.player is None:
        raise ConfigError(f"system {trained.system.name} plays no board game; only --protocol gif shows it")
    return envs.make(trained.system.environment.spec.name)


def engine(options: argparse.Namespace, trained: playback.Trained) -> Engine:
    """The engine of a run.

    Raises:
        ConfigError: if the run's system plays no game, or there is no such lane.
    """
    return _engine(options, trained, game(trained), trained.system)


def engine_with_komi(options: argparse.Namespace, trained: playback.Trained, komi: float) -> Engine:
    """The same on a board of Go with another komi, which ends in a half.

    The network is the same; the search counts the score with the new komi.
    """
    size = names.parse(trained.system.environment.spec.name).size
    name = f"go_{size}x{size}_komi{komi}"
    config = dataclasses.replace(trained.system.config, env=name)
    system = registry.entry(trained.record["system"]).make(config)
    return _engine(options, trained, envs.make(name), system)


def own_simulations(options: argparse.Namespace, trained: playback.Trained) -> int | None:
    """Of a move's search: those of the command line, else those of the run's `search`, if it has one."""
    search = getattr(trained.system.config, "search", None)
    return options.simulations or getattr(search, "simulations", None)


def seat(colour: str | None, name: str) -> int:
    """0 for the player who begins the game called `name`, 1 for the other."""
    if colour in ("black", "white"):
        return int((colour == "white") != (names.parse(name).kind in _WHITE_BEGINS))
    return int(colour == "second")


def _engine(
    options: argparse.Namespace, trained: playback.Trained, env: Environment, system: System
) -> Engine:
    params = playback.params_of(trained, options.lane)
    assert system.player is not None
    own = own_simulations(options, trained)
    return Engine(env, TimedPlayer(system.player, params, simulations=own, seed=options.seed or 0))
