"""PILCO: policy search lowers the cost that roll-outs of the belief predict."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.physical import restart
from imaginax.models.gp.exact import Data
from imaginax.models.gp.gaussian_dynamics import gaussian_task
from imaginax.numerics.gaussian import Gaussian, certain, trigonometric
from imaginax.policies import controllers as policies
from imaginax.policies.controllers import LinearPolicy
from imaginax.runtime.precision import precision
from imaginax.systems import pilco
from imaginax.systems.presets import pilco as pilco_presets
from imaginax.types import Box, ConfigError
from tests.systems.gp_updates import first_update


@pytest.fixture(scope="module")
def system():
    return pilco.make(pilco_presets.TINY)


@pytest.fixture(scope="module")
def learned(system):
    """States after the random trial and after the first update, and its metrics."""
    return first_update(system)


def test_the_policy_controls_the_linear_system(learned):
    """The first trial with the learned policy: the optimum is -1.65 on average, doing nothing gets -8.4."""
    assert float(learned[2].episode_return) > -5.0


def test_the_search_lowers_the_predicted_cost(learned):
    before, after = learned[0].learner.policy, learned[1].learner.policy
    assert isinstance(after, LinearPolicy)
    assert float(jnp.abs(after.weights - before.weights).max()) > 0.01
    assert 0 < float(learned[2].metrics["policy_cost"]) < 8.0


def test_actions_are_the_policys_and_keep_the_bounds(system, learned):
    state = learned[1]
    with precision(system):
        timestep = jax.tree.map(jnp.asarray, state.timestep)
        _, action, _ = system.act(jax.tree.map(jnp.asarray, state.learner.policy), (), timestep, state.key)
        action = np.asarray(action)
        wanted = state.learner.policy.weights @ state.timestep.observation[0] + state.learner.policy.offset
    p = float(wanted[0])
    np.testing.assert_allclose(action[0, 0], 10 * (9 * np.sin(p) + np.sin(3 * p)) / 8, rtol=1e-9)


def test_bounds_need_not_be_symmetric():
    """What acts, and what roll-outs predict of it at one state: a motor that pushes one way."""
    task = gaussian_task(envs.make("diagnostic_lqr"))._replace(space=Box((1,), 0.0, 4.0))
    policy = LinearPolicy(jnp.array([[1.0, -2.0]]), jnp.array([0.3]))
    states = jax.random.normal(jax.random.key(0), (500, 2))
    timestep = restart(states)
    _, action, _ = pilco._act(task, policy, (), timestep, jax.random.key(1))
    p = states @ jnp.array([1.0, -2.0]) + 0.3
    np.testing.assert_allclose(action[:, 0], 2 + 2 * (9 * np.sin(p) + np.sin(3 * p)) / 8, atol=1e-5)
    known = jax.vmap(lambda x: policies.joint(policy, trigonometric(certain(x), ()), task.space))(states)
    np.testing.assert_allclose(known.mean[:, 2:], action, atol=1e-5)


def test_an_observation_that_is_no_number_is_not_acted_on(system, learned):
    state = learned[1]
    with precision(system):
        timestep = jax.tree.map(jnp.asarray, state.timestep)
        blind = timestep._replace(observation=timestep.observation.at[0, 0].set(jnp.nan))
        _, action, _ = system.act(jax.tree.map(jnp.asarray, state.learner.policy), (), blind, state.key)
    np.testing.assert_array_equal(action, 0.0)


def test_the_distribution_of_starts():
    found = pilco.starts(envs.make("gpmpc_double_pendulum"))
    assert isinstance(found, Gaussian)
    np.testing.assert_allclose(found.mean, [np.pi, np.pi, 0, 0], atol=0.02)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [0.01, 0.01, 0.1, 0.1], rtol=0.1)


def test_further_starts_reach_over_what_was_seen_and_not_over_padding():
    task = gaussian_task(envs.make("gpmpc_cartpole"))
    rows = np.random.default_rng(0).normal(2.0, 3.0, (7, task.features))
    data = Data(jnp.asarray(np.vstack([rows, 100 * np.ones((4, task.features))])), jnp.zeros((11, 4)), 7)
    seen = rows[:, :-1]
    spoilt = Data(data.inputs.at[7].set(jnp.nan), data.targets, 8)
    for found in (pilco.seen_features(task, data), pilco.seen_features(task, spoilt)):
        np.testing.assert_allclose(found.mean, seen.mean(0), rtol=1e-5)
        np.testing.assert_allclose(found.covariance, np.cov(seen.T, ddof=0), rtol=1e-4, atol=1e-4)


def test_of_several_searches_the_best_is_kept():
    """A search that found no number is never the best."""
    policies = {"targets": jnp.arange(6.0).reshape(3, 2)}
    found = pilco._lowest(jnp.array([7.0, jnp.nan, 3.0]), policies)
    np.testing.assert_array_equal(found["targets"], [4.0, 5.0])


@pytest.mark.parametrize(
    ("field", "value"), [("centres", 0), ("starts", 0), ("steps", 0), ("tolerance", 2.0)]
)
def test_impossible_settings_are_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        pilco_presets.PolicySearchConfig(**{field: value})
