"""The saturating cost's moments against quadrature of the cost itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs.gpmpc import saturating_cost
from imaginax.objectives.saturating import saturating_moments
from tests.quadrature import nodes

MEAN, TARGET = np.array([0.2, -0.3]), np.array([0.0, 0.5])


@pytest.mark.parametrize(("scale", "width"), [(0.01, 0.25), (0.1, 0.5), (0.5, 1.0)])
def test_mean_and_variance(scale, width):
    covariance = scale * np.array([[1.0, 0.4], [0.4, 0.5]])
    points, weights = nodes(MEAN, covariance, degree=60)
    cost = 1 - np.exp(-np.sum((points - TARGET) ** 2, axis=1) / (2 * width**2))
    with jax.enable_x64(True):
        mean, variance = saturating_moments(jnp.array(MEAN), jnp.array(covariance), jnp.array(TARGET), width)
    np.testing.assert_allclose(mean, weights @ cost, rtol=1e-5)
    np.testing.assert_allclose(variance, weights @ cost**2 - (weights @ cost) ** 2, rtol=1e-4, atol=1e-7)


def test_a_point_that_is_known_has_the_cost_itself():
    mean, variance = saturating_moments(jnp.array(MEAN), jnp.zeros((2, 2)), jnp.array(TARGET), 0.3)
    np.testing.assert_allclose(mean, saturating_cost(jnp.array(MEAN), tuple(TARGET), 0.3), rtol=1e-6)
    assert float(variance) < 1e-6
