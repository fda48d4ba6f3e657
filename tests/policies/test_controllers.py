"""Moments of policies against Gauss-Hermite quadrature."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from imaginax.numerics.gaussian import Gaussian, Joint
from imaginax.policies import controllers
from imaginax.types import Box
from tests.decimals import Reference
from tests.quadrature import moments, nodes

MEAN = np.array([0.3, -0.4])
ROOT = np.array([[0.5, 0], [0.2, 0.4]])
COVARIANCE = ROOT @ ROOT.T


def numbers(tree):
    """As numpy, which keeps float64 outside of the scope too."""
    return jax.tree.map(np.asarray, tree)


def policy(kind):
    start = Gaussian(jnp.zeros(2), jnp.eye(2))
    return controllers.random_policy(kind, jax.random.key(1), start, controls=2, centres=4, size=0.8)


@pytest.mark.parametrize("kind", ["rbf", "linear"])
def test_preliminary_controls(kind):
    points, weights = nodes(MEAN, COVARIANCE, degree=24)
    with jax.enable_x64(True):
        own = controllers.prepare(policy(kind))
        values = np.asarray(jax.vmap(lambda x: controllers.preliminary(own, x))(jnp.array(points)))
        found = numbers(controllers.preliminary_moments(own, jnp.array(MEAN), jnp.array(COVARIANCE)))
    mean, covariance, across = moments(points, values, weights)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(COVARIANCE @ found.gain, across, rtol=1e-7, atol=1e-10)


def test_an_rbf_policy_is_the_mean_of_a_gaussian_process():
    """Oracle: scikit-learn's, for each control."""
    points = np.random.default_rng(0).normal(size=(5, 2))
    with jax.enable_x64(True):
        own = numbers(policy("rbf"))
        prepared = controllers.prepare(jax.tree.map(jnp.asarray, own))
        found = np.asarray(jax.vmap(partial(controllers.preliminary, prepared))(jnp.asarray(points)))
    for control, (targets, lengthscales) in enumerate(zip(own.targets, own.log_lengthscales, strict=True)):
        kernel = RBF(np.exp(lengthscales), length_scale_bounds="fixed")
        process = GaussianProcessRegressor(kernel, alpha=1e-4, optimizer=None).fit(own.centres, targets)
        np.testing.assert_allclose(found[:, control], process.predict(points), rtol=1e-7)


def test_a_linear_policy_without_squashing_gives_a_joint_covariance_that_is_exact():
    own = controllers.LinearPolicy(jnp.array([[1.0, 2.0]]), jnp.array([0.5]))
    found = controllers.preliminary_moments(own, jnp.array(MEAN), jnp.array(COVARIANCE))
    np.testing.assert_allclose(found.covariance, [[[1, 2] @ COVARIANCE @ [1, 2]]], rtol=1e-5)


def test_the_joint_distribution_is_symmetric_and_has_no_negative_variance():
    with jax.enable_x64(True):
        seen = Joint(jnp.array(MEAN), jnp.array(COVARIANCE), jnp.array(COVARIANCE))
        found = numbers(controllers.joint(controllers.prepare(policy("rbf")), seen, Box((2,), -2.0, 2.0)))
    assert found.cross.shape == (2, 4)
    np.testing.assert_allclose(found.covariance, found.covariance.T, atol=1e-15)
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-12


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-8])
def test_covariances_keep_their_digits_where_the_features_are_nearly_certain(scale):
    """Oracle: the product of the means subtracted, in 60 decimal digits."""
    with jax.enable_x64(True):
        own = controllers.prepare(policy("rbf"))
        spread = scale**2 * COVARIANCE
        found = numbers(controllers.preliminary_moments(own, jnp.array(MEAN), jnp.array(spread)))
        lengths = np.exp(np.asarray(own.log_lengthscales))
        oracle = Reference.of_weights(np.asarray(own.centres), np.asarray(own.weights), lengths)
    expected = oracle.match(MEAN, spread)
    covariance = (expected.covariance - np.diag(expected.latent)).astype(float)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)
    np.testing.assert_allclose(found.mean, expected.mean.astype(float), rtol=1e-12)


def test_every_parameter_has_the_gradient_of_finite_differences():
    """Of the mean, the covariance and the gain; a policy search moves the length-scales too."""
    with jax.enable_x64(True):
        own, mean, root = policy("rbf"), jnp.array(MEAN), jnp.array(ROOT)

        def number(own, mean, root):
            own, mean, root = jax.tree.map(jnp.asarray, (own, mean, root))
            found = controllers.preliminary_moments(controllers.prepare(own), mean, root @ root.T)
            parts = (jnp.sum(jnp.cos(jnp.arange(x.size) + 1.0) * x.ravel()) for x in found)
            return sum(parts)

        check_grads(number, (own, mean, root), order=1, modes=["fwd", "rev"], atol=1e-6, rtol=1e-6)
