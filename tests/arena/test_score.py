"""Scores and their intervals, where games repeat and where they do not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imaginax.arena.match import MatchResult
from imaginax.arena.score import Unit, expanded, interval, summarise, wilson


def result(outcome, opening, actions) -> MatchResult:
    outcome = jnp.asarray(outcome, jnp.float32)
    half = len(outcome) // 2
    return MatchResult(
        outcome=outcome,
        first_began=jnp.arange(2 * half) < half,
        length=jnp.full(2 * half, 2),
        truncated=jnp.zeros(2 * half, bool),
        opening=jnp.asarray(opening),
        actions=jnp.asarray(actions).T,
    )


def test_a_hundred_copies_of_two_games_are_two_games():
    """What a deterministic player makes of 100 games from the empty board."""
    score = summarise(result([1] * 100, [0] * 100, [[0, 4]] * 50 + [[4, 0]] * 50))
    assert (score.games, score.wins, score.distinct, score.score) == (100, 100, 2, 1.0)
    assert score.units == (Unit(50.0, 50.0, 2),)
    assert (score.low, score.high) == wilson(1.0, 2) and score.low < 0.35


def test_both_games_of_an_opening_are_one_observation():
    """Twenty openings, each won with one colour and lost with the other: all alike, whatever the games."""
    games = [[i, j] for j in (0, 1) for i in range(20)]
    score = summarise(result([1] * 20 + [-1] * 20, [*range(20)] * 2, games))
    assert score.distinct == 40 and score.units == (Unit(1.0, 2.0, 20),)
    assert (score.low, score.high) == wilson(0.5, 20)
    assert (score.beginning, score.replying) == ((20, 0, 0), (0, 0, 20))


def test_copies_of_pairs_do_not_narrow_the_interval():
    """Ten games four times over have the interval of ten games, not of forty."""
    outcome = [1, 1, -1, 0, 1, -1, 1, 1, 0, 1]
    once = summarise(result(outcome, [0] * 10, [[i, i] for i in range(10)]))
    often = summarise(result(outcome * 4, [0] * 40, [[i, i] for i in range(10)] * 4))
    assert often.distinct == once.distinct == 10
    assert often.high - often.low == pytest.approx(once.high - once.low)
    assert often.score == once.score == pytest.approx(0.7)


def test_the_interval_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(0)
    points = rng.choice([0.0, 0.5, 1.0, 1.5, 2.0], 60, p=[0.1, 0.1, 0.3, 0.2, 0.3])
    units = [Unit(float(point), 2.0, 1) for point in points]
    low, high = interval(units)
    other = stats.bootstrap((points / 2,), np.mean, method="percentile", n_resamples=20_000, rng=rng)
    np.testing.assert_allclose((low, high), other.confidence_interval, atol=0.01)
    counted = [Unit(point, 2.0, int((points == point).sum())) for point in np.unique(points).tolist()]
    np.testing.assert_allclose(interval(counted), (low, high), atol=0.01)
    assert len(expanded(counted)[0]) == 60


@pytest.mark.parametrize("chance", [0.6, 0.8])
def test_intervals_cover_the_truth_where_openings_repeat_their_outcome(chance):
    """Both games of an opening go alike: the interval of 30 openings holds, one of 60 games does not."""
    rng = np.random.default_rng(1)
    covered, naive = [], []
    for _ in range(300):
        won = (rng.uniform(size=30) < chance).sum().item()
        low, high = interval([Unit(2.0, 2.0, won), Unit(0.0, 2.0, 30 - won)])
        covered.append(low <= chance <= high)
        low, high = wilson(won / 30, 60)
        naive.append(low <= chance <= high)
    assert np.mean(covered) > 0.9 > np.mean(naive)


@pytest.mark.parametrize(("wins", "games"), [(0, 10), (7, 10), (53, 100), (100, 100)])
def test_wilson_equals_scipy(wins, games):
    exact = stats.binomtest(wins, games).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(wins / games, games), (exact.low, exact.high), atol=1e-12)
