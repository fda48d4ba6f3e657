"""Ratings against closed forms, another optimiser and simulated leagues."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

from imaginax.arena import elo
from imaginax.arena.elo import SCALE, Pairing, expected_score, fit_elo
from imaginax.arena.score import Unit
from imaginax.types import ConfigError


def ratings(pairings, **options):
    return {row.name: row for row in fit_elo(pairings, **options)}


@pytest.mark.parametrize(("wins", "draws", "losses"), [(60, 20, 20), (1, 98, 1), (10, 0, 90)])
def test_two_players_have_the_closed_form(wins, draws, losses):
    """The difference is 400 log10(p / (1 - p))."""
    table = ratings([Pairing("a", "b", wins, draws, losses)], anchor="b", anchor_elo=1000.0)
    games = wins + draws + losses
    p = (wins + draws / 2) / games
    expected = 1000 + 400 * math.log10(p / (1 - p))
    assert table["a"].elo == pytest.approx(expected, abs=1e-6) and table["a"].games == games
    assert table["b"] == ("b", 1000, 1000, 1000, games, "")
    assert expected_score(table["a"].elo, 1000.0) == pytest.approx(p)


def league(rng, strengths, games):
    names = [f"p{i}" for i in range(len(strengths))]
    rows = []
    for i, j in itertools.combinations(range(len(names)), 2):
        wins = rng.binomial(games, expected_score(strengths[i], strengths[j]))
        rows.append(Pairing(names[i], names[j], wins, 0, games - wins))
    return rows


def test_the_maximum_is_that_of_another_optimiser():
    """BFGS on the likelihood written game by game, with draws; rows in either direction."""
    rng = np.random.default_rng(0)
    rows = [row._replace(draws=3) for row in league(rng, np.array([0.0, 120, -250, 400, 90]), 12)]
    names = [f"p{i}" for i in range(5)]
    assert not any(row.bound for row in fit_elo(rows, anchor="p2", prior_draws=0.1))
    table = ratings(rows, anchor="p2", prior_draws=0.1)

    def loss(free):
        strength = dict(zip(["p0", "p1", "p3", "p4"], free, strict=True)) | {"p2": 0.0}
        total = 0.0
        for first, second, wins, draws, losses, _ in rows:
            difference = strength[first] - strength[second]
            total += (wins + draws / 2) * np.log1p(np.exp(-difference))
            total += (losses + draws / 2) * np.log1p(np.exp(difference))
        return total

    best = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    expected = SCALE * np.insert(best.x, 2, 0.0)
    np.testing.assert_allclose([table[name].elo for name in names], expected, atol=0.02)
    turned = [Pairing(s, f, losses, draws, wins) for f, s, wins, draws, losses, _ in reversed(rows)]
    again = ratings(turned, anchor="p2", prior_draws=0.1)
    np.testing.assert_allclose([again[name].elo for name in names], expected, atol=0.02)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """60 leagues of four players: means recover the ratings, 95% intervals cover about 95%."""
    rng = np.random.default_rng(1)
    truth = np.array([0.0, 100.0, 200.0, -150.0])
    covered, errors = [], []
    for _ in range(60):
        table = ratings(league(rng, truth, 60), anchor="p0", resamples=100)
        for i in (1, 2, 3):
            row = table[f"p{i}"]
            covered.append(row.low <= truth[i] <= row.high)
            errors.append(row.elo - truth[i])
    assert abs(np.mean(errors)) < 12
    assert 0.88 < np.mean(covered) < 0.99


def test_openings_are_drawn_anew_and_not_games():
    """100 games of 25 openings whose four games go alike: twice the interval of 100 games."""
    counts, units = (60, 0, 40), (Unit(4.0, 4.0, 15), Unit(0.0, 4.0, 10))
    games = ratings([Pairing("a", "b", *counts)], anchor="b")["a"]
    openings = ratings([Pairing("a", "b", *counts, units)], anchor="b", resamples=2000)["a"]
    assert openings.elo == games.elo
    assert (openings.high - openings.low) / (games.high - games.low) == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("games", [10, 40, 100])
def test_who_never_scores_has_the_exact_binomial_bound(games):
    """0 of n: the chance is at most 1 - 0.05^(1/n) with 95%, whatever draws are imagined."""
    bound = SCALE * math.log((1 - 0.05 ** (1 / games)) / 0.05 ** (1 / games))
    for imagined in (0.25, 1.0, 4.0):
        table = ratings([Pairing("a", "b", games, 0, 0)], anchor="a", prior_draws=imagined)
        assert table["b"].bound == "at most" and table["b"].low == -math.inf
        assert table["b"].elo == table["b"].high == pytest.approx(bound, abs=0.1)
        turned = ratings([Pairing("a", "b", games, 0, 0)], anchor="b", prior_draws=imagined)
        assert turned["a"].bound == "at least" and turned["a"].elo == pytest.approx(-bound, abs=0.1)


def test_a_bound_counts_openings():
    units = (Unit(2.0, 2.0, 20),)
    table = ratings([Pairing("a", "b", 40, 0, 0, units)], anchor="a")
    alone = ratings([Pairing("a", "b", 20, 0, 0)], anchor="a")
    assert table["b"].elo == pytest.approx(alone["b"].elo, abs=1e-3)


def test_two_who_both_beat_a_third_have_no_distance():
    table = ratings([Pairing("a", "c", 9, 0, 0), Pairing("b", "c", 9, 0, 0)], anchor="a")
    assert table["b"].bound == "unknown" and math.isnan(table["b"].elo)
    assert table["b"].low == -math.inf and table["b"].high == math.inf
    assert [row.name for row in fit_elo([Pairing("a", "b", 9, 0, 0)], anchor="b")] == ["a", "b"]


def test_ratings_survive_a_change_of_prior_and_bounds_say_where_none_does():
    """Go 9x9 as it was played: from a quarter of an imagined draw a pair to one, determined ratings stay in
    their intervals, and the random player's moves by more than 300 Elo."""
    path = Path(__file__).parents[2] / "results" / "alphazero" / "go_9x9_gpu.json"
    stored = json.loads(path.read_text())["ladder"]["pairings"]
    rows = [Pairing(*(row[name] for name in Pairing._fields[:5])) for row in stored]
    table = {row.name: row for row in fit_elo(rows, anchor="gnugo:1")}
    assert {name for name, row in table.items() if row.bound} == {"step 9", "random"}
    names = elo._names(rows)
    points, fixed = elo._points(rows, names), names.index("gnugo:1")
    met = points + points.T > 0
    fitted = [SCALE * elo._ratings(points + draws / 2 * met, fixed) for draws in (0.25, 1.0)]
    for name, few, many in zip(names, *fitted, strict=True):
        row = table[name]
        if not row.bound:
            assert row.low <= few <= row.high and row.low <= many <= row.high
            assert abs(few - many) < 45
    i = names.index("random")
    assert abs(fitted[0][i] - fitted[1][i]) > 300
    again = fit_elo(rows, anchor="gnugo:1", prior_draws=0.25)
    assert all(one.elo == table[one.name].elo for one in again)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([Pairing("a", "b", 1, 0, 1)], {"anchor": "c"}, "anchor 'c' played no game; players: a, b"),
        ([Pairing("a", "b", 1, 0, 1), Pairing("c", "d", 1, 0, 1)], {"anchor": "a"}, "let them play"),
        ([Pairing("a", "a", 1, 0, 1)], {"anchor": "a"}, "with itself"),
        ([Pairing("a", "b", -1, 0, 1)], {"anchor": "a"}, "bad count"),
        ([Pairing("a", "b", math.nan, 0, 1)], {"anchor": "a"}, "bad count"),
    ],
)
def test_what_has_no_answer_is_refused(rows, options, message):
    with pytest.raises(ConfigError, match=message):
        fit_elo(rows, **options)
