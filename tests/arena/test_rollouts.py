"""Tree search with random games: its values, its wins, and what a wrong sign would do."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena import rollouts
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.replay import replay
from imaginax.arena.score import summarise
from tests.arena import noughts

GAME = envs.make("tic_tac_toe")


def timesteps(moves: list[list[int]]):
    padded = jnp.array([row + [-1] * (9 - len(row)) for row in moves])
    look = jax.vmap(lambda row: jax.tree.map(lambda leaf: leaf[-1], replay(GAME, row, jax.random.key(0))[1]))
    return jax.jit(look)(padded)


def test_a_rollout_earns_what_random_play_earns():
    """The mean of 3000 random games from three positions, against the exact expectation."""
    starts = [[], [4], [0, 4, 8, 2]]
    many = timesteps([start for start in starts for _ in range(3000)])
    play = jax.jit(functools.partial(rollouts._rollout, GAME))
    earned = np.asarray(play(many.observation, many, jax.random.key(1))).reshape(3, 3000)
    for start, values in zip(starts, earned, strict=True):
        board = functools.reduce(noughts.play, start, noughts.EMPTY)
        win, draw, loss = noughts.random_play(board)
        mean = (win - loss) * (1 if noughts.mover(board) == 1 else -1)
        deviation = np.sqrt((1 - draw - mean**2) / 3000)
        assert abs(values.mean() - mean) < 4 * deviation, (start, values.mean(), mean)


def think():
    """400 roll-outs each for a win in one, a threat to be parried, a lost fork and the empty board."""
    positions = timesteps([[0, 3, 1, 4], [0, 4, 1], [0, 4, 8, 2, 6], []])
    player = make_opponent("mcts:400", GAME)
    action, _, summary = jax.jit(player.move)((), (), positions, jax.random.key(0))
    return positions, action, summary


def test_it_wins_parries_and_knows_who_is_ahead():
    positions, action, summary = think()
    assert action[0] == 2 and action[1] == 2
    assert summary.value[0] > 0.8 and summary.value[2] < -0.4 and summary.value[3] > 0.1
    np.testing.assert_allclose(summary.policy.sum(-1), 1, atol=1e-6)
    assert not (summary.policy * ~positions.legal).any()


def test_a_wrong_sign_of_rollouts_is_found(monkeypatch):
    """The last check of the test above fails when roll-outs count for the other side."""
    rollout = rollouts._rollout
    monkeypatch.setattr(rollouts, "_rollout", lambda *args: -rollout(*args))
    _, _, summary = think()
    assert summary.value[3] < -0.1


@pytest.mark.slow
def test_it_beats_random_play():
    sides = make_opponent("mcts:32", GAME), make_opponent("random", GAME)
    match = jax.jit(functools.partial(play_match, GAME, *sides, ((), ()), games=200))
    score = summarise(match(jax.random.key(3)))
    assert score.low > 0.8, score
