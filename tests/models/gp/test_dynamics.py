"""Gaussian processes as a world model, on a linear system whose optimal controls are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.models.gp import exact as gp
from imaginax.models.gp.config import GPConfig, GPFitConfig
from imaginax.models.gp.dynamics import gp_dynamics, hyperparameters_of, make_fit, regression_data
from imaginax.models.targets import Outcomes
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.planner import make_planner
from imaginax.types import ConfigError, Transition

ROWS = 60
EXACT = GPConfig(capacity=40)
SAMPLED = GPConfig(capacity=40, propagation="DS", particles=4000)
SPARSE = GPConfig(capacity=40, inducing=12)
OUTCOMES = Outcomes(reward=False, end=False, terminated=False)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def lqr():
    return envs.make("diagnostic_lqr")


def truth(o, a):
    """The next observation of the linear system."""
    return o @ jnp.array([[1.0, -0.1], [0.2, 0.95]]) + a @ jnp.array([[0.02, 0.2]])


@pytest.fixture(scope="module")
def transitions():
    key_state, key_action, key_noise = jax.random.split(jax.random.key(1), 3)
    o = jax.random.uniform(key_state, (ROWS, 2), minval=-2, maxval=2)
    a = jax.random.uniform(key_action, (ROWS, 1), minval=-3, maxval=3)
    following = truth(o, a) + 0.01 * jax.random.normal(key_noise, (ROWS, 2))
    return Transition(o, a, jnp.zeros(ROWS), jnp.ones(ROWS), following)


@pytest.fixture(scope="module")
def fitted(lqr, transitions):
    model, fit = gp_dynamics(lqr, EXACT), make_fit(lqr, EXACT, GPFitConfig(steps=30))
    return jax.jit(fit)(model.init(KEY), transitions, ROWS, KEY)


def predictions(model, params):
    o = jnp.array([[0.5, -1.0], [-1.0, 1.0], [0.1, 0.0]])
    a = jnp.array([[1.0], [-2.0], [0.0]])
    belief = model.encode(params, o, KEY)
    return *model.predict(params, belief, a, KEY), o, a


def test_learns_the_dynamics_and_uses_the_tasks_own_reward(lqr, fitted):
    params, metrics = fitted
    assert (
        metrics["model_rows"] == 40 and metrics["model_failed"] == 0 and jnp.isfinite(metrics["model_loss"])
    )
    belief, prediction, o, a = predictions(gp_dynamics(lqr, EXACT), params)
    assert belief.states.shape == (3, 1, 2)
    np.testing.assert_allclose(belief.states[:, 0], truth(o, a), atol=0.02)
    np.testing.assert_allclose(prediction.reward, lqr.reward(o, a, belief.states[:, 0]), rtol=1e-5)
    noise = jnp.exp(0.5 * hyperparameters_of(params.module).log_noise)
    np.testing.assert_allclose(noise, 0.01, rtol=0.5)


def test_particles_are_draws_from_the_prediction(lqr, transitions):
    """4000 of them: their mean is within 4.5 standard errors."""
    model, data = gp_dynamics(lqr, SAMPLED), regression_data(lqr, OUTCOMES, transitions, ROWS, 40)
    params = model.init(KEY)
    params = params._replace(posterior=gp.posterior(hyperparameters_of(params.module), data))
    belief, _, o, a = predictions(model, params)
    seen = gp.predict(params.posterior, jnp.concatenate([o, a], -1))
    errors = (belief.states.mean(1) - o - seen.mean) / jnp.sqrt(seen.noisy_variance / SAMPLED.particles)
    assert (jnp.abs(errors) < 4.5).all()
    np.testing.assert_allclose(belief.states.var(1), seen.noisy_variance, rtol=0.12)


def test_a_sparse_model_learns_the_same(lqr, transitions):
    model, fit = gp_dynamics(lqr, SPARSE), make_fit(lqr, SPARSE, GPFitConfig(steps=30))
    params, metrics = jax.jit(fit)(model.init(KEY), transitions, ROWS, KEY)
    assert metrics["model_failed"] == 0 and params.posterior.inputs.shape == (12, 3)
    belief, _, o, a = predictions(model, params)
    np.testing.assert_allclose(belief.states[:, 0], truth(o, a), atol=0.03)


def test_a_shooting_planner_plans_in_it(lqr, fitted):
    """Its plan is better than standing still, and on the true system nearly as good as it was imagined."""
    model = gp_dynamics(lqr, EXACT)
    config = ShootingConfig(horizon=8, population=100, elites=10, iterations=4)
    planner = make_planner(lqr.spec, model, config)
    check_compatible(lqr, model, planner)
    params, o = fitted[0], jnp.array([[1.0, 0.5]])
    belief = model.encode(params, o, KEY)
    plan = jax.jit(lambda params, belief: planner.plan(params, belief, planner.init(1), KEY, None))
    _, _, output = plan(params, belief)

    def value(actions):
        state, total = o, 0.0
        for action in actions:
            following = truth(state, action[None])
            total, state = total + lqr.reward(state, action[None], following)[0], following
        return total

    best = value(output.plan.reshape(8, 1))
    np.testing.assert_allclose(output.value[0], best, atol=0.1)
    assert best > value(jnp.zeros((8, 1))) + 0.2


def test_the_newest_transitions_are_kept_in_order(lqr, transitions):
    for count, first in ((30, 0), (40, 0), (55, 15)):
        data = regression_data(lqr, OUTCOMES, transitions, count, 40)
        kept = int(data.count)
        assert kept == min(count, 40)
        np.testing.assert_array_equal(data.inputs[:kept, :2], transitions.observation[first:count])
        change = transitions.next_observation - transitions.observation
        np.testing.assert_array_equal(data.targets[:kept], change[first:count])
        assert (data.inputs[kept:] == 0).all() and (data.targets[kept:] == 0).all()


def test_a_transition_without_finite_numbers_is_left_out_and_reported(lqr, transitions):
    spoilt = transitions._replace(next_observation=transitions.next_observation.at[-7, 0].set(jnp.nan))
    for config in (EXACT, SPARSE):
        fit = jax.jit(make_fit(lqr, config, GPFitConfig(starts=1, steps=3)))
        params, metrics = fit(gp_dynamics(lqr, config).init(KEY), spoilt, ROWS, KEY)
        assert metrics["model_left_out"] == 1 and metrics["model_rows"] == 39
        assert all(jnp.isfinite(value) for value in metrics.values())
        assert jnp.isfinite(params.posterior.beta).all()


def test_loss_is_that_of_the_module_and_what_it_offers(lqr, transitions, fitted):
    params, metrics = fitted
    data = regression_data(lqr, OUTCOMES, transitions, ROWS, 40)
    model = gp_dynamics(lqr, EXACT)
    np.testing.assert_allclose(model.loss(params, data, KEY)[0], metrics["model_loss"], rtol=2e-3)
    assert model.can.differentiable and not model.can.gaussian_belief  # beliefs are particles


def test_bad_configurations_are_named():
    bad = {"capacity": 0, "inducing": 301, "particles": 0, "kernels": ()}
    for field, value in bad.items():
        with pytest.raises(ConfigError, match=f"model.{field}"):
            GPConfig(**{field: value})
    with pytest.raises(ConfigError, match="continuous"):
        gp_dynamics(envs.make("diagnostic_chain"), EXACT)
