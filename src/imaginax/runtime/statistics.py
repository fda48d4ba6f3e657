"""How sure a handful of runs makes us: interquartile means with bootstrap intervals.

Agarwal, Schwarzer, Castro, Courville, Bellemare 2021, "Deep reinforcement learning at the edge of the
statistical precipice" (arXiv:2108.13264). Percentile intervals of few runs are too narrow: of those that
promise 95% for the IQM of normally distributed scores, 76% hold the truth with 3 runs, 90% with 5, 93% with
10 and 95% with 30.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Statistic = Callable[..., np.ndarray | float]  # (values, axis=) -> values with that axis reduced


class Interval(NamedTuple):
    """A statistic and the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


def iqm(values: Float[np.ndarray, "..."], axis: int | None = None) -> np.ndarray | float:
    """The interquartile mean: of the middle half of the values, along `axis` or of all.

    As many values are cut at each end as fit into a quarter, so that of fewer than four none is.
    """
    values = np.sort(values, axis=axis)
    axis = -1 if axis is None else axis
    size = values.shape[axis]
    return np.take(values, np.arange(size // 4, size - size // 4), axis=axis).mean(axis=axis)


STATISTICS: dict[str, Statistic] = {"iqm": iqm, "mean": np.mean}


def stratified_bootstrap(
    strata: Sequence[Float[np.ndarray, "_"]] | Float[np.ndarray, "M S"],
    *,
    statistic: Statistic = iqm,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """A statistic of all scores together, with its stratified percentile bootstrap interval.

    Every resample draws each stratum's runs anew, with replacement, and as many as there are: which tasks
    there are stays as it is. For one task this is the ordinary bootstrap over runs.

    Args:
        strata: the scores of the runs of each task; a matrix has a row for each task.
        statistic: of the pooled scores.
        confidence: the probability that the interval promises.
        resamples: how many.
        seed: of the draws; the same seed draws the same runs of every set of as many.

    Raises:
        ValueError: if there is no stratum, or an empty one.
    """
    if not len(strata) or any(not len(stratum) for stratum in strata):
        raise ValueError("every stratum needs at least one score")
    rng = np.random.default_rng(seed)
    strata = [np.asarray(stratum, float) for stratum in strata]
    drawn = [stratum[rng.integers(len(stratum), size=(resamples, len(stratum)))] for stratum in strata]
    estimates = statistic(np.concatenate(drawn, axis=1), axis=1)
    low, high = np.quantile(estimates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(statistic(np.concatenate(strata), axis=None)), float(low), float(high))
