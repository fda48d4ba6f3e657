from __future__ import annotations

import dataclasses

import chex
import jax
import jax.numpy as jnp
import pytest

from imaginax.runtime.loop import make_chunk, replay_ratio
from tests.runtime import toy_system


@pytest.fixture
def system():
    return toy_system.make(toy_system.ToyConfig())


def test_the_replay_ratio_is_that_of_a_run(system):
    """Updates and transitions as the state counts them, with updates in every third chunk."""
    stage = dataclasses.replace(system.schedule[1], updates=4, update_every=3)
    system = dataclasses.replace(system, schedule=(system.schedule[0], stage))
    chunk, state = jax.jit(make_chunk(system, stage)), jax.jit(system.init)(jax.random.key(0))
    for index in range(6):
        state, _ = chunk(state, jnp.int32(index))
    _, transitions = state.replay
    assert replay_ratio(system) == {"learn": pytest.approx(int(state.updates) / int(transitions))}


def test_a_transition_is_a_decision_in_one_of_the_environments(system):
    def eight(key):
        state, timestep = system.environment.init(key)
        return state, jax.tree.map(lambda x: jnp.repeat(x, 8, axis=0), timestep)

    wide = dataclasses.replace(system, environment=system.environment._replace(init=eight))
    assert replay_ratio(wide)["learn"] == replay_ratio(system)["learn"] / 8


@pytest.mark.parametrize("shape", [(1,), (2, 1), (1, 2)])
def test_actions_of_another_shape_are_refused(system, shape):
    wrong = dataclasses.replace(
        system, act=lambda params, carry, timestep, key: (carry, jnp.zeros(shape), ())
    )
    state = jax.eval_shape(system.init, jax.random.key(0))
    with pytest.raises(AssertionError, match="action"):
        jax.eval_shape(make_chunk(wrong, system.schedule[0]), state, jnp.int32(0))


def test_replay_gets_a_row_from_every_environment(system):
    wrong = dataclasses.replace(system, record=lambda timestep, action, following, extras: jnp.zeros((3, 1)))
    state = jax.eval_shape(system.init, jax.random.key(0))
    with pytest.raises(AssertionError, match="prefix"):
        jax.eval_shape(make_chunk(wrong, system.schedule[0]), state, jnp.int32(0))


def test_a_chunk_is_traced_once_however_often_it_runs(system):
    chunk = jax.jit(chex.assert_max_traces(make_chunk(system, system.schedule[1]), n=1))
    state = jax.jit(system.init)(jax.random.key(0))
    for index in range(3):
        state, _ = chunk(state, jnp.int32(index))
