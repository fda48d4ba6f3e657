"""Elo ratings from results: the Bradley-Terry model, with intervals that say where the data say nothing.

Player i beats j with probability 1 / (1 + 10^((r_j - r_i) / 400)); a draw counts as half a win and half a
loss (the likelihood: Hunter 2004, "MM algorithms for generalized Bradley-Terry models", section 2). Its
maximum is finite for the players whom chains of points join to the anchor in both directions (Hunter's
Assumption 1). Of the others the data give only a bound: whoever lost every game may be as weak as you like,
and a prior that says otherwise would be the only source of its rating.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from imaginax.arena.score import Unit, expanded
from imaginax.types import ConfigError

SCALE = 400 / math.log(10)  # Elo points per unit of log-odds
_RIDGE = 1e-6  # weight of theta^2 / 2 where a likelihood without a maximum is followed towards its supremum
_FARTHEST = 30.0  # log-odds, 5200 Elo


class Pairing(NamedTuple):
    """What `first` reached against `second`.

    `units` are the openings with the points of `first` (`score.Score`), which intervals draw anew. Without
    them every game counts as an observation of its own.
    """

    first: str
    second: str
    wins: float
    draws: float
    losses: float
    units: tuple[Unit, ...] = ()


class Rating(NamedTuple):
    """A player's Elo with its interval; the anchor's is exact.

    bound: empty where the data determine the rating; "at most" or "at least" where they bound it on one side:
        then `elo` is the bound, at the confidence of the intervals, and the interval has no other end
        (infinite); "unknown" where they do not bound it at all (`elo` is not a number).
    """

    name: str
    elo: float
    low: float
    high: float
    games: float
    bound: str = ""


def fit_elo(
    pairings: Iterable[Pairing],
    *,
    anchor: str,
    anchor_elo: float = 0.0,
    prior_draws: float = 1.0,
    confidence: float = 0.95,
    resamples: int = 400,
    seed: int = 0,
) -> tuple[Rating, ...]:
    """The most likely ratings of all players, the strongest first.

    Intervals are percentiles of ratings fitted to openings drawn anew. No prior enters a rating. Instead it
    is a bound, from the profile likelihood, if a prior could change it: if more than a tail of the redrawn
    results leave the player without a finite rating, or if imagined draws move it out of its interval.

    Args:
        pairings: results; a pair may occur more than once and in either order.
        anchor: the player whose rating is fixed. The strongest with many games is the best one: distances to
            players who never score are bounds only.
        anchor_elo: at this.
        prior_draws: imagined draws of every pair that met, which no rating may depend on.
        confidence: of the intervals and bounds.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ConfigError: for an unknown anchor, negative counts, a player against itself or players whom no chain
            of games joins.
    """
    pairings = list(pairings)
    names = _names(pairings)
    if anchor not in names:
        raise ConfigError(f"anchor {anchor!r} played no game; players: {', '.join(names)}")
    points, fixed = _points(pairings, names), names.index(anchor)
    games = (points + points.T).sum(axis=1)
    _check_joined(names, points + points.T > 0)
    rng, tail = np.random.default_rng(seed), (1 - confidence) / 2
    drawn = np.stack([_points(_redrawn(pairings, rng), names) for _ in range(resamples)])
    elo, several = SCALE * _ratings(points, fixed), SCALE * _ratings(drawn, fixed)
    imagined = SCALE * _ratings(points + prior_draws / 2 * (points + points.T > 0), fixed)
    trials = _points([_as_trials(pairing) for pairing in pairings], names)
    table = []
    for i, name in enumerate(names):
        low, high = np.quantile(np.append(several[:, i], elo[i]), [tail, 1 - tail], method="nearest")
        bound = _bound(low, high, elo[i], imagined[i])
        at, low, high = _bounded(trials, i, fixed, bound, confidence) if bound else (elo[i], low, high)
        at, low, high = (anchor_elo + float(value) for value in (at, low, high))
        table.append(Rating(name, at, low, high, float(games[i]), bound))
    return tuple(sorted(table, key=lambda row: (math.isnan(row.elo), -row.elo)))


def _names(pairings: Sequence[Pairing]) -> list[str]:
    for pairing in pairings:
        counts = (pairing.wins, pairing.draws, pairing.losses)
        if pairing.first == pairing.second:
            raise ConfigError(f"pairing of {pairing.first!r} with itself says nothing about ratings")
        if not all(0 <= count < math.inf for count in counts):
            raise ConfigError(f"pairing {pairing.first!r} - {pairing.second!r} has a bad count in {counts}")
    return list(dict.fromkeys(name for pairing in pairings for name in pairing[:2]))


def _points(pairings: Sequence[Pairing], names: list[str]) -> Float[np.ndarray, "P P"]:
    """[i, j]: what i took from j."""
    points = np.zeros((len(names), len(names)))
    for first, second, wins, draws, losses, _ in pairings:
        i, j = names.index(first), names.index(second)
        points[i, j] += wins + draws / 2
        points[j, i] += losses + draws / 2
    return points


def _check_joined(names: list[str], met: Bool[np.ndarray, "P P"]) -> None:
    reach = _reach(met)
    lonely = [name for i, name in enumerate(names) if not reach[i].all()]
    if lonely:
        raise ConfigError(
            f"no rating is most likely: of {', '.join(lonely)} some met no other; let them play"
        )


def _reach(linked: Bool[np.ndarray, "*R P P"]) -> Bool[np.ndarray, "*R P P"]:
    """Whether a chain of links leads from i to j."""
    reach = linked | np.eye(linked.shape[-1], dtype=bool)
    for _ in range(linked.shape[-1].bit_length()):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return reach


def _redrawn(pairings: Sequence[Pairing], rng: np.random.Generator) -> list[Pairing]:
    """The same numbers of games, with the outcomes of openings (else of games) drawn with replacement."""
    found = []
    for pairing in pairings:
        first, second, wins, draws, losses, units = pairing
        total = wins + draws + losses
        if units:
            points, games = expanded(units)
            drawn = rng.integers(len(points), size=len(points))
            won = round(float(total * points[drawn].sum() / games[drawn].sum()), 9)  # 0 and all are exact
            found.append(Pairing(first, second, won, 0, total - won))
        elif total:
            drawn = rng.multinomial(round(total), np.array([wins, draws, losses]) / total)
            wins, draws, losses = drawn.tolist()
            found.append(Pairing(first, second, wins, draws, losses))
    return found


def _as_trials(pairing: Pairing) -> Pairing:
    """The share of the points, with as many games as there are units: what a bound may count on."""
    first, second, wins, draws, losses, units = pairing
    scale = sum(unit.count for unit in units) / (wins + draws + losses) if units else 1.0
    return Pairing(first, second, wins * scale, draws * scale, losses * scale)


def _ratings(points: Float[np.ndarray, "*R P P"], fixed: int) -> Float[np.ndarray, "*R P"]:
    """Log-odds against `fixed`; -inf or inf for those below or above all who are joined, else nan."""
    reach = _reach(points > 0)
    scores, concedes = reach[..., :, fixed], reach[..., fixed, :]
    joined = scores & concedes
    points = np.where(joined[..., :, None] & joined[..., None, :], points, 0.0)
    free = joined & (np.arange(points.shape[-1]) != fixed)
    theta = _newton(points, free, np.zeros(joined.shape))
    return np.where(scores, np.where(concedes, theta, np.inf), np.where(concedes, -np.inf, np.nan))


def _newton(
    points: Float[np.ndarray, "*R P P"],
    free: Bool[np.ndarray, "*R P"],
    theta: Float[np.ndarray, "*R P"],
    ridge: float = 0.0,
) -> Float[np.ndarray, "*R P"]:
    """The most likely log-odds, where those that are not free stay as they are.

    The log-likelihood less ridge theta^2 / 2 is concave; a step is halved until it does not make it worse.
    """
    games = points + np.swapaxes(points, -1, -2)

    def objective(theta: Float[np.ndarray, "*R P"]) -> np.ndarray:
        return np.asarray(_log_likelihood(theta, points) - ridge / 2 * (theta**2).sum(axis=-1))

    value = objective(theta)
    for _ in range(200):
        probability = (1 + np.tanh((theta[..., :, None] - theta[..., None, :]) / 2)) / 2
        gradient = np.where(free, (points - games * probability).sum(axis=-1) - ridge * theta, 0.0)
        weight = games * probability * (1 - probability)
        information = _diagonal(weight.sum(axis=-1) + ridge) - weight
        both = free[..., :, None] & free[..., None, :]
        information = np.where(both, information, 0.0) + _diagonal((~free).astype(float))
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        size = np.ones(value.shape)
        for _ in range(40):
            trial = objective(theta + size[..., None] * step)
            if not (worse := trial < value).any():
                break
            size = np.where(worse, size / 2, size)
        theta, value = theta + size[..., None] * step, np.maximum(trial, value)
        if np.abs(size[..., None] * step).max() < 1e-9:
            break
    return theta


def _diagonal(values: Float[np.ndarray, "*R P"]) -> Float[np.ndarray, "*R P P"]:
    return values[..., None] * np.eye(values.shape[-1])


def _log_likelihood(
    theta: Float[np.ndarray, "*R P"], points: Float[np.ndarray, "*R P P"]
) -> Float[np.ndarray, "*R"]:
    terms = points * np.logaddexp(0, theta[..., None, :] - theta[..., :, None])
    return np.asarray(-terms.sum(axis=(-1, -2)))


def _bound(low: float, high: float, elo: float, imagined: float) -> str:
    """On which side the data, without imagined draws, leave a rating open."""
    if not low <= high:  # nan
        return "unknown"
    below, above = min(low, elo) == -math.inf, max(high, elo) == math.inf
    if below and above:
        return "unknown"
    if below or not above and imagined > high:
        return "at most"
    return "at least" if above or imagined < low else ""


def _bounded(
    points: Float[np.ndarray, "P P"], i: int, fixed: int, bound: str, confidence: float
) -> tuple[float, float, float]:
    """(bound, low, high): where the profile likelihood of player i falls to 1 - confidence of its supremum.

    Of a player who lost n games, all against the anchor, that is the exact binomial bound: the anchor's
    chance is at least (1 - confidence)^(1/n).
    """
    if bound == "unknown":
        return math.nan, -math.inf, math.inf
    sign = 1 if bound == "at most" else -1
    players = np.arange(len(points))
    best = _newton(points, players != fixed, np.zeros(len(points)), _RIDGE)
    wanted = _log_likelihood(best, points) + math.log(1 - confidence)
    inside, outside = float(best[i]), sign * _FARTHEST
    for _ in range(25):
        middle = (inside + outside) / 2
        start = np.where(players == i, middle, 0.0)
        found = _newton(points, (players != fixed) & (players != i), start, _RIDGE)
        inside, outside = (middle, outside) if _log_likelihood(found, points) > wanted else (inside, middle)
    limit = SCALE * inside
    return (limit, -math.inf, limit) if sign > 0 else (limit, limit, math.inf)


def expected_score(elo: float, other: float) -> float:
    """The score that a player of `elo` should reach against one of `other`."""
    return 1 / (1 + 10 ** ((other - elo) / 400))
