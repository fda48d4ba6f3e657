"""How good a trained agent is, and what its training logged."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.runtime import metrics, playback, run_directory
from imaginax.runtime.curves import ENOUGH
from imaginax.runtime.statistics import stratified_bootstrap
from imaginax.types import ConfigError, Environment


class Score(NamedTuple):
    """Returns of fresh episodes.

    Attributes:
        returns: [S E] of E episodes of each of S seeds.
        mean: of all.
        interval: the ends of the 95% bootstrap interval of the interquartile mean, over seeds where there
            are three or more, else over episodes; None where there are fewer than three of these too.
    """

    returns: Float[np.ndarray, "S E"]
    mean: float
    interval: tuple[float, float] | None


def evaluate(
    run: str | PathLike[str], episodes: int = 1, *, env: Environment | None = None, seed: int | None = None
) -> Score:
    """Fresh episodes of every agent of a run, without exploration: what `imaginax eval` prints.

    Args:
        run: a run directory, or `agents:NAME`.
        episodes: minimum number of episodes of each seed.
        env: the environment, if the run was trained on one that was handed over as an object.
        seed: of the episodes; by default those of the run's own evaluation.

    Raises:
        ConfigError: if there is no such run.
        CheckpointError: if nothing of it can be loaded.
    """
    if episodes < 1:
        raise ConfigError(f"episodes must be at least 1, got {episodes}")
    found = playback.evaluate(playback.load(fspath(run), env), episodes=episodes, seed=seed).returns
    strata = [found.mean(axis=1)] if len(found) >= ENOUGH else list(found)
    interval = None
    if len(strata[0]) >= ENOUGH:
        _, low, high = stratified_bootstrap(strata)
        interval = (low, high)
    return Score(found, float(found.mean()), interval)


def match(
    run: str | PathLike[str],
    opponent: str | PathLike[str],
    *,
    games: int = 100,
    openings: int = 2,
    simulations: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """A match of a run that learned a board game: what `imaginax match` prints.

    Args:
        run: a run directory, or `agents:NAME`.
        opponent: another run of the same game, or for example `minimax:2`, `mcts:1000`, `gnugo:1`.
        games: an even number.
        openings: plies of the openings, each played from both sides.
        simulations: simulations for one move; by default those of training.
        seed: of the match.

    Returns:
        Wins, draws and losses, the score with its 95% interval, and the number of distinct games.

    Raises:
        ConfigError: if the run plays no game, or there is no such opponent.
    """
    import jax

    from imaginax.arena import versus

    side = versus.side(fspath(run), simulations, None)
    terms = {"games": games, "openings": openings}
    return versus.play(side, fspath(opponent), jax.random.key(seed), simulations, terms).record()


def read_metrics(run: str | PathLike[str], *, per_seed: bool = False) -> dict[str, np.ndarray]:
    """The metrics of a run as a table: a column for each name, a row for each chunk.

    Args:
        run: a run directory, finished or not.
        per_seed: columns [T S] with a value for each seed, of the metrics that have them, in place of means.

    Returns:
        `step`, `env_steps`, `wall_s`, `stage` and every metric by name; NaN where a chunk has no value.

    Raises:
        ConfigError: if there is no such run.
    """
    directory, record = run_directory.read_run(fspath(run))
    rows = metrics.read_metrics(directory.metrics)
    names = dict.fromkeys(name for row in rows for name in row if name != "per_seed")
    table = {name: _column([row.get(name) for row in rows]) for name in names}
    if per_seed and record["seeds"] > 1:
        missing = [None] * record["seeds"]
        for name in dict.fromkeys(name for row in rows for name in row.get("per_seed", ())):
            values = [row.get("per_seed", {}).get(name, missing) for row in rows]
            table[name] = np.asarray(values, float)
    return table


def _column(values: list[Any]) -> np.ndarray:
    if all(isinstance(value, str) for value in values):
        return np.asarray(values)
    if all(type(value) is int for value in values):
        return np.asarray(values)
    return np.asarray([np.nan if value is None else value for value in values], float)
