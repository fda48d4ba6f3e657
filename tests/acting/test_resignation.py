"""Resignation: the threshold keeps wrong resignations rare, and is counted from held-out games only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.acting import resignation
from imaginax.acting.config import ResignationConfig
from imaginax.acting.resignation import NEVER
from imaginax.types import TimeStep

CONFIG = ResignationConfig(memory=64, min_games=50)


def _known(doubtful, any_):
    known = resignation.start(CONFIG, len(doubtful) // CONFIG.memory)
    shape = known.any.shape
    return known._replace(
        doubtful=jnp.asarray(doubtful, jnp.float32).reshape(shape),
        any=jnp.asarray(any_, jnp.float32).reshape(shape),
        count=jnp.full(shape[0], CONFIG.memory),
    )


def test_the_threshold_is_the_highest_that_is_seldom_wrong():
    rng = np.random.default_rng(0)
    losers = rng.uniform(-1, -0.2, 1280)  # everybody who lost saw it coming, sooner or later
    winners = np.where(rng.random(1280) < 0.5, rng.uniform(-0.95, -0.5, 1280), 0.0)
    found = float(resignation.threshold(CONFIG, _known(winners, np.minimum(winners, losers))))
    low = np.minimum(winners, losers)
    share = lambda v: np.mean(winners[low <= v] <= v)  # noqa: E731
    values = np.linspace(-1, CONFIG.max_threshold, 100)
    best = max(v for v in values if np.any(low <= v) and share(v) <= CONFIG.wrong)
    np.testing.assert_allclose(found, best, atol=1e-5)
    assert share(found) <= 0.05 < share(found + 0.1)


def test_nobody_resigns_before_enough_games_are_known():
    known = resignation.start(CONFIG, 4)
    known, resigns = resignation.decide(CONFIG, known, jnp.zeros(4, jnp.int32), jnp.full(4, -1.0))
    assert float(resignation.threshold(CONFIG, known)) == NEVER and not resigns.any()


def _step(first, reward, player):
    n = len(first)
    false = jnp.zeros(n, bool)
    return TimeStep(
        jnp.zeros(n),
        jnp.asarray(reward, jnp.float32),
        jnp.ones(n),
        jnp.asarray(first),
        false,
        false,
        None,
        player,
    )


def test_only_held_out_games_are_counted_and_for_whoever_did_not_lose():
    config = ResignationConfig(held_out=0.5, memory=8, min_games=1)
    games = 64
    known = resignation.start(config, games)
    rng = np.random.default_rng(1)
    values = rng.uniform(-1, 1, (3, games)).astype(np.float32)  # of plies 0, 1, 2: players 0, 1, 0
    known = resignation.follow(config, known, _step([True] * games, np.zeros(games), 0), jax.random.key(0))
    held = np.asarray(known.plays_on)
    for ply in range(3):
        if ply:
            step = _step([False] * games, np.zeros(games), ply % 2)
            known = resignation.follow(config, known, step, jax.random.key(ply))
        known, _ = resignation.decide(config, known, jnp.full(games, ply % 2), jnp.asarray(values[ply]))
    reward = rng.choice([1.0, 0.0, -1.0], games)  # of player 0, who moved last
    known = resignation.follow(config, known, _step([True] * games, reward, 0), jax.random.key(9))
    first, second = np.minimum(values[0], values[2]), values[1]
    kept = np.where(reward > 0, first, np.where(reward < 0, second, np.minimum(first, second)))
    assert 16 < held.sum() < 48
    assert np.array_equal(known.count, held.astype(int))
    np.testing.assert_allclose(known.doubtful[held, 0], kept[held])
    np.testing.assert_allclose(known.any[held, 0], np.minimum(first, second)[held])
    assert np.all(np.asarray(known.any)[~held] == 1.0)
    np.testing.assert_array_equal(known.lowest, 1.0)


def test_held_out_games_are_never_given_up():
    known = _known([0.5] * 64, [-0.9] * 64)
    value = jnp.full(1, -0.99)
    for plays_on in (False, True):
        state = known._replace(plays_on=jnp.full(1, plays_on))
        _, resigns = resignation.decide(CONFIG, state, jnp.zeros(1, jnp.int32), value)
        assert bool(resigns[0]) is not plays_on
