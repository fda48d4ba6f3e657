"""The planner on a linear model with known optimum, and its chance constraints."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imaginax import envs
from imaginax.envs import diagnostics
from imaginax.envs.limits import Limit
from imaginax.models.gp.gaussian_dynamics import Feedback, gaussian_task
from imaginax.numerics.gaussian import Gaussian, certain, pack, unpack
from imaginax.planners.config import MomentPlannerConfig
from imaginax.planners.moment_matching import make_planner, violations
from imaginax.types import Capabilities, ConfigError, Prediction, WorldModel

NOISE = 0.01
CONFIG = MomentPlannerConfig(horizon=20, evaluations=120, tolerance=1e-12, feedback=False)
LIMIT = Limit(0, high=0.35)


def linear_model(noise):
    """The LQR task on Gaussian beliefs: exact, with noise added to every state."""
    a, b = jnp.array(diagnostics.LQR_TRANSITION), jnp.array(diagnostics.LQR_CONTROL)

    def step(belief, control):
        if not isinstance(control, Feedback):
            control = Feedback(control, jnp.zeros((len(control), 2)))
        closed = a + b @ control.gain
        covariance = closed @ belief.covariance @ closed.T + noise**2 * jnp.eye(2)
        following = Gaussian(a @ belief.mean + b @ control.mean, covariance)
        return following, diagnostics.lqr_expected_reward(belief, control.mean, following)[0]

    def predict(params, belief, action, key):
        following, reward = jax.vmap(step)(belief, action)
        return following, Prediction(reward, jnp.ones_like(reward))

    def encode(params, observation, key):
        return certain(observation)

    can = Capabilities(continuous=True, differentiable=True, gaussian_belief=True)
    decode = lambda params, belief: belief  # noqa: E731
    return WorldModel(lambda key: (), encode, encode, predict, decode, lambda *_: (jnp.zeros(()), {}), can)


def solve(config, limits=(), noise=NOISE, start=((0.8, -0.4), (0.3, 0.9))):
    task = gaussian_task(envs.make("diagnostic_lqr"))
    with jax.enable_x64(True):
        model = linear_model(noise)
        planner = make_planner(task, model, config, limits)
        belief = model.encode((), jnp.array(start), None)
        plan = jax.jit(planner.plan)
        action, warm, output = plan((), belief, planner.init(len(start)), jax.random.key(0), None)
    return jax.tree.map(np.asarray, (action, warm, output))


def test_the_plan_has_riccatis_value():
    """Noise adds a constant to the cost, which plans cannot change; bounds do not matter here."""
    _, _, output = solve(CONFIG, noise=0.0)
    best = diagnostics.lqr_optimal_return(jnp.array([[0.8, -0.4], [0.3, 0.9]]))
    np.testing.assert_allclose(output.value, best, rtol=1e-5)


def test_the_states_are_those_that_the_plan_leads_to():
    _, warm, output = solve(CONFIG)
    model = linear_model(NOISE)
    belief = model.encode((), jnp.array([[0.8, -0.4], [0.3, 0.9]]), None)
    for t in range(CONFIG.horizon):
        belief, _ = model.predict((), belief, jnp.asarray(output.plan[:, t]), None)
        expected = jax.vmap(pack)(belief)
        np.testing.assert_allclose(warm.policy.states[:, t], expected, rtol=1e-4, atol=1e-5)


def test_with_feedback_beliefs_spread_as_under_the_optimal_gains():
    """Riccati's gains in numpy, and the covariances under them; the optimum's cost counts both."""
    a, b = np.array(diagnostics.LQR_TRANSITION), np.array(diagnostics.LQR_CONTROL)
    cost, noise = np.array(diagnostics.LQR_STATE_COST), 0.1
    to_go, gains = np.zeros((2, 2)), []
    for _ in range(CONFIG.horizon):
        gains.append(b.T @ to_go @ a / (diagnostics.LQR_ACTION_COST + b.T @ to_go @ b))
        to_go = cost + a.T @ to_go @ (a - b @ gains[-1])
    covariance, spread = np.zeros((2, 2)), 0.0
    for gain in reversed(gains):
        spread += np.trace(cost @ covariance)
        covariance = (a - b @ gain) @ covariance @ (a - b @ gain).T + noise**2 * np.eye(2)
    start = np.array([[0.8, -0.4], [0.3, 0.9]])
    best = -np.einsum("bi,ij,bj->b", start, to_go, start) - spread
    _, _, closed = solve(dataclasses.replace(CONFIG, feedback=True), noise=noise)
    _, _, alone = solve(CONFIG, noise=noise)
    np.testing.assert_allclose(closed.value, best, rtol=1e-4)
    assert np.all(alone.value < closed.value - 0.01)


def test_the_warm_start_is_the_plan_one_step_later():
    action, warm, output = solve(CONFIG)
    np.testing.assert_array_equal(action, output.plan[:, 0])
    np.testing.assert_array_equal(warm.policy.plan[:, :-1], output.plan[:, 1:])
    np.testing.assert_array_equal(warm.policy.plan[:, -1], output.plan[:, -1])


@pytest.mark.parametrize(
    ("variant", "quantile", "feedback"),
    [("variance", 1.645, False), ("mean", 0.0, False), ("variance", 1.645, True)],
)
def test_limits_are_kept_and_are_active(variant, quantile, feedback):
    """The second start would overshoot the limit: the constrained plan touches it, with the right margin."""
    config = dataclasses.replace(CONFIG, variant=variant, rounds=8, feedback=feedback)
    free = solve(dataclasses.replace(config, constraints=False), (LIMIT,))[1].policy.states
    kept = solve(config, (LIMIT,))[1].policy.states

    def worst(states):  # packed: two means, then the variance of the first
        return np.max(states[1, :, 0] + quantile * np.sqrt(states[1, :, 2]))

    assert worst(free) > LIMIT.high + 0.05
    np.testing.assert_allclose(worst(kept), LIMIT.high, atol=2e-3)


def test_limits_are_kept_as_far_as_the_constraint_horizon():
    """A limit of the speed, which the best plan breaks from the second step on."""
    config = dataclasses.replace(CONFIG, variant="mean", rounds=8, constraint_horizon=3)
    speeds = solve(config, (Limit(1, low=-0.1),))[1].policy.states[1, :, 1]  # after each control
    np.testing.assert_allclose(speeds[1:3], -0.1, atol=2e-3)
    assert np.all(speeds[3:8] < -0.2)


def test_the_margin_is_the_normal_quantile():
    belief = Gaussian(jnp.array([0.2, 0.0]), jnp.diag(jnp.array([0.04, 1.0])))
    limits = (Limit(0, low=-1.0, high=0.5), Limit(1, low=0.0))
    found = violations(MomentPlannerConfig(), limits, belief)
    margin = 1.6448536 * 0.2
    # above the first limit lie 6.7%: nothing is left for its lower side but half
    np.testing.assert_allclose(found, [-1.2 + 1.959964 * 0.2, -0.3 + margin, 1.6448536, -1.0], rtol=1e-4)
    mean_only = violations(MomentPlannerConfig(variant="mean"), limits, belief)
    np.testing.assert_allclose(mean_only, [-1.2, -0.3, 0.0, -1.0], atol=1e-6)


@pytest.mark.parametrize("probability", [0.5, 0.8, 0.95, 0.999])
def test_a_limit_is_kept_if_and_only_if_its_probability_is(probability):
    """For one bound and for two, near and far; the probability is scipy's."""
    config, draw = MomentPlannerConfig(probability=probability), np.random.default_rng(0)
    means, deviations = draw.uniform(-2, 2, 3000), draw.uniform(0.05, 2, 3000)
    for limit in (Limit(0, low=-1.0, high=1.5), Limit(0, low=-1.0), Limit(0, high=1.5)):
        with jax.enable_x64(True):
            beliefs = Gaussian(jnp.array(means)[:, None], jnp.array(deviations)[:, None, None] ** 2)
            found = np.asarray(jax.jit(jax.vmap(partial(violations, config, (limit,))))(beliefs))
        inside = stats.norm.cdf(limit.high, means, deviations) - stats.norm.cdf(limit.low, means, deviations)
        kept = np.all(found <= 0, axis=1)
        assert 100 < kept.sum() < 2900
        np.testing.assert_array_equal(kept, inside >= probability)


def test_derivatives_of_two_sided_limits_are_finite():
    """Certain beliefs, wide ones, and those for which no mean keeps the limit; the cost needs the second."""
    config, limits = MomentPlannerConfig(), (Limit(0, -1.0, 1.0),)
    slopes = jax.jit(jax.grad(lambda x: jnp.sum(violations(config, limits, unpack(x, 1)))))
    curvature = jax.jit(jax.hessian(lambda x: jnp.sum(violations(config, limits, unpack(x, 1)) ** 2)))
    with jax.enable_x64(True):
        for mean in (-3.0, -1.0, 0.0, 0.999, 50.0):
            for variance in (0.0, 1e-12, 1e-4, 0.26, 4.0, 1e6):
                point = jnp.array([mean, variance])
                assert np.all(np.isfinite(slopes(point))) and np.all(np.isfinite(curvature(point)))


def test_a_plan_between_two_bounds_keeps_the_documented_probability():
    """A corridor just wide enough for the last beliefs, beside which the optimum without limits lies."""
    config, start = dataclasses.replace(CONFIG, rounds=8), ((0.04, 0.0),)
    free = solve(config, start=start)[1].policy.states[0]
    widest = np.sqrt(free[:, 2].max())  # without feedback the plan does not change it
    limit = Limit(0, low=-0.5 * widest, high=3.45 * widest)
    kept = solve(config, (limit,), start=start)[1].policy.states[0]

    def probability(states):
        mean, deviation = states[:, 0], np.sqrt(states[:, 2])
        inside = stats.norm.cdf(limit.high, mean, deviation) - stats.norm.cdf(limit.low, mean, deviation)
        return inside.min()

    assert probability(free) < 0.8
    np.testing.assert_allclose(probability(kept), config.probability, atol=2e-3)


def test_more_starts_are_never_worse():
    few = solve(dataclasses.replace(CONFIG, evaluations=1, starts=1))[2]
    many = solve(dataclasses.replace(CONFIG, evaluations=4, starts=4))[2]
    assert np.all(many.value >= few.value - 1e-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [("horizon", 0), ("probability", 1.0), ("penalty", 0.0), ("tolerance", -1.0)],
)
def test_impossible_settings_are_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        MomentPlannerConfig(**{field: value})
