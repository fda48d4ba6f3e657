"""Matches of trained runs, against opponents by name or against each other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import jax
from jaxtyping import Array

from imaginax import envs
from imaginax.arena import strength
from imaginax.arena.match import play_match
from imaginax.arena.score import summarise
from imaginax.arena.strength import Against
from imaginax.runtime import playback, run_directory
from imaginax.types import ConfigError, Environment, Params, Player


class Side(NamedTuple):
    """A trained player and its game.

    Attributes:
        env: the game, without what training wraps around it.
        player: the player.
        params: its parameters.
        skipped: a line for each checkpoint that could not be used.
    """

    env: Environment
    player: Player
    params: Params
    skipped: tuple[str, ...]


def side(run: Path | str, simulations: int | None, lane: int | None) -> Side:
    """The player of a run.

    Args:
        run: a run directory.
        simulations: simulations for one move; None for those of training.
        lane: which of the run's seeds; None for the best.

    Raises:
        ConfigError: if the run's system plays no game.
    """
    trained = playback.load(run)
    if trained.system.player is None:
        raise ConfigError(f"{run}: system {trained.system.name} plays no game")
    spec = trained.system.environment.spec
    env = envs.make(spec.name, max_steps=spec.max_steps)
    params = playback.params_of(trained, lane)
    return Side(env, trained.system.player(simulations), params, trained.restored.skipped)


def play(ours: Side, opponent: str, key: Array, simulations: int | None, terms: dict[str, int]) -> Against:
    """A match against an opponent by name, or against the best agent of another run of the same game.

    Args:
        ours: whose results are counted.
        opponent: a run directory, or a form of `arena.opponents` or `arena.programs`.
        key: consumed.
        simulations: simulations for one move of the other run's player.
        terms: `games` and `openings`, as of `strength.make_match`.

    Raises:
        ConfigError: for an unknown opponent, or a run of another game.
    """
    if not run_directory.located(opponent).is_dir():
        return strength.make_match(ours.env, ours.player, opponent, **terms)(ours.params, key)
    other = side(opponent, simulations, None)
    if other.env.spec.name != ours.env.spec.name:
        raise ConfigError(f"{opponent} plays {other.env.spec.name}, not {ours.env.spec.name}")

    @jax.jit
    def games(sides, key):
        return play_match(ours.env, ours.player, other.player, sides, key, **terms)

    return Against(opponent, summarise(games((ours.params, other.params), key)), {})
