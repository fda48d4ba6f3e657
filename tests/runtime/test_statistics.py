from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from imaginax.runtime.statistics import Interval, iqm, stratified_bootstrap


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_interquartile_mean_is_the_mean_trimmed_by_a_quarter(values):
    expected = scipy.stats.trim_mean(values, 0.25)
    assert iqm(np.array(values)) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_it_reduces_the_axis_that_is_named_or_all():
    values = np.random.default_rng(0).normal(size=(6, 7, 5))
    for axis in (0, 1, 2, -1, -2):
        np.testing.assert_allclose(iqm(values, axis=axis), scipy.stats.trim_mean(values, 0.25, axis=axis))
    assert iqm(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25, axis=None))


@pytest.mark.parametrize("statistic", [iqm, np.mean])
def test_one_task_agrees_with_the_bootstrap_of_scipy(statistic):
    scores = np.random.default_rng(1).exponential(size=12)
    ours = stratified_bootstrap([scores], statistic=statistic, confidence=0.9, resamples=40_000)
    theirs = scipy.stats.bootstrap(
        (scores,),
        statistic,
        confidence_level=0.9,
        n_resamples=40_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    tolerance = 0.02 * (theirs.high - theirs.low)  # five standard errors of a 5% quantile
    np.testing.assert_allclose([ours.low, ours.high], theirs, atol=tolerance)
    assert ours.estimate == pytest.approx(statistic(scores))


def test_several_tasks_agree_with_resampling_them_one_by_one():
    """An oracle in loops, with tasks of different sizes."""
    rng = np.random.default_rng(3)
    strata = [rng.normal(10 * task, 1 + task, size=size) for task, size in enumerate((4, 9, 6))]
    means = [
        scipy.stats.trim_mean([x for s in strata for x in rng.choice(s, size=s.size)], 0.25)
        for _ in range(4000)
    ]
    ours = stratified_bootstrap(strata, resamples=20_000)
    width = ours.high - ours.low
    np.testing.assert_allclose([ours.low, ours.high], np.quantile(means, [0.025, 0.975]), atol=0.08 * width)


def test_tasks_are_never_exchanged():
    """Runs that agree within their task leave no doubt, however far the tasks are apart."""
    scores = np.repeat([[1.0], [5.0], [90.0], [7.0]], 6, axis=1)
    assert stratified_bootstrap(scores) == Interval(6.0, 6.0, 6.0)
    pooled = stratified_bootstrap([scores.ravel()])
    assert pooled.high - pooled.low > 1.0, "without strata there would be doubt"


@pytest.mark.parametrize("statistic", [iqm, np.mean])
def test_intervals_hold_the_truth_as_often_as_they_promise(statistic):
    """2 tasks of 30 normal scores around 0: of 600 intervals of 90%, about 540 hold 0 (standard error 7)."""
    rng = np.random.default_rng(4)
    trials = rng.normal(size=(600, 2, 30))
    found = [
        stratified_bootstrap(scores, statistic=statistic, confidence=0.9, resamples=400, seed=i)
        for i, scores in enumerate(trials)
    ]
    held = np.mean([interval.low <= 0.0 <= interval.high for interval in found])
    assert 0.86 <= held <= 0.93, held
    halves = np.mean([interval.low <= 0.3 <= interval.high for interval in found])
    assert halves < 0.6, "an interval that holds everything says nothing"


def test_draws_repeat_and_nothing_to_draw_from_is_refused():
    scores = np.random.default_rng(5).normal(size=(3, 5))
    assert stratified_bootstrap(scores, seed=1) == stratified_bootstrap(scores, seed=1)
    assert stratified_bootstrap(scores, seed=1) != stratified_bootstrap(scores, seed=2)
    for strata in ([], [np.ones(3), np.ones(0)]):
        with pytest.raises(ValueError, match="at least one score"):
            stratified_bootstrap(strata)
