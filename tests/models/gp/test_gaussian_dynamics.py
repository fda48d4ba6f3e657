"""Beliefs under controls that depend on the state, against Monte Carlo."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs import diagnostics
from imaginax.models.gp import exact as gp
from imaginax.models.gp import kernels
from imaginax.models.gp.gaussian_dynamics import (
    Feedback,
    dynamics,
    gaussian_task,
    inputs,
    mean_step,
    variance_step,
    with_feedback,
    with_known,
)
from imaginax.numerics.gaussian import Gaussian, trigonometric


@pytest.mark.parametrize(("size", "error"), [(0.2, 0.02), (10.0, 0.2)])
def test_the_joint_distribution_of_state_features_and_feedback(size, error):
    """Small gains ask for controls within the bounds, large ones for controls of which half are outside."""
    task = gaussian_task(envs.make("gpmpc_double_pendulum"))
    draw = np.random.default_rng(0)
    root = 0.3 * draw.normal(size=(4, 4))
    mean, covariance = draw.normal(size=4), root @ root.T
    control = Feedback(jnp.array([0.3, -0.5]), jnp.array(size * draw.normal(size=(2, 4))))
    belief = Gaussian(jnp.array(mean), jnp.array(covariance))
    found = with_feedback(trigonometric(belief, task.angles), belief.covariance, control, task.space)
    states = draw.multivariate_normal(mean, covariance, size=400_000)
    asked = np.asarray(control.mean) + (states - mean) @ np.asarray(control.gain).T
    controls = np.clip(asked, task.space.low, task.space.high)
    assert (np.mean(asked != controls) > 0.4) == (size > 1)
    seen = np.asarray(inputs(task, jnp.array(states), jnp.array(controls)))
    both = np.cov(np.concatenate([states, seen], axis=1).T)
    np.testing.assert_allclose(found.mean, seen.mean(0), atol=0.01)
    np.testing.assert_allclose(found.covariance[-2:, -2:], both[-2:, -2:], atol=0.02)
    np.testing.assert_allclose(found.cross, both[:4, 4:], atol=0.02)
    np.testing.assert_allclose(found.covariance, both[4:, 4:], atol=error)  # features are no normal numbers


def test_without_gain_the_control_is_known():
    task = gaussian_task(envs.make("gpmpc_cartpole"))
    belief = Gaussian(jnp.arange(4.0), 0.1 * jnp.eye(4))
    seen, control = trigonometric(belief, task.angles), jnp.array([0.7])
    still = with_feedback(seen, belief.covariance, Feedback(control, jnp.zeros((1, 4))), task.space)
    for found, expected in zip(still, with_known(seen, control), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.fixture(scope="module")
def linear():
    """The task and processes that know its linear dynamics, in float64."""
    task = gaussian_task(envs.make("diagnostic_lqr"))
    draw = np.random.default_rng(0)
    rows = draw.uniform(-1, 1, (40, 3)) * [8.0, 8.0, diagnostics.LQR_BOUND]
    with jax.enable_x64(True):
        scales = jnp.log(jnp.array([[60.0, 60.0, 80.0]] * 2))
        kernel = kernels.make_kernel((kernels.SquaredExponential,), scales, jnp.log(jnp.full(2, 100.0)))
        targets = following(rows[:, :2], rows[:, 2:]) - rows[:, :2]
        data = gp.Data(jnp.array(rows), jnp.array(targets), 40)
        posterior = gp.posterior(gp.Hyperparameters(kernel, jnp.full(2, np.log(1e-3))), data)
        return task, jax.tree.map(np.asarray, dynamics(posterior).prepared)


def following(states, controls):
    """The task's step, whose motor clips."""
    bounded = np.clip(controls, -diagnostics.LQR_BOUND, diagnostics.LQR_BOUND)
    return states @ np.array(diagnostics.LQR_TRANSITION).T + bounded @ np.array(diagnostics.LQR_CONTROL).T


@pytest.mark.parametrize("plan", [3.0, 10.0])
def test_a_roll_out_spreads_as_far_as_clipped_feedback_lets_it(linear, plan):
    """Four steps under gains that ask for more than the bounds, often; the truth by Monte Carlo.

    The first step is exact. Then the states are no normal numbers any more, and beliefs too narrow by up to
    15%; those of the controls that are asked for are too narrow by half.
    """
    task, prepared = linear
    gain, draw = np.array([[-4.0, -3.0]]), np.random.default_rng(1)
    mean, covariance = np.array([0.5, -0.2]), np.diag([1.0, 2.0])
    states = draw.multivariate_normal(mean, covariance, size=200_000)
    closed = np.array(diagnostics.LQR_TRANSITION) + np.array(diagnostics.LQR_CONTROL) @ gain
    with jax.enable_x64(True):
        belief, step = Gaussian(jnp.array(mean), jnp.array(covariance)), jax.jit(partial(variance_step, task))
        for error in (0.01, 0.05, 0.1, 0.18):
            states = following(states, plan + (states - np.asarray(belief.mean)) @ gain.T)
            belief = step(prepared, belief, Feedback(jnp.array([plan]), jnp.array(gain)))
            covariance = closed @ covariance @ closed.T
            truth = states.std(0)
            np.testing.assert_allclose(belief.mean, states.mean(0), atol=0.05)
            np.testing.assert_allclose(np.sqrt(np.diag(belief.covariance)), truth, rtol=error)
    if plan == 10.0:
        assert np.sqrt(covariance[0, 0]) < 0.5 * truth[0]


@pytest.mark.parametrize("step", [variance_step, mean_step])
def test_known_controls_beyond_the_bounds_act_as_the_bound(linear, step):
    task, prepared = linear
    with jax.enable_x64(True):
        belief = Gaussian(jnp.array([0.3, 0.4]), jnp.zeros((2, 2)))
        found = jax.jit(partial(step, task))(prepared, belief, jnp.array([25.0]))
        np.testing.assert_allclose(found.mean, following(np.array([0.3, 0.4]), np.array([25.0])), atol=2e-3)
