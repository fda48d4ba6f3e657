"""`imaginax eval`: how good what was learned is, and how sure that is."""

from __future__ import annotations

import argparse
from typing import Any

from imaginax.cli.terminal import Commands, add_run, complain, describe, distinct_games, number, working

_MANY = 8  # returns, more than a line holds

_ABOUT = """Plays episodes with the agents of a run, without learning, and prints their returns, the mean, the
interquartile mean (IQM) and its 95% bootstrap interval: over the run's seeds, each with its mean, where there
are three or more, else over episodes. Of a board game the interval is over the games whose moves differ, and
their number is printed. Nothing is written."""

_EPILOG = """examples:
  imaginax eval runs/pets                 the episodes of the run's own evaluation
  imaginax eval runs/pets --episodes 20   at least twenty for every seed
  imaginax eval runs/pets --seed 1        other episodes
  imaginax eval agents:pets_cartpole      an agent that comes with the package
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    evaluate = describe(
        commands,
        "eval",
        help="the returns of a trained run, with their interval",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    add_run(evaluate, episodes="at least so many a seed")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Restores the run and evaluates it."""
    with working(f"loading {options.logdir}") as doing:
        from imaginax.runtime import distributed, playback

        distributed.initialise()
        trained = playback.load(options.logdir)
        doing(f"evaluating {trained.record['system']} on {trained.system.environment.spec.name}")
        evaluation = playback.evaluate(trained, episodes=options.episodes, seed=options.seed)
    for fault in trained.restored.skipped:
        complain(f"skipped: {fault}", 0)
    for seed, returns in enumerate(evaluation.returns.tolist(), trained.record["seed"]):
        print(f"seed {seed}: {_returns(returns)}")
    print(_summary(evaluation))
    return 0


def _returns(returns: list[float]) -> str:
    """Each of a few returns; of many their mean and extremes."""
    if len(returns) <= _MANY:
        return ", ".join(number(value) for value in returns)
    mean = number(sum(returns) / len(returns))
    return f"mean {mean} of {len(returns)} episodes, {number(min(returns))} to {number(max(returns))}"


def _summary(evaluation: Any) -> str:
    """One line about the returns [S, E]; what is drawn anew for the interval is what there are enough of."""
    from imaginax.runtime.curves import ENOUGH
    from imaginax.runtime.statistics import stratified_bootstrap

    returns, distinct = evaluation.returns, evaluation.distinct()
    seeds, episodes = returns.shape
    mean = f"mean {number(float(returns.mean()))}"
    if distinct:
        mean += f" of {episodes} games a seed, {distinct_games(distinct)}"
    if seeds >= ENOUGH:
        strata, over = [returns.mean(axis=1)], f"{seeds} seeds"
    elif distinct:
        return f"{mean}, 95% interval {_over_games(evaluation)} over distinct games"
    elif episodes >= ENOUGH:
        strata, over = returns, f"{episodes} episodes" + (f" of each of {seeds} seeds" if seeds > 1 else "")
    else:
        return f"{mean} (an interval needs {ENOUGH} seeds or --episodes {ENOUGH})"
    interval = stratified_bootstrap(strata)
    ends = f"{number(interval.low)} to {number(interval.high)}"
    return f"{mean}, IQM {number(interval.estimate)}, 95% interval {ends} over {over}"


def _over_games(evaluation: Any) -> str:
    """The interval of the mean outcome, where copies of a game are one observation."""
    import numpy as np

    from imaginax.arena.score import Unit, interval

    units = []
    for returns, games in zip(evaluation.returns, evaluation.games, strict=True):
        _, first, counts = np.unique(games, return_index=True, return_counts=True)
        points = (returns[first] + 1) / 2 * counts
        units += [Unit(*unit, 1) for unit in zip(points.tolist(), counts.tolist(), strict=True)]
    low, high = interval(units)
    return f"{number(2 * low - 1)} to {number(2 * high - 1)}"
