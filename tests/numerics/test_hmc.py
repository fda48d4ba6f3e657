"""Hamiltonian Monte Carlo: the leapfrog's invariants, and moments of densities that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.numerics.config import HMCConfig
from imaginax.numerics.hmc import leapfrog, sample
from imaginax.types import ConfigError

COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.8]])


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def gaussian(x):
    return x @ jnp.asarray(np.linalg.inv(COVARIANCE)) @ x / 2


def quartic(x):
    return jnp.sum(x**4 / 4 - x**2 / 2 + jnp.cos(3 * x[0]) * x[1])


def total(position, momentum):
    return quartic(position) + jnp.sum(momentum**2) / 2


START = np.array([0.7, -0.4]), np.array([0.3, 1.1])


def test_leapfrog_is_reversible():
    position, momentum = map(jnp.asarray, START)
    ahead = leapfrog(quartic, position, momentum, step=0.05, steps=40)
    assert np.abs(ahead[0] - position).max() > 0.1
    back = leapfrog(quartic, ahead[0], -ahead[1], step=0.05, steps=40)
    np.testing.assert_allclose(back[0], position, atol=1e-10)
    np.testing.assert_allclose(-back[1], momentum, atol=1e-10)


def test_energy_error_is_of_second_order():
    """Over the same time, half the step makes a quarter of the error."""
    position, momentum = map(jnp.asarray, START)
    errors = []
    for steps in (50, 100, 200):
        end = leapfrog(quartic, position, momentum, step=1.0 / steps, steps=steps)
        errors.append(float(jnp.abs(total(*end) - total(position, momentum))))
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4.0, rtol=0.05)


def test_leapfrog_keeps_volume():
    """The determinant of its Jacobian is one."""

    def flow(both):
        return jnp.concatenate(leapfrog(quartic, both[:2], both[2:], step=0.1, steps=10))

    jacobian = jax.jacobian(flow)(jnp.concatenate([jnp.asarray(part) for part in START]))
    np.testing.assert_allclose(np.linalg.det(jacobian), 1.0, atol=1e-10)


def test_draws_have_the_moments_of_the_density():
    config = HMCConfig(draws=4000, burn_in=50, leapfrog=12, step=0.2)
    chain = jax.jit(lambda key: sample(gaussian, jnp.array([3.0, -3.0]), config, key))(jax.random.key(0))
    draws = np.asarray(chain.draws)
    assert draws.shape == (4000, 2) and 0.8 < float(chain.acceptance) <= 1.0
    np.testing.assert_allclose(draws.mean(0), 0.0, atol=0.06)
    np.testing.assert_allclose(np.cov(draws.T), COVARIANCE, atol=0.08)
    np.testing.assert_allclose(chain.energies, jax.vmap(gaussian)(chain.draws), rtol=1e-10)


def test_steps_too_large_are_rejected():
    config = HMCConfig(draws=20, burn_in=0, leapfrog=50, step=5.0)
    start = jnp.array([1.0, 1.0])
    chain = sample(gaussian, start, config, jax.random.key(0))
    assert float(chain.acceptance) == 0.0
    np.testing.assert_array_equal(chain.draws, np.ones((20, 2)))


@pytest.mark.parametrize(("field", "value"), [("draws", 0), ("burn_in", -1), ("leapfrog", 0), ("step", 0.0)])
def test_bad_settings_are_named(field, value):
    with pytest.raises(ConfigError, match=rf"hmc\.{field}"):
        HMCConfig(**{field: value})
