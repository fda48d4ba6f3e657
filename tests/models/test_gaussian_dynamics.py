"""Beliefs under controls that depend on the state, against Monte Carlo."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.gaussian import Gaussian, trigonometric
from imaginax.models.gaussian_dynamics import Feedback, gaussian_task, inputs, with_feedback, with_known


def test_the_joint_distribution_of_state_features_and_feedback():
    task = gaussian_task(envs.make("gpmpc_cartpole"))
    draw = np.random.default_rng(0)
    root = 0.3 * draw.normal(size=(4, 4))
    mean, covariance = draw.normal(size=4), root @ root.T
    control = Feedback(jnp.array([0.7]), jnp.array(draw.normal(size=(1, 4))))
    belief = Gaussian(jnp.array(mean), jnp.array(covariance))
    found = with_feedback(trigonometric(belief, task.angles), belief.covariance, control)
    states = draw.multivariate_normal(mean, covariance, size=400_000)
    controls = np.asarray(control.mean) + (states - mean) @ np.asarray(control.gain).T
    seen = np.asarray(inputs(task, jnp.array(states), jnp.array(controls)))
    both = np.cov(np.concatenate([states, seen], axis=1).T)
    np.testing.assert_allclose(found.mean, seen.mean(0), atol=0.01)
    np.testing.assert_allclose(found.covariance, both[4:, 4:], atol=0.02)
    np.testing.assert_allclose(found.cross, both[:4, 4:], atol=0.02)


def test_without_gain_the_control_is_known():
    task = gaussian_task(envs.make("gpmpc_cartpole"))
    belief = Gaussian(jnp.arange(4.0), 0.1 * jnp.eye(4))
    seen, control = trigonometric(belief, task.angles), jnp.array([0.7])
    still = with_feedback(seen, belief.covariance, Feedback(control, jnp.zeros((1, 4))))
    for found, expected in zip(still, with_known(seen, control), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-7)
