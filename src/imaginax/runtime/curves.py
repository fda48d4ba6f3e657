"""Learning curves as data: what the seeds of a run did, joined with those of others, summed up as a band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.runtime.statistics import STATISTICS, stratified_bootstrap
from imaginax.types import ConfigError

ENOUGH = 3  # seeds; of fewer a bootstrap says nothing
_POINTS = 400  # of curves that have no common steps


class Curve(NamedTuple):
    """A learning curve: returns [S, T] of S seeds at T numbers of environment steps.

    `plotting.read_curve` may be asked for another metric, or for seconds in place of steps.
    """

    label: str
    env_steps: Float[np.ndarray, "T"]
    returns: Float[np.ndarray, "S T"]


class Band(NamedTuple):
    """A curve summed up over its seeds, where any of them has a value.

    Attributes:
        env_steps: where.
        centre: what the seeds have in common.
        low: lower edge.
        high: upper edge.
        words: what centre and edges are, and of how many seeds; empty for one seed.
    """

    env_steps: Float[np.ndarray, "T"]
    centre: Float[np.ndarray, "T"]
    low: Float[np.ndarray, "T"]
    high: Float[np.ndarray, "T"]
    words: str


def band(curve: Curve, statistic: str = "iqm") -> Band:
    """The statistic over seeds with its 95% bootstrap interval; of two seeds their mean and the two.

    A seed without a value at some step (no episode ended there) is left out there.

    Args:
        curve: at least one seed.
        statistic: `iqm` or `mean`.
    """
    shown = np.isfinite(curve.returns).any(axis=0)
    columns = [column[np.isfinite(column)] for column in curve.returns[:, shown].T]
    seeds = len(curve.returns)
    if seeds >= ENOUGH:
        name = {"iqm": "IQM", "mean": "mean"}[statistic]
        words = f"{name} of {seeds} seeds, 95% bootstrap interval"
        rows = [tuple(stratified_bootstrap([column], statistic=STATISTICS[statistic])) for column in columns]
    else:
        words = f"mean of {seeds} seeds, lowest to highest" if seeds > 1 else ""
        rows = [(column.mean(), column.min(), column.max()) for column in columns]
    centre, low, high = np.reshape(np.asarray(rows, float), (-1, 3)).T
    return Band(curve.env_steps[shown], centre, low, high, words)


def join(label: str, curves: Sequence[Curve]) -> Curve:
    """Seeds of several curves as one, on common steps, as far as all of them go.

    Where the curves have different steps, or a seed lacks a value, it is interpolated linearly.

    Args:
        label: of the joint curve.
        curves: at least one.

    Raises:
        ConfigError: if a seed has no value yet, or there are no steps to which all of them have come.
    """
    seeds = [_of_seed(curve.env_steps, returns) for curve in curves for returns in curve.returns]
    if not all(steps.size for steps, _ in seeds):
        raise ConfigError(f"{label} cannot be grouped: one of its seeds has no value yet")
    first = max(steps[0] for steps, _ in seeds)
    last = min(steps[-1] for steps, _ in seeds)
    if first > last:
        raise ConfigError(
            f"{label} cannot be grouped: one run ends at {last:g}, before another begins at {first:g}"
        )
    steps = np.unique(np.concatenate([steps for steps, _ in seeds]))
    steps = steps[(steps >= first) & (steps <= last)]
    if steps.size > max(_POINTS, *(own.size for own, _ in seeds)):
        steps = np.linspace(first, last, _POINTS)
    return Curve(label, steps, np.stack([np.interp(steps, *seed) for seed in seeds]))


def _of_seed(steps: Float[np.ndarray, "T"], returns: Float[np.ndarray, "T"]) -> tuple[np.ndarray, np.ndarray]:
    shown = np.isfinite(returns)
    return steps[shown], returns[shown]
