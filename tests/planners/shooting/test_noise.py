"""Coloured noise against the spectrum that defines it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.planners.shooting.noise import coloured_noise


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("horizon", [16, 25])
def test_unit_variance_and_power_law(beta, horizon):
    series = np.asarray(coloured_noise(jax.random.key(0), beta, (20_000, horizon, 2)))
    np.testing.assert_allclose(series.var(axis=0), 1.0, rtol=0.06)
    power = (np.abs(np.fft.rfft(series, axis=1)) ** 2).mean(axis=(0, 2))
    frequency = np.fft.rfftfreq(horizon)
    inner = slice(1, -1)  # the ends are real and hold half the degrees of freedom
    slope = np.polyfit(np.log(frequency[inner]), np.log(power[inner]), 1)[0]
    np.testing.assert_allclose(slope, -beta, atol=0.05)


@pytest.mark.parametrize("beta", [-1e15, -300.0, 60.0, 1e15])
def test_an_extreme_exponent_leaves_a_single_frequency(beta):
    """Powers like 25^30 and (1 / 25)^30 are beyond float32."""
    series = np.asarray(coloured_noise(jax.random.key(0), beta, (2000, 25, 1)))
    np.testing.assert_allclose(series.var(), 1.0, rtol=0.1)
    power = (np.abs(np.fft.rfft(series, axis=1)) ** 2).mean(axis=(0, 2))
    kept = slice(0, 2) if beta > 0 else slice(-1, None)
    np.testing.assert_allclose(power[kept].sum() / power.sum(), 1.0, atol=1e-4)


def test_entries_are_independent_across_actions_and_plans():
    series = coloured_noise(jax.random.key(1), 2.0, (20_000, 10, 2))
    correlation = jnp.corrcoef(series[:, 0, 0], series[:, 0, 1])[0, 1]
    assert abs(correlation) < 0.03
    assert jnp.corrcoef(series[:, 0, 0], series[:, 1, 0])[0, 1] > 0.5  # but along time


def test_a_single_step_is_white():
    np.testing.assert_allclose(coloured_noise(jax.random.key(0), 2.0, (50_000, 1, 1)).std(), 1.0, rtol=0.02)
