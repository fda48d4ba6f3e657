"""Elo ratings from results: the Bradley-Terry model's maximum likelihood, with intervals.

Player i beats j with probability 1 / (1 + 10^((r_j - r_i) / 400)); a draw counts as half a win and half a
loss (the likelihood: Hunter 2004, "MM algorithms for generalized Bradley-Terry models", section 2). Intervals
come from the observed information; draws vary less than wins and losses do, so with draws they are too wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from imaginax.types import ConfigError

SCALE = 400 / math.log(10)  # Elo points per unit of log-odds


class Pairing(NamedTuple):
    """What `first` reached against `second`."""

    first: str
    second: str
    wins: float
    draws: float
    losses: float


class Rating(NamedTuple):
    """A player's Elo with its interval; the anchor's is exact."""

    name: str
    elo: float
    low: float
    high: float
    games: float


def fit_elo(
    pairings: Iterable[Pairing],
    *,
    anchor: str,
    anchor_elo: float = 0.0,
    prior_draws: float = 0.0,
    confidence: float = 0.95,
) -> tuple[Rating, ...]:
    """The most likely ratings of all players, the strongest first.

    Args:
        pairings: results; a pair may occur more than once and in either order.
        anchor: the player whose rating is fixed.
        anchor_elo: at this.
        prior_draws: imagined draws added to every pair that met. Above 0, ratings are finite even where
            someone won every game.
        confidence: of the intervals.

    Raises:
        ConfigError: for an unknown anchor, negative counts, a player against itself, players whom no chain of
            games joins, or, without a prior, a group of players that never scored against the rest.
    """
    pairings = list(pairings)
    names = _names(pairings)
    if anchor not in names:
        raise ConfigError(f"anchor {anchor!r} played no game; players: {', '.join(names)}")
    points, games = _tables(pairings, names)
    _check_joined(names, games > 0, "met no other in any game; let them play")
    met = games > 0
    points, counted = points + prior_draws / 2 * met, games + prior_draws * met
    _check_joined(
        names, points > 0, "never scored against the rest or never lost a point; give prior_draws above 0"
    )
    fixed = names.index(anchor)
    log_odds, information = _newton(points, counted, fixed)
    free = np.arange(len(names)) != fixed
    deviation = np.zeros(len(names))
    deviation[free] = np.sqrt(np.diag(np.linalg.inv(information[np.ix_(free, free)])))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * deviation * SCALE
    elo = anchor_elo + SCALE * log_odds
    table = [
        Rating(name, float(elo[i]), float(elo[i] - half[i]), float(elo[i] + half[i]), float(games[i].sum()))
        for i, name in enumerate(names)
    ]
    return tuple(sorted(table, key=lambda row: -row.elo))


def _names(pairings: Sequence[Pairing]) -> list[str]:
    for pairing in pairings:
        counts = (pairing.wins, pairing.draws, pairing.losses)
        if pairing.first == pairing.second:
            raise ConfigError(f"pairing of {pairing.first!r} with itself says nothing about ratings")
        if not all(0 <= count < math.inf for count in counts):
            raise ConfigError(f"pairing {pairing.first!r} - {pairing.second!r} has a bad count in {counts}")
    return list(dict.fromkeys(name for pairing in pairings for name in pairing[:2]))


def _tables(pairings: Sequence[Pairing], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """points[i, j] that i took from j, and games[i, j] between them."""
    points = np.zeros((len(names), len(names)))
    for first, second, wins, draws, losses in pairings:
        i, j = names.index(first), names.index(second)
        points[i, j] += wins + draws / 2
        points[j, i] += losses + draws / 2
    return points, points + points.T


def _check_joined(names: list[str], linked: np.ndarray, complaint: str) -> None:
    """Everyone must reach everyone along `linked`, or the likelihood has no maximum."""
    reach = linked | np.eye(len(names), dtype=bool)
    for _ in names:
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    lonely = [name for i, name in enumerate(names) if not reach[i].all() or not reach[:, i].all()]
    if lonely:
        raise ConfigError(f"no rating is most likely: of {', '.join(lonely)} some {complaint}")


def _newton(points: np.ndarray, games: np.ndarray, fixed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of every player with that of `fixed` 0, and the information matrix there.

    The log-likelihood is concave; a step is halved until it does not make it worse.
    """
    free = np.arange(len(points)) != fixed
    theta = np.zeros(len(points))
    likelihood = _log_likelihood(theta, points)
    for _ in range(200):
        gradient, information = _derivatives(theta, points, games)
        step = np.zeros_like(theta)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], gradient[free])
        trial, size = _log_likelihood(theta + step, points), 1.0
        while trial < likelihood and size > 1e-8:
            size /= 2
            trial = _log_likelihood(theta + size * step, points)
        theta, likelihood = theta + size * step, trial
        if np.abs(size * step).max() < 1e-10:
            break
    return theta, _derivatives(theta, points, games)[1]


def _log_likelihood(theta: np.ndarray, points: np.ndarray) -> float:
    return -float((points * np.logaddexp(0, theta[None, :] - theta[:, None])).sum())


def _derivatives(theta: np.ndarray, points: np.ndarray, games: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probability = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    gradient = (points - games * probability).sum(axis=1)
    weight = games * probability * (1 - probability)
    return gradient, np.diag(weight.sum(axis=1)) - weight


def expected_score(elo: float, other: float) -> float:
    """The score that a player of `elo` should reach against one of `other`."""
    return 1 / (1 + 10 ** ((other - elo) / 400))
