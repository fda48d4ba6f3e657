"""Learning: the energy falls, what is held stays, and both optimisers find the same minimum."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.gpdm import model as gpdm
from imaginax.models.gpdm.config import GPDMConfig, GPDMFitConfig
from imaginax.models.gpdm.data import motion_data
from imaginax.models.gpdm.fit import em_step, place, sweep
from imaginax.numerics.config import HMCConfig
from imaginax.types import ConfigError

CONFIG = GPDMConfig(latent=2)
ANGLE = 2 * np.pi * np.arange(40) / 20
FEATURES = np.stack([np.cos(ANGLE), np.sin(ANGLE), np.cos(2 * ANGLE)], 1)
FRAMES = FEATURES @ np.random.default_rng(0).normal(size=(3, 6)) + 1.0


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


energy = jax.jit(gpdm.energy, static_argnums=0)


def fitted(config, fit, sweeps, params, data):
    step = lambda p, _: sweep(config, fit, p, data)  # noqa: E731
    return jax.jit(lambda p: jax.lax.scan(step, p, length=sweeps))(params)


@pytest.fixture(scope="module")
def learned():
    with jax.enable_x64(True):
        data = motion_data(CONFIG, FRAMES)
        return data, *fitted(CONFIG, GPDMFitConfig(), 20, gpdm.initialise(CONFIG, data), data)


def test_every_sweep_lowers_the_energy(learned):
    data, params, metrics = learned
    energies = np.asarray(metrics["energy"])
    assert (np.diff(energies) <= 1e-9).all() and energies[-1] < energies[0] - 50
    np.testing.assert_allclose(energy(CONFIG, params, data), energies[-1])
    assert np.sqrt(np.mean((jax.jit(gpdm.reconstruct)(params, data) - FRAMES) ** 2)) < 0.05
    np.testing.assert_allclose(metrics["noise"][-1], np.exp(params.log.beta[1]) ** -0.5)


def test_lbfgs_and_scg_lower_it_alike(learned):
    """Ten of its iterations from the same start, and the energy at what it returns."""
    data, _, metrics = learned
    start = gpdm.initialise(CONFIG, data)
    params, found = fitted(CONFIG, GPDMFitConfig("lbfgs"), 5, start, data)
    np.testing.assert_allclose(found["energy"][-1], energy(CONFIG, params, data))
    assert found["energy"][-1] < metrics["energy"][0]


def test_fixed_hyperparameters_stay():
    config = dataclasses.replace(CONFIG, dynamics="fixed")
    data = motion_data(config, FRAMES)
    start = gpdm.initialise(config, data)
    params, _ = fitted(config, GPDMFitConfig(), 2, start, data)
    np.testing.assert_array_equal(params.log.alpha, start.log.alpha)
    assert np.abs(params.log.beta - start.log.beta).max() > 0


def test_placing_moves_positions_alone(learned):
    data, params, _ = learned
    shaken = params._replace(x=params.x + 0.05 * jnp.sin(jnp.arange(80.0)).reshape(40, 2))
    found, metrics = jax.jit(lambda p: place(CONFIG, GPDMFitConfig(iterations=40), p, data))(shaken)
    assert metrics["energy"] < energy(CONFIG, shaken, data)
    jax.tree.map(np.testing.assert_array_equal, (found.log, found.w), (params.log, params.w))


def test_monte_carlo_em_learns_hyperparameters():
    """From their first values: the mean energy of the draws falls, and the chain moves."""
    data = motion_data(CONFIG, FRAMES)
    start, _ = fitted(CONFIG, GPDMFitConfig(), 1, gpdm.initialise(CONFIG, data), data)
    hmc = HMCConfig(draws=10, burn_in=5, leapfrog=20, step=0.002)
    step = jax.jit(lambda p, key: em_step(CONFIG, GPDMFitConfig(), hmc, p, data, key))
    first, one = step(start, jax.random.key(0))
    second, two = step(first, jax.random.key(1))
    assert 0.3 < one["acceptance"] <= 1.0 and two["energy"] < one["energy"]
    assert np.abs(second.log.beta - start.log.beta).max() > 0.1


@pytest.mark.parametrize(("field", "value"), [("iterations", 0)])
def test_bad_settings_are_named(field, value):
    with pytest.raises(ConfigError, match=rf"fit\.{field}"):
        GPDMFitConfig(**{field: value})
