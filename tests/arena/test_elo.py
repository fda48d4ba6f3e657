"""Ratings against closed forms, another optimiser and simulated leagues."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import optimize

from imaginax.arena.elo import SCALE, Pairing, expected_score, fit_elo
from imaginax.types import ConfigError


def ratings(pairings, **options):
    return {row.name: row for row in fit_elo(pairings, **options)}


@pytest.mark.parametrize(("wins", "draws", "losses"), [(3, 0, 1), (60, 20, 20), (1, 98, 1), (10, 0, 90)])
def test_two_players_have_the_closed_form(wins, draws, losses):
    """The difference is 400 log10(p / (1 - p)), its standard error SCALE / sqrt(n p (1 - p))."""
    table = ratings([Pairing("a", "b", wins, draws, losses)], anchor="b", anchor_elo=1000.0)
    games = wins + draws + losses
    p = (wins + draws / 2) / games
    elo = 1000 + 400 * math.log10(p / (1 - p))
    half = 1.959963984540054 * 400 / math.log(10) / math.sqrt(games * p * (1 - p))
    assert table["a"][1:] == pytest.approx((elo, elo - half, elo + half, games), abs=1e-6)
    assert table["b"] == ("b", 1000, 1000, 1000, games)
    assert expected_score(table["a"].elo, 1000.0) == pytest.approx(p)


def league(rng, strengths, games):
    names = [f"p{i}" for i in range(len(strengths))]
    rows = []
    for i, j in itertools.combinations(range(len(names)), 2):
        wins = rng.binomial(games, expected_score(strengths[i], strengths[j]))
        rows.append(Pairing(names[i], names[j], wins, 0, games - wins))
    return rows


def test_the_maximum_is_that_of_another_optimiser():
    """BFGS on the likelihood written game by game, with draws and a prior; rows in either direction."""
    rng = np.random.default_rng(0)
    rows = [row._replace(draws=3) for row in league(rng, np.array([0.0, 120, -250, 600, 90]), 12)]
    table = ratings(rows, anchor="p2", prior_draws=1.5)
    names = [f"p{i}" for i in range(5)]

    def loss(free):
        strength = dict(zip(["p0", "p1", "p3", "p4"], free, strict=True)) | {"p2": 0.0}
        total = 0.0
        for first, second, wins, draws, losses in rows:
            difference = strength[first] - strength[second]
            half = (draws + 1.5) / 2
            total += (wins + half) * np.log1p(np.exp(-difference))
            total += (losses + half) * np.log1p(np.exp(difference))
        return total

    best = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    expected = SCALE * np.insert(best.x, 2, 0.0)
    np.testing.assert_allclose([table[name].elo for name in names], expected, atol=0.02)
    turned = [Pairing(s, f, losses, draws, wins) for f, s, wins, draws, losses in reversed(rows)]
    again = ratings(turned, anchor="p2", prior_draws=1.5)
    np.testing.assert_allclose([again[name].elo for name in names], expected, atol=0.02)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """300 leagues of four players: means recover the ratings, 95% intervals cover about 95%."""
    rng = np.random.default_rng(1)
    truth = np.array([0.0, 100.0, 250.0, -150.0])
    covered, errors = [], []
    for _ in range(300):
        table = ratings(league(rng, truth, 60), anchor="p0")
        for i in (1, 2, 3):
            row = table[f"p{i}"]
            covered.append(row.low <= truth[i] <= row.high)
            errors.append(row.elo - truth[i])
    assert abs(np.mean(errors)) < 6
    assert 0.92 < np.mean(covered) < 0.98


def test_draws_make_intervals_too_wide_rather_than_too_narrow():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        wins, draws, losses = rng.multinomial(50, [0.35, 0.45, 0.2])
        row = ratings([Pairing("a", "b", wins, draws, losses)], anchor="b")["a"]
        covered.append(row.low <= 400 * math.log10(0.575 / 0.425) <= row.high)
    assert np.mean(covered) > 0.95


def test_a_prior_tames_a_shut_out_and_the_order_is_by_strength():
    rows = [Pairing("a", "b", 10, 0, 0), Pairing("b", "c", 10, 0, 0)]
    table = fit_elo(rows, anchor="c", prior_draws=1.0)
    assert [row.name for row in table] == ["a", "b", "c"]
    # with one imagined draw, 10.5 of 11 points each
    assert table[1].elo == pytest.approx(400 * math.log10(10.5 / 0.5))
    assert table[0].elo == pytest.approx(2 * table[1].elo)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([Pairing("a", "b", 1, 0, 1)], {"anchor": "c"}, "anchor 'c' played no game; players: a, b"),
        ([Pairing("a", "b", 5, 0, 0)], {"anchor": "a"}, "a, b.*prior_draws"),
        ([Pairing("a", "b", 1, 0, 1), Pairing("c", "d", 1, 0, 1)], {"anchor": "a"}, "let them play"),
        ([Pairing("a", "a", 1, 0, 1)], {"anchor": "a"}, "with itself"),
        ([Pairing("a", "b", -1, 0, 1)], {"anchor": "a"}, "bad count"),
        ([Pairing("a", "b", math.nan, 0, 1)], {"anchor": "a"}, "bad count"),
    ],
)
def test_what_has_no_answer_is_refused(rows, options, message):
    with pytest.raises(ConfigError, match=message):
        fit_elo(rows, **options)
