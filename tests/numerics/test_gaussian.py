"""Exact moments against Gauss-Hermite quadrature, and the limit of no variance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.numerics.gaussian import Gaussian, certain, linear, trigonometric
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


@pytest.mark.parametrize("precision, variance", [(jnp.float32, 100.0), (jnp.float64, 900.0)])
def test_angles_of_which_only_the_difference_is_known(precision, variance):
    """cov(sin a, sin b) is then E[cos(a - b)] / 2; exp(variance) overflows."""
    away, width = 0.5, 0.3
    with jax.enable_x64(True):
        covariance = jnp.array([[variance, variance], [variance, variance + width**2]], precision)
        found = trigonometric(Gaussian(jnp.array([0.2, 0.2 - away], precision), covariance), (0, 1))
    expected = np.exp(-(width**2) / 2) / 2 * np.array([np.cos(away), np.sin(away)])
    sin_a, sin_b, cos_b = 0, 2, 3
    np.testing.assert_allclose(found.covariance[sin_a, [sin_b, cos_b]], expected, rtol=2e-5)
    np.testing.assert_allclose(np.diagonal(found.covariance), 0.5, rtol=1e-6)


def test_slope_in_a_covariance_that_is_zero():
    """d cov(sin a, sin b) / d cov(a, b) is E[cos a] E[cos b] there."""
    mean, variance = jnp.array(MEAN), np.array([0.4, 0.5, 0.6])

    def of_sines(between):
        covariance = jnp.diag(jnp.array(variance)).at[0, 2].set(between).at[2, 0].set(between)
        return trigonometric(Gaussian(mean, covariance), (0, 2)).covariance[1, 3]

    expected = np.prod(np.cos(MEAN[[0, 2]]) * np.exp(-variance[[0, 2]] / 2))
    np.testing.assert_allclose(jax.grad(of_sines)(0.0), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(of_sines)(1e-4), expected, rtol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_linear_functions(offset):
    matrix = np.array([[1.0, 2, 0], [0, -1, 3]])
    found = linear(Gaussian(jnp.array(MEAN), jnp.array(ROOT @ ROOT.T)), jnp.array(matrix), offset)
    np.testing.assert_allclose(found.mean, matrix @ MEAN + offset, rtol=1e-5)
    np.testing.assert_allclose(found.covariance, matrix @ ROOT @ ROOT.T @ matrix.T, rtol=1e-5)
    np.testing.assert_allclose(found.cross, ROOT @ ROOT.T @ matrix.T, rtol=1e-4, atol=1e-6)
