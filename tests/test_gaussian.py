"""Exact moments against Gauss-Hermite quadrature, and the limit of no variance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.gaussian import Gaussian, certain, linear, trigonometric
from tests.quadrature import moments, nodes

MEAN = np.array([0.3, -1.2, 0.8])
ROOT = np.array([[0.4, 0, 0], [0.2, 0.5, 0], [-0.3, 0.1, 0.6]])


def function(x):
    """Numbers 0 and 2 are angles."""
    return np.stack([x[:, 1], np.sin(x[:, 0]), np.cos(x[:, 0]), np.sin(x[:, 2]), np.cos(x[:, 2])], axis=1)


def test_sine_and_cosine_have_the_moments_of_quadrature():
    points, weights = nodes(MEAN, ROOT @ ROOT.T, degree=20)
    mean, covariance, cross = moments(points, function(points), weights)
    with jax.enable_x64(True):
        found = trigonometric(Gaussian(jnp.array(MEAN), jnp.array(ROOT @ ROOT.T)), (0, 2))
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)
    np.testing.assert_allclose(found.cross, cross, atol=1e-12)


def test_a_state_that_is_known_keeps_no_variance():
    found = trigonometric(certain(jnp.array(MEAN, jnp.float32)), (0, 2))
    np.testing.assert_allclose(found.mean, function(MEAN[None])[0], rtol=1e-6)
    assert not np.any(found.covariance) and not np.any(found.cross)


def test_no_angles_leave_the_state_as_it_is():
    belief = Gaussian(jnp.array(MEAN), jnp.array(ROOT @ ROOT.T))
    found = trigonometric(belief, ())
    for part in (found.covariance, found.cross):
        np.testing.assert_array_equal(part, belief.covariance)


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_linear_functions(offset):
    matrix = np.array([[1.0, 2, 0], [0, -1, 3]])
    found = linear(Gaussian(jnp.array(MEAN), jnp.array(ROOT @ ROOT.T)), jnp.array(matrix), offset)
    np.testing.assert_allclose(found.mean, matrix @ MEAN + offset, rtol=1e-5)
    np.testing.assert_allclose(found.covariance, matrix @ ROOT @ ROOT.T @ matrix.T, rtol=1e-5)
    np.testing.assert_allclose(found.cross, ROOT @ ROOT.T @ matrix.T, rtol=1e-4, atol=1e-6)
