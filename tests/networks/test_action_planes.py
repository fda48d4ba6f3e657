"""Squares of the actions against what the observation shows on them."""

import jax
import numpy as np
import pytest

from imaginax import envs
from imaginax.networks.action_planes import action_planes


def play(name, plies):
    """Observations and legal actions of a random game."""
    env = envs.make(name)
    step, random, key = jax.jit(env.step), np.random.default_rng(0), jax.random.key(0)
    state, timestep = jax.jit(env.init)(key)
    for _ in range(plies):
        legal = np.flatnonzero(timestep.legal)
        yield np.asarray(timestep.observation), legal
        state, timestep = step(state, random.choice(legal), key)
        if timestep.last:
            return


@pytest.mark.slow
@pytest.mark.parametrize("name, own", [("chess", 6), ("gardner_chess", 6)])
def test_moves_start_at_own_pieces(name, own):
    places, seen = action_planes(name), set()
    for planes, legal in play(name, 40):
        kinds = len(places) // planes[..., 0].size
        mine = planes[..., :own].any(axis=-1).ravel()
        squares = places[legal] // kinds
        assert mine[squares].all()
        seen |= set(squares.tolist())
    assert len(seen) > planes[..., 0].size / 2
    assert sorted(places) == list(range(len(places)))


@pytest.mark.slow
def test_animal_shogi_moves_start_at_own_pieces_and_drops_end_on_empty_squares():
    places, drops = action_planes("animal_shogi"), 0
    for planes, legal in play("animal_shogi", 60):
        square, kind = places[legal] // 11, places[legal] % 11
        mine, any_piece = (planes[..., :n].any(axis=-1).ravel() for n in (5, 10))
        assert mine[square[kind < 8]].all() and not any_piece[square[kind >= 8]].any()
        drops += (kind >= 8).sum()
    assert drops > 20


@pytest.mark.slow
def test_shogi_moves_do_not_end_at_own_pieces_and_drops_end_on_empty_squares():
    places, drops, captures = action_planes("shogi"), 0, 0
    for planes, legal in play("shogi", 120):
        square, kind = places[legal] // 27, places[legal] % 27
        mine, theirs = (planes[..., n : n + 14].any(axis=-1).ravel() for n in (0, 31))
        assert not mine[square].any()
        assert not theirs[square[kind >= 20]].any()
        drops, captures = drops + (kind >= 20).sum(), captures + theirs[square].sum()
    assert drops > 100 and captures > 20


def test_other_games_have_none():
    assert action_planes("go_9x9") is None
