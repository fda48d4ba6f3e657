"""The match at a run's end: outcomes for our side, and the first game position by position."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.config import EvaluationConfig
from imaginax.arena.evaluation import make_evaluation, run_match
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.types import ConfigError, SystemState
from tests.arena.players import counting

GAME = envs.make("tic_tac_toe")
ZERO = jnp.zeros((), jnp.int32)


@pytest.fixture(scope="module")
def episodes():
    opponent = make_opponent("random", GAME)
    play = jax.jit(
        lambda key: run_match(GAME, counting(None), opponent, (0.0, ()), key, games=20, openings=1)
    )
    return play(jax.random.key(5))


def test_outcomes_are_those_of_the_match(episodes):
    opponent = make_opponent("random", GAME)
    play = jax.jit(
        lambda key: play_match(GAME, counting(None), opponent, (0.0, ()), key, games=20, openings=1)
    )
    np.testing.assert_array_equal(episodes.returns, play(jax.random.key(5)).outcome)


def test_repeated_games_are_known_by_their_moves():
    """The last legal move answers itself: 40 games from the initial position are one, told by its number."""
    player = counting(None)
    for openings, distinct in ((0, 1), (2, 20)):  # from either side of an opening it plays the same game
        terms = {"games": 40, "openings": openings}
        found = run_match(GAME, player, player, (0.0, 0.0), jax.random.key(0), **terms)
        assert len(found.returns) == 40 and len(set(np.asarray(found.games).tolist())) == distinct


def test_the_first_game_is_kept_position_by_position(episodes):
    """One more stone at every position up to the last, which alone has the outcome."""
    frames = episodes.states
    stones = np.asarray(jax.vmap(GAME.game.planes)(frames.inner)).reshape(10, -1).sum(1)
    length = int(frames.running_length.max())
    np.testing.assert_array_equal(stones[: length + 1], np.arange(length + 1))
    returns = np.asarray(frames.running_return)
    assert returns[length] == episodes.returns[0]
    np.testing.assert_array_equal(np.delete(returns, length), 0)
    np.testing.assert_array_equal(frames.player[:4], [0, 1, 0, 1])


def test_a_system_is_evaluated_with_the_simulations_asked_for():
    """0 takes the player's own number; the match is played with the parameters of the state's learner."""
    asked = []

    def player(simulations):
        asked.append(simulations)
        return counting(simulations)

    for simulations in (0, 7):
        config = EvaluationConfig("random", 2, simulations=simulations)
        evaluate = make_evaluation(GAME, config, player, lambda learner: learner["params"])
    assert asked == [None, 7]
    state = SystemState({"params": jnp.float32(0)}, (), (), (), (), jax.random.key(0), ZERO)
    assert set(np.asarray(jax.jit(evaluate)(state, jax.random.key(0)).returns)) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(
    ("field", "value"), [("games", 3), ("games", 0), ("openings", -1), ("simulations", 2**31)]
)
def test_impossible_settings_name_their_field(field, value):
    with pytest.raises(ConfigError, match=f"evaluation.{field}"):
        EvaluationConfig(**{field: value})
