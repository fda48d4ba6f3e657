"""GP-MPC: what enters the processes, and when."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from imaginax.systems import gp_mpc
from imaginax.systems.presets import gp_mpc as gp_mpc_presets
from imaginax.types import ConfigError
from tests.systems.gp_updates import first_update

STEPS = 20


@pytest.fixture(scope="module")
def system():
    return gp_mpc.make(dataclasses.replace(gp_mpc_presets.TINY, online=True, chunk_steps=5, eval_episodes=1))


@pytest.fixture(scope="module")
def states(system):
    """After the random trial, and after one quarter of the next one."""
    return first_update(system)


def test_everything_is_float64(states):
    learner = states[1].learner
    assert {leaf.dtype for leaf in jax.tree.leaves(learner.hyperparameters)} == {np.dtype("float64")}
    assert states[1].timestep.observation.dtype == np.float64


def test_the_fit_has_all_transitions_of_finished_trials(system, states):
    posterior, items = states[1].learner.posterior, jax.tree.map(lambda x: x[0], states[0].replay.experience)
    assert int(posterior.count) == STEPS
    rows = np.concatenate([items.observation[:STEPS], items.action[:STEPS]], axis=1)
    np.testing.assert_allclose(posterior.inputs[:STEPS], rows)
    changes = np.asarray(items.next_observation - items.observation)[:STEPS]
    np.testing.assert_allclose(posterior.targets.T[:STEPS], changes)
    assert float(states[2].metrics["points"]) == STEPS


def test_transitions_enter_the_posterior_at_once(states):
    """Five steps after the trial began, four transitions are complete."""
    memory = states[1].carry
    assert int(memory.posterior.count[0]) == STEPS + 4
    assert np.all(np.asarray(memory.posterior.inputs[0, STEPS : STEPS + 4]).any(axis=1))


def test_the_model_predicts_the_last_step_well(states):
    """Linear dynamics from twenty transitions: far better than no change at all."""
    posterior = states[1].carry.posterior
    new = np.asarray(posterior.inputs[0, STEPS : STEPS + 4])
    change = np.asarray(posterior.targets[0].T[STEPS : STEPS + 4])
    truth = np.array([[0.0, 0.2, 0.02], [-0.1, -0.05, 0.2]])
    np.testing.assert_allclose(change, new @ truth.T, atol=1e-12)


def test_a_chunk_must_divide_the_trial():
    with pytest.raises(ConfigError, match="chunk_steps"):
        gp_mpc.make(dataclasses.replace(gp_mpc_presets.TINY, chunk_steps=7))


@pytest.mark.parametrize("env", ["pendulum", "diagnostic_chain", "diagnostic_bandit"])
def test_environments_without_gaussian_moments_are_refused(env):
    with pytest.raises(ConfigError, match=env):
        gp_mpc.make(dataclasses.replace(gp_mpc_presets.TINY, env=env))


def test_presets():
    laptop, paper = (gp_mpc_presets.preset(name, None).planner for name in ("laptop", "paper"))
    assert laptop.feedback and not paper.feedback
    with pytest.raises(ConfigError, match="laptop"):
        gp_mpc_presets.preset("paper", "pendulum")
