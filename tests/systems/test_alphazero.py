"""AlphaZero as a system: the games it records are games. That it learns is shown by tests/contract."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.config import EvaluationConfig
from imaginax.runtime.loop import make_chunk
from imaginax.systems import alphazero
from imaginax.systems.presets import alphazero as alphazero_presets
from imaginax.types import ConfigError

TINY = dataclasses.replace(
    alphazero_presets.TINY,
    environments=8,
    batch_size=16,
    warmup=1,
    chunks=1,
    chunk_plies=30,
    updates=3,
    window_plies=40,
    sampled_plies=2,
)


@pytest.fixture(scope="module")
def trained():
    """A whole run: its state before and after each chunk, and what the chunks report."""
    system = alphazero.make(TINY)
    state = jax.jit(system.init)(jax.random.key(0))
    states, outputs = [state], []
    for stage in system.schedule:
        state, output = jax.jit(make_chunk(system, stage))(state, jnp.int32(0))
        states.append(state)
        outputs.append(output)
    return system, states, outputs


def _games(system, state):
    """Recorded plies [N, L], of which the first 30 are filled, as numpy; and the planes they belong to."""
    plies = system.replay.data(state.replay)
    assert int(plies.start) == 0 and int(plies.count) == 30
    ring = jax.tree.map(lambda x: np.asarray(x)[:, :30], plies.items)
    planes = jax.vmap(jax.vmap(envs.make("tic_tac_toe").game.unpack))(plies.items.observation)
    return ring, np.asarray(planes)[:, :30]


def test_recorded_games_are_games(trained):
    """Each place's plies are whole games one after the other, by the rules and with one outcome each."""
    system, states, outputs = trained
    ring, planes = _games(system, states[1])
    assert int(outputs[0].episodes) == ring.last.sum()
    finished = []
    for place in range(8):
        start = 0
        for number in range(ring.episode[place, -1] + 1):
            mine = np.flatnonzero(ring.episode[place] == number)
            assert np.array_equal(mine, np.arange(start, start + len(mine)))
            start += len(mine)
            assert np.array_equal(ring.player[place, mine], np.arange(len(mine)) % 2)
            boards = planes[place, mine]
            assert np.array_equal(boards.sum((1, 2, 3)), np.arange(len(mine)))
            assert np.array_equal(boards[1:, ..., 1], boards[:-1, ..., 0] + _played(boards)), (
                "not by the rules"
            )
            if ring.last[place, mine[-1]]:
                assert ring.last[place, mine].sum() == 1
                finished.append(ring.reward[place, mine[-1]] * (1 if len(mine) % 2 else -1))
            assert not ring.reward[place, mine[:-1]].any()
    np.testing.assert_allclose(outputs[0].episode_return, np.mean(finished), atol=1e-6)


def _played(boards):
    """The stone that each ply but the last added, from the boards that the next player saw."""
    before, after = boards[:-1].sum(-1), boards[1:].sum(-1)
    assert ((after - before).sum((1, 2)) == 1).all() and (after >= before).all()
    return after - before


def test_targets_are_shares_of_visits_of_legal_moves(trained):
    system, states, _ = trained
    ring, planes = _games(system, states[1])
    shares = ring.shares.astype(np.float64)
    np.testing.assert_allclose(shares.sum(-1), 1.0, atol=2e-3)
    visits = shares * TINY.search.simulations
    np.testing.assert_allclose(visits, np.round(visits), atol=2e-2)
    taken = np.take_along_axis(planes.sum(-1).reshape(8, 30, 9), ring.actions.astype(int), 2)
    assert not shares[taken > 0].any(), "an illegal move was searched"


def test_only_learning_changes_the_network(trained):
    _, states, outputs = trained
    jax.tree.map(np.testing.assert_array_equal, states[0].learner, states[1].learner)
    assert int(states[2].learner.updates) == 3 == int(states[2].updates)
    assert outputs[1].metrics["policy_loss"] > outputs[1].metrics["target_entropy"] > 0


def test_the_evaluation_shows_a_whole_game(trained):
    """Its states end with the final position, of as many stones as moves were made."""
    system, states, _ = trained
    episodes = jax.jit(system.evaluate)(states[2], jax.random.key(3))
    assert episodes.returns.shape == (64,) and set(np.asarray(episodes.returns)) <= {-1.0, 0.0, 1.0}
    moves = int(episodes.states.running_length.max())
    planes = jax.vmap(envs.make("tic_tac_toe").game.planes)(episodes.states.inner)
    assert np.array_equal(np.asarray(planes).sum((1, 2, 3))[: moves + 1], np.arange(moves + 1))
    assert float(episodes.states.running_return[moves]) == float(episodes.returns[0])


def test_presets():
    assert alphazero_presets.preset("laptop", "othello").env == "othello"
    assert alphazero_presets.preset("paper", None).env == "chess"
    with pytest.raises(ConfigError, match="preset paper has settings for chess"):
        alphazero_presets.preset("paper", "othello")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 12}, "multiple of environments"),
        ({"chunks": 0}, "chunks"),
        ({"env": "pendulum"}, "env must be a board game"),
        ({"evaluation": EvaluationConfig("minimax")}, "minimax"),
        ({"window_plies": 5}, "window_plies"),
    ],
)
def test_impossible_settings_are_refused_before_compilation(change, words):
    with pytest.raises(ConfigError, match=words):
        alphazero.make(dataclasses.replace(TINY, **change))
