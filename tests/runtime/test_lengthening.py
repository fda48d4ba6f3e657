from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.data.replay import item_replay
from imaginax.models.gp import exact as gp
from imaginax.runtime import checkpoint, lengthening, run_directory
from imaginax.runtime.checkpoint import CheckpointError
from imaginax.runtime.driver import CompiledDriver
from imaginax.runtime.lengthening import restore
from imaginax.runtime.loop import first_state
from tests.runtime import toy_system
from tests.runtime.toy_system import ToyConfig

KEYS = jax.random.split(jax.random.key(3), 2)


def make(chunks, **changes):
    """The toy with a replay that has room for all its steps, as PETS has."""
    config = dataclasses.replace(ToyConfig(chunks=chunks), **changes)
    system = toy_system.make(config)
    replay = item_replay(jnp.zeros(1), 5 * (chunks + 1), 1)

    def init(key):
        return system.init(key)._replace(replay=replay.init())

    return dataclasses.replace(system, replay=replay, init=init)


def saved(tmp_path, system, *, items=5):
    """A checkpoint of two lanes whose replay holds 1, 2, 3 ..., as `runtime.run` writes it."""
    state = first_state(system)(KEYS)
    for item in range(items):
        memory = jax.vmap(system.replay.add)(state.replay, jnp.full((2, 1, 1), item + 1.0))
        state = state._replace(replay=memory)
    settings = run_directory.fingerprint(system)
    progress = {"lengths": run_directory.lengths(system.config), "settings": settings}
    checkpoint.save(tmp_path, 1, state, progress=progress)
    return state


def restored(tmp_path, system):
    found = restore(system, tmp_path, CompiledDriver(system, 2).shapes(), KEYS)
    assert found
    return found.state


def test_a_checkpoint_of_a_shorter_run_is_laid_into_the_longer_one(tmp_path):
    short, long = make(0 + 1), make(4)
    old = saved(tmp_path, short, items=10)  # as many as there is room for
    state = restored(tmp_path, long)
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, first_state(long)(KEYS))
    items, count = jax.vmap(long.replay.data)(state.replay)
    assert count.tolist() == [10, 10]
    np.testing.assert_array_equal(items[:, :10, 0], np.arange(1.0, 11.0)[None].repeat(2, 0))
    for a, b in zip(jax.tree.leaves(old.learner), jax.tree.leaves(state.learner), strict=True):
        assert checkpoint._entries(a) == checkpoint._entries(b)


def test_other_settings_and_shorter_runs_are_not_mistaken_for_longer_ones(tmp_path):
    saved(tmp_path, make(4))
    for other in (make(6, width=4), make(3)):
        with pytest.raises(CheckpointError, match="is of another state"):
            restored(tmp_path, other)
    assert restored(tmp_path, make(4)).replay.experience.shape == (2, 1, 25, 1)


def test_a_posterior_in_the_corner_of_a_larger_prior_is_that_of_the_larger_data():
    """What GP-MPC carries: rows of padding are as a fresh start has them."""
    key = jax.random.key(0)
    inputs, targets = jax.random.normal(key, (6, 2)), jax.random.normal(jax.random.key(1), (6, 1))
    hyperparameters = gp.initial(("se",), 1, 2, jnp.float32)

    def posterior(rows, count):
        padded = [jnp.zeros((rows, x.shape[1])).at[:6].set(x) for x in (inputs, targets)]
        return gp.posterior(hyperparameters, gp.Data(*padded, jnp.int32(count)))

    grown = jax.tree.map(lengthening._around, posterior(12, 0), posterior(8, 6))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), grown, posterior(12, 6))
