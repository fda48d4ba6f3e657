"""MuZero as a system: what it acts with, what it learns from, reanalyse, and games of the arena."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.config import EvaluationConfig
from imaginax.arena.evaluation import run_match
from imaginax.arena.opponents import make_opponent
from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.planners.mcts.config import SearchConfig
from imaginax.runtime.loop import make_chunk
from imaginax.systems import muzero
from imaginax.systems.presets.muzero import ENTRY, TINY
from imaginax.systems.presets.muzero_config import MuZeroConfig
from imaginax.types import ConfigError, SystemState

BOARD = dataclasses.replace(
    ENTRY.preset("laptop", "tic_tac_toe"),
    environments=8,
    warmup=1,
    chunks=1,
    chunk_steps=16,
    updates=2,
    batch_size=16,
    window=20,
    evaluation=EvaluationConfig("random", games=8),
    search=SearchConfig("puct", simulations=4, values="tree", first_play="loss"),
    model=MuZeroModelConfig(channels=4, blocks=1, hidden=8, bins=3, largest=1.0, transform=False),
)


def run(config: MuZeroConfig) -> tuple:
    """The system, and its state after every chunk."""
    system = muzero.make(config)
    state = jax.jit(system.init)(jax.random.key(0))
    for stage in system.schedule:
        chunk = jax.jit(make_chunk(system, stage))
        for index in range(stage.chunks):
            state, output = chunk(state, jnp.int32(index))
    return system, state, output


@pytest.fixture(scope="module")
def reanalysed():
    return run(dataclasses.replace(BOARD, reanalyse=0.5, target_every=2))


def test_a_board_game_is_played_and_learned(reanalysed):
    system, state, output = reanalysed
    assert all(bool(finite) for finite in output.finite.values())
    assert {"policy_loss", "value_loss", "reward_loss", "penalty"} <= set(output.metrics)
    steps = system.replay.data(state.replay).items.step
    rewards = np.asarray(steps.reward)
    assert set(np.unique(rewards)) <= {0.0, 1.0}, "nobody makes an illegal move, which loses at once"
    assert np.asarray(steps.last).any()


def test_players_play_what_the_arena_plays(reanalysed):
    """A match against an opponent, with openings; both colours; no move is illegal."""
    system, state, _ = reanalysed
    env = envs.make("tic_tac_toe")
    player, other = system.player(2), make_opponent("perfect", env)
    sides = (system.params_of(state.learner), ())
    games = jax.jit(partial(run_match, muzero.privileged(env), player, other, sides, games=8, openings=2))(
        jax.random.key(0)
    )
    assert set(np.unique(games.returns)) <= {-1.0, 0.0, 1.0}
    found = jax.jit(system.evaluate)(state, jax.random.key(1))
    assert found.returns.shape == (8,)


def test_the_target_network_is_renewed_on_time(reanalysed):
    """Two updates, renewed after the second."""
    _, state, _ = reanalysed
    learner = state.learner
    assert int(learner.online.updates) == 2
    same = jax.tree.map(lambda a, b: bool((a == b).all()), learner.target, learner.online.params)
    assert all(jax.tree.leaves(same))
    system = muzero.make(dataclasses.replace(BOARD, reanalyse=0.5, target_every=3))
    fresh = jax.jit(system.init)(jax.random.key(5)).learner
    after, _ = jax.jit(system.learn)(fresh, state.replay, jax.random.key(0))
    kept = jax.tree.map(lambda a, b: bool((a == b).all()), after.target, fresh.target)
    moved = jax.tree.map(lambda a, b: bool((a == b).all()), after.online.params, fresh.online.params)
    assert all(jax.tree.leaves(kept)) and not all(jax.tree.leaves(moved))


def test_without_reanalyse_there_is_no_second_network():
    system = muzero.make(BOARD)
    assert jax.eval_shape(system.init, jax.random.key(0)).learner.target == ()


def test_the_temperature_follows_the_updates():
    """Sampled actions of the first steps; cold ones are the most visited."""
    config = dataclasses.replace(
        BOARD, temperatures=(1.0, 0.0), temperature_until=(10,), opening_steps=0, environments=256,
        batch_size=256, search=dataclasses.replace(BOARD.search, dirichlet_fraction=0.0, simulations=16),
    )  # fmt: skip
    system = muzero.make(config)
    state: SystemState = jax.jit(system.init)(jax.random.key(0))
    act = jax.jit(system.act)
    drawn = []
    for updates in (9, 10):
        params = system.params_of(state.learner)._replace(updates=jnp.int32(updates))
        _, action, extras = act(params, state.carry, state.timestep, jax.random.key(1))
        best = np.take_along_axis(np.asarray(extras.policy), np.asarray(action)[:, None], 1)[:, 0]
        drawn.append(np.mean(best < np.asarray(extras.policy).max(1)))
    assert drawn[0] > 0.05 and drawn[1] == 0


def test_what_cannot_work_is_refused_by_name():
    for change, words in (
        ({"env": "pendulum"}, "env pendulum has continuous actions"),
        ({"env": "minatar_breakout", "bootstrap": 0, "warmup": 1}, "warmup"),
        ({"bootstrap": 100}, "warmup"),
        ({"window": 8}, "window .8. must hold"),
    ):
        with pytest.raises(ConfigError, match=words):
            muzero.make(dataclasses.replace(TINY, **change))
    for change, words in (
        ({"temperatures": ()}, "temperatures"),
        ({"temperature_until": (5,)}, "temperature_until"),
        ({"reanalyse": 1.5}, "reanalyse"),
        ({"unroll": 0}, "unroll"),
    ):
        with pytest.raises(ConfigError, match=words):
            dataclasses.replace(TINY, **change)
