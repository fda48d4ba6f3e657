"""A system that asks for float64 gets it everywhere, and nobody else does."""

from __future__ import annotations

import dataclasses
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.wrappers import training_environment
from imaginax.runtime import export, run
from imaginax.runtime.precision import _SETTINGS, pin, precision, precision_of
from imaginax.runtime.run_directory import read_run
from tests.runtime import toy_system
from tests.runtime.toy_system import ToyConfig


def system(chunks):
    return dataclasses.replace(toy_system.make(ToyConfig(chunks=chunks)), float64=True)


def go(logdir, chunks):
    return run.train(system(chunks), logdir=logdir, stream=io.StringIO(), preset="tiny", override_config=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("wide") / "run"
    return logdir, go(logdir, 4)


def state_of(logdir):
    directory, record = read_run(logdir)
    return run.reload(system(4), directory, record).state


def test_a_run_computes_in_64_bits_and_leaves_the_process_as_it_was(whole):
    learner = state_of(whole[0]).learner
    assert learner.w.dtype == jnp.float64
    assert float(learner.w[0]) != float(np.float32(learner.w[0]))  # more than float32 can hold
    assert jnp.zeros(()).dtype == jnp.float32
    assert whole[1]["status"] == "finished"


def test_a_resumed_run_ends_bit_for_bit_where_the_whole_one_does(whole, tmp_path):
    go(tmp_path / "run", 2)
    go(tmp_path / "run", 4)
    np.testing.assert_array_equal(state_of(tmp_path / "run").learner.w, state_of(whole[0]).learner.w)


def test_an_exported_program_keeps_its_64_bits():
    function, shapes = export.programs(system(4))["train_learn"]
    assert shapes[0].learner.w.dtype == jnp.float64
    made = export.export("train_learn", function, shapes, "cpu")
    with precision(system(4)):
        arguments = (jax.jit(system(4).init)(jax.random.key(0)), jnp.int32(0))
        wanted = jax.jit(function)(*arguments)[0].learner.w
        words = [export._words(leaf) for leaf in jax.tree.leaves(arguments)]
        found = export.load(made.data)(*words)
    assert wanted.dtype == jnp.float64
    assert any(leaf.dtype == wanted.dtype and np.array_equal(leaf, wanted) for leaf in found)


def test_the_scope_follows_the_system_or_the_arguments():
    narrow = toy_system.make(ToyConfig())
    for scope, wanted in (
        (precision(narrow), jnp.float32),
        (precision(system(4)), jnp.float64),
        (precision_of((jax.ShapeDtypeStruct((2,), jnp.float32), jax.random.key(0))), jnp.float32),
        (precision_of((np.zeros(2), 0)), jnp.float64),
    ):
        with scope:
            assert jnp.zeros(()).dtype == wanted


@pytest.mark.parametrize("name", ["gpmpc_cartpole", "gpmpc_double_pendulum", "diagnostic_lqr", "pendulum"])
def test_environments_follow(name):
    env = training_environment(envs.make(name), 2)
    with precision(system(4)):
        state, timestep = jax.eval_shape(env.init, jax.random.key(0))
        action = jax.ShapeDtypeStruct((2, *env.spec.action.shape), jnp.float64)
        following = jax.eval_shape(env.step, state, action, jax.random.key(0))
    assert timestep.observation.dtype == jnp.float64
    assert jax.tree.map(lambda x: x.dtype, (state, timestep)) == jax.tree.map(lambda x: x.dtype, following)


def test_settings_of_the_process_are_pinned():
    """What JAX_ENABLE_X64=1 and its like would have set."""
    before = {name: jax.config.values[name] for name in _SETTINGS}
    try:
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_default_prng_impl", "rbg")
        jax.config.update("jax_numpy_rank_promotion", "raise")
        pin()
        assert {name: jax.config.values[name] for name in _SETTINGS} == before == _SETTINGS
        assert (
            jnp.zeros(()).dtype == jnp.float32
            and str(jax.random.key_impl(jax.random.key(0))) == "threefry2x32"
        )
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
