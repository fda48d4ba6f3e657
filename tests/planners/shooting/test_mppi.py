"""MPPI's weights and its fixed point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.planners.shooting import mppi
from imaginax.planners.shooting.config import ShootingConfig
from tests.planners.worlds import SPACE, quadratic


def test_weights_are_exponential_in_the_return():
    returns = jnp.array([[1.0, 2.0, -jnp.inf, 0.5], [-jnp.inf] * 4])
    weights = mppi.path_weights(returns, 0.5)
    raw = np.exp((np.array([1.0, 2.0, -np.inf, 0.5]) - 2.0) / 0.5)
    np.testing.assert_allclose(weights[0], raw / raw.sum(), rtol=1e-6)
    np.testing.assert_allclose(weights[1], 0.25)  # no plan is any good: still a distribution


@pytest.mark.parametrize("temperature", [1e-40, 1e-3, 0.4, 1.0, 1e15])
def test_weights_are_a_distribution_at_every_temperature(temperature):
    """At infinite returns they are the limits of those at finite ones."""
    inf = jnp.inf
    returns = jnp.array([[-inf] * 3, [1.0, inf, -inf], [inf, 2.0, inf], [3e38, -3e38, 1.0], [2.0, 2.0, -inf]])
    weights = mppi.path_weights(returns, temperature)
    np.testing.assert_allclose(weights[:3], [[1 / 3] * 3, [0, 1, 0], [0.5, 0, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(weights[3:], [[1, 0, 0], [0.5, 0.5, 0]], atol=1e-6)


def test_one_iteration_is_the_posterior_mean_of_a_gaussian():
    """N(m, s^2) weighted by exp(-(x - t)^2 / L) has mean (m / s^2 + 2 t / L) / (1 / s^2 + 2 / L)."""
    config = ShootingConfig(
        "mppi",
        horizon=2,
        population=200_000,
        elites=1,
        iterations=1,
        noise_beta=0.0,
        noise_std=0.2,
        temperature=0.7,
    )
    target = np.array([[0.8, -0.4], [0.3, 0.1]], np.float32)
    start = jnp.array([[[0.5, 0.2], [0.0, 0.5]]])
    _, _, found = mppi.plan(quadratic(target), SPACE, config, (), jnp.zeros(1, int), start, jax.random.key(0))
    precision, pull = 1 / 0.5**2, 2 / 0.7  # noise_std is a fraction of half the range, 2.5
    expected = (precision * start[0] + pull * target) / (precision + pull)
    np.testing.assert_allclose(found.plan[0], expected, atol=0.01)
