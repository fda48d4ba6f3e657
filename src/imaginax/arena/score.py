"""A match in numbers, with an interval that counts no game twice.

A player that does nothing by chance repeats its games, and both games of an opening depend on it. Openings,
not games, are therefore what the interval draws anew; from a single position, different games are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from imaginax.arena.match import MatchResult
from imaginax.runtime.statistics import stratified_bootstrap

FEW = 5  # units with which the bootstrap begins


class Unit(NamedTuple):
    """Games that depend on each other: those of an opening, or copies of one game.

    points: their points; a draw is half a point.
    games: how many they are.
    count: units with these points and games.
    """

    points: float
    games: float
    count: int


class Score(NamedTuple):
    """A match in numbers, from the first player's view.

    `score` is (wins + draws / 2) / games and [low, high] its 95% `interval`. `beginning` and `replying` are
    (wins, draws, losses) with either colour. `distinct` counts the games whose moves differ. `units` are the
    openings; or, where all games begin alike, the distinct games.
    """

    wins: int
    draws: int
    losses: int
    score: float
    low: float
    high: float
    beginning: tuple[int, int, int]
    replying: tuple[int, int, int]
    length: float
    truncated: int
    distinct: int
    units: tuple[Unit, ...]

    @property
    def games(self) -> int:
        """All games of the match."""
        return self.wins + self.draws + self.losses


def summarise(result: MatchResult) -> Score:
    """Counts a match on the host."""
    outcome, began, opening = (
        np.asarray(leaf) for leaf in (result.outcome, result.first_began, result.opening)
    )
    game = np.unique(np.asarray(result.actions), axis=1, return_inverse=True)[1].reshape(-1)
    units = _units(outcome, opening if np.ptp(opening) else game)
    low, high = interval(units)
    wins, draws, losses = _counts(outcome)
    return Score(
        wins,
        draws,
        losses,
        float((outcome.mean() + 1) / 2),
        low,
        high,
        beginning=_counts(outcome[began]),
        replying=_counts(outcome[~began]),
        length=float(np.mean(result.length)),
        truncated=int(np.sum(result.truncated)),
        distinct=int(game.max()) + 1,
        units=units,
    )


def _counts(outcome: np.ndarray) -> tuple[int, int, int]:
    return int((outcome > 0).sum()), int((outcome == 0).sum()), int((outcome < 0).sum())


def _units(outcome: np.ndarray, label: Int[np.ndarray, "G"]) -> tuple[Unit, ...]:
    """Points and games of all games with the same label."""
    _, label = np.unique(label, return_inverse=True)
    sums = np.stack([np.bincount(label, (outcome + 1) / 2), np.bincount(label)], axis=1)
    kinds, counts = np.unique(sums, axis=0, return_counts=True)
    return tuple(
        Unit(points, games, count)
        for (points, games), count in zip(kinds.tolist(), counts.tolist(), strict=True)
    )


def interval(units: Sequence[Unit], confidence: float = 0.95) -> tuple[float, float]:
    """Ends of the percentile bootstrap interval, over units, of all points / all games.

    Units that all score alike, or are fewer than `FEW`, say nothing about how much they vary: then it is
    Wilson's interval with each of them as one game.
    """
    points, games = expanded(units)
    score = float(points.sum() / games.sum())
    if len(points) < FEW or np.ptp(points / games) == 0:
        return wilson(score, len(points), confidence)

    def share(drawn: np.ndarray, axis: int | None = None):
        drawn = drawn.astype(int)
        return points[drawn].sum(axis) / games[drawn].sum(axis)

    found = stratified_bootstrap(
        [np.arange(len(points), dtype=float)], statistic=share, confidence=confidence
    )
    return found.low, found.high


def expanded(units: Sequence[Unit]) -> tuple[Float[np.ndarray, "U"], Float[np.ndarray, "U"]]:
    """Points and games of every single unit."""
    points, games, counts = np.asarray(units, float).T
    return np.repeat(points, counts.astype(int)), np.repeat(games, counts.astype(int))


def wilson(score: float, games: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a probability estimated by `score` from `games` independent trials."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (score + z * z / (2 * games)) / (1 + z * z / games)
    spread = z / (1 + z * z / games) * math.sqrt(score * (1 - score) / games + (z / (2 * games)) ** 2)
    return max(0.0, centre - spread), min(1.0, centre + spread)
