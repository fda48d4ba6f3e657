"""Matches against a referee in plain Python, with players that notice when they are told wrong."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.match import MatchResult, play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.replay import replay
from imaginax.arena.score import summarise
from imaginax.types import ConfigError, Player, SearchSummary
from tests.arena import noughts

GAME = envs.make("tic_tac_toe")


def summary(action, legal):
    return SearchSummary(jnp.zeros(legal.shape), jnp.zeros(action.shape), action[:, None])


def favourite(order: list[int]) -> Player:
    """Takes the first legal cell of a fixed order."""

    def move(params, memory, timestep, key):
        action = jnp.asarray(order)[timestep.legal[:, jnp.asarray(order)].argmax(axis=-1)]
        return action, memory, summary(action, timestep.legal)

    return Player("favourite", lambda batch: (), move)


def bookkeeper(told: bool = True) -> Player:
    """Plays at random as long as its own record of the game equals the board; otherwise an illegal move."""

    def move(params, memory, timestep, key):
        planes = jax.vmap(GAME.game.planes)(timestep.observation)
        right = (memory == planes.reshape(-1, 9, 2).any(axis=-1)).all(axis=-1)
        allowed = jnp.where(right[:, None], timestep.legal, ~timestep.legal)
        action = jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf))
        return action, memory, summary(action, timestep.legal)

    def observe(memory, action):
        return memory.at[jnp.arange(len(action)), action].set(told)

    return Player("bookkeeper", lambda batch: jnp.zeros((batch, 9), bool), move, observe)


@functools.cache
def match(first: Player, second: Player, **options):
    return jax.jit(functools.partial(play_match, GAME, first, second, ((), ()), **options))


@functools.cache
def recorded() -> MatchResult:
    random = make_opponent("random", GAME)
    return match(bookkeeper(), random, games=200, openings=3)(jax.random.key(4))


def test_every_game_is_what_the_referee_says():
    """Outcomes and lengths from the recorded moves, every one of them legal, for either colour."""
    result = recorded()
    judged = [noughts.referee(list(moves)) for moves in np.asarray(result.actions).T]
    sign = np.where(result.first_began, 1, -1)
    np.testing.assert_array_equal(result.outcome, sign * [outcome for outcome, _ in judged])
    np.testing.assert_array_equal(result.length, [length for _, length in judged])
    assert not result.truncated.any()
    assert result.first_began.sum() == 100 and len(set(map(tuple, np.asarray(result.actions).T))) > 150


def test_a_player_who_is_not_told_is_noticed():
    """The bookkeeper who ignores what it is told plays illegal moves: the check above can fail."""
    random = make_opponent("random", GAME)
    result = match(bookkeeper(told=False), random, games=200, openings=3)(jax.random.key(4))
    with pytest.raises(AssertionError, match="illegal move"):
        for moves in np.asarray(result.actions).T:
            noughts.referee(list(moves))
    assert (result.outcome == -1).all()  # pgx ends a game at an illegal move


def test_openings_come_in_pairs_and_are_drawn_without_replacement():
    """100 of the 252 positions that tic-tac-toe has after three plies."""
    result = recorded()
    openings = np.asarray(result.actions)[:3].T
    np.testing.assert_array_equal(openings[:100], openings[100:])
    np.testing.assert_array_equal(result.opening[:100], result.opening[100:])
    boards = {functools.reduce(noughts.play, moves, noughts.EMPTY) for moves in openings[:100].tolist()}
    assert len(boards) == len(set(np.asarray(result.opening[:100]).tolist())) == 100


def test_more_games_than_openings_are_not_played():
    """After one ply tic-tac-toe has nine positions: 18 games, each position from both sides."""
    corner, centre = favourite([0, 1, 2, 3, 4, 5, 6, 7, 8]), favourite([4, 0, 8, 2, 6, 1, 3, 5, 7])
    result = match(corner, centre, games=100, openings=1)(jax.random.key(0))
    assert sorted(np.asarray(result.actions)[0].tolist()) == sorted([*range(9)] * 2)
    assert summarise(result).distinct == summarise(result).games == 18


def test_each_player_begins_half_of_the_games():
    """Two players whose first moves differ leave their mark in the games that they begin."""
    corner, centre = favourite([0, 1, 2, 3, 4, 5, 6, 7, 8]), favourite([4, 0, 8, 2, 6, 1, 3, 5, 7])
    result = match(corner, centre, games=4)(jax.random.key(0))
    np.testing.assert_array_equal(result.first_began, [True, True, False, False])
    np.testing.assert_array_equal(np.asarray(result.actions)[0], [0, 0, 4, 4])
    np.testing.assert_array_equal(np.asarray(result.actions)[1], [4, 4, 0, 0])


def test_exchanging_the_players_exchanges_the_results():
    corner, centre = favourite([0, 1, 2, 3, 4, 5, 6, 7, 8]), favourite([4, 0, 8, 2, 6, 1, 3, 5, 7])
    key = jax.random.key(7)
    one = match(corner, centre, games=40, openings=2)(key).outcome
    other = match(centre, corner, games=40, openings=2)(key).outcome
    np.testing.assert_array_equal(one, -np.roll(other, 20))
    assert 0 < np.abs(one).sum()
    # a player against itself gains with one colour what it loses with the other
    alone = match(corner, corner, games=40, openings=2)(key).outcome
    np.testing.assert_array_equal(alone, -np.roll(alone, 20))


def test_random_play_has_the_known_odds():
    """Win, draw and loss of random players, against the exact probabilities of a full enumeration."""
    random, games = make_opponent("random", GAME), 6000
    score = summarise(match(random, random, games=games)(jax.random.key(1)))
    exact = np.array(noughts.random_play())
    np.testing.assert_allclose(exact, [0.5849, 0.1270, 0.2881], atol=1e-4)
    for found, odds in ((score.beginning, exact), (score.replying, exact[::-1])):
        deviation = np.sqrt(odds * (1 - odds) * games / 2)
        assert (np.abs(np.array(found) - odds * games / 2) < 4 * deviation).all()
    assert score.games == games and score.low < 0.5 < score.high


def test_truncated_games_are_drawn_and_counted():
    short = envs.make("tic_tac_toe", max_steps=4)
    random = make_opponent("random", short)
    play = functools.partial(play_match, short, random, random, ((), ()), games=20)
    result = jax.jit(play)(jax.random.key(0))
    score = summarise(result)
    assert (score.draws, score.truncated, score.length) == (20, 20, 4.0)
    assert result.actions.shape == (4, 20) and (result.actions >= 0).all()


def test_replay_follows_a_recorded_game():
    result = recorded()
    moves = np.asarray(result.actions)[:, 0]
    states, timesteps = replay(GAME, jnp.asarray(moves), jax.random.key(0))
    length = int(result.length[0])
    np.testing.assert_array_equal(timesteps.last, np.arange(10) >= length)
    marks = np.asarray(jax.vmap(GAME.game.planes)(states)).any(axis=-1).reshape(10, 9)
    np.testing.assert_array_equal(np.flatnonzero(marks[-1]), np.sort(moves[moves >= 0]))


@pytest.mark.parametrize(
    ("env", "options", "message"),
    [
        ("tic_tac_toe", {"games": 3}, "games must be even"),
        ("tic_tac_toe", {"games": 0}, "games must be even"),
        ("tic_tac_toe", {"games": 2, "openings": 9}, "openings must be"),
        ("pendulum", {"games": 2}, "no board game"),
    ],
)
def test_bad_matches_are_named(env, options, message):
    random = make_opponent("random", GAME)
    with pytest.raises(ConfigError, match=message):
        play_match(envs.make(env), random, random, ((), ()), jax.random.key(0), **options)
