"""Moment matching against Gauss-Hermite quadrature of the textbook posterior, and finite differences."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.gp import exact as gp
from imaginax.models.gp import kernels
from imaginax.models.gp.moment_sums import exp, padded
from imaginax.models.gp.moments import at_point, match, prepare, resolve
from tests.quadrature import moments, nodes

POINTS, ROOM, FEATURES, OUTPUTS = 70, 80, 3, 2
MEAN = np.array([0.3, -0.4, 0.2])
ROOT = np.array([[0.5, 0, 0], [0.2, 0.4, 0], [-0.1, 0.3, 0.3]])
COVARIANCE = ROOT @ ROOT.T


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(POINTS, FEATURES)) * [1.0, 1.5, 2.0]
    y = np.stack([np.sin(x[:, 0]) + 0.3 * x[:, 1], np.cos(x[:, 1] + x[:, 2])], axis=1)
    return x, y + 0.01 * draw.normal(size=y.shape)


LENGTHS = np.array([[1.2, 2.0, 3.0], [2.5, 1.1, 1.6]])
VARIANCE, NOISE = np.array([1.5, 0.7]), np.array([1e-3, 4e-3])


@pytest.fixture(scope="module")
def prepared(data):
    """With more rows than points, as in a run."""
    x, y = (np.concatenate([part, np.full((ROOM - POINTS, part.shape[1]), 7.0)]) for part in data)
    with jax.enable_x64(True):
        own = kernels.make_kernel(
            (kernels.SquaredExponential,), jnp.log(jnp.array(LENGTHS)), jnp.log(jnp.array(VARIANCE))
        )
        hyperparameters = gp.Hyperparameters(own, jnp.log(jnp.array(NOISE)))
        return prepare(gp.posterior(hyperparameters, gp.Data(jnp.array(x), jnp.array(y), POINTS)))


def numbers(tree):
    """As numpy, which keeps float64 outside of the scope too."""
    return jax.tree.map(np.asarray, tree)


def kernel(a, p, q):
    """Of output a, between two sets of points."""
    return VARIANCE[a] * np.exp(-0.5 * np.sum(((p[:, None] - q) / LENGTHS[a]) ** 2, axis=-1))


def textbook(data, at):
    """Mean [M E] and variance [M E] of the posterior, with numpy's solver."""
    x, y = data
    means, variances = [], []
    for a in range(OUTPUTS):
        across = kernel(a, at, x)
        matrix = kernel(a, x, x) + NOISE[a] * np.eye(len(x))
        solve = np.linalg.solve(matrix, np.c_[y[:, a], across.T])
        means.append(across @ solve[:, 0])
        variances.append(VARIANCE[a] - np.sum(across * solve[:, 1:].T, axis=1))
    return np.stack(means, 1), np.stack(variances, 1)


def test_moments_are_those_of_quadrature(data, prepared):
    points, weights = nodes(MEAN, COVARIANCE, degree=24)
    mean, variance = textbook(data, points)
    wanted_mean, covariance, across = moments(points, mean, weights)
    covariance += np.diag(weights @ variance)
    with jax.enable_x64(True):
        found = numbers(jax.jit(match)(prepared, jnp.array(MEAN), jnp.array(COVARIANCE)))
    np.testing.assert_allclose(found.mean, wanted_mean, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(COVARIANCE @ found.gain, across, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(found.covariance, found.covariance.T)
    assert np.linalg.eigvalsh(found.covariance).min() > 0


def test_monte_carlo_agrees(data, prepared):
    draw = np.random.default_rng(1)
    at = MEAN + draw.normal(size=(20_000, FEATURES)) @ ROOT.T
    mean, variance = textbook(data, at)
    f = mean + np.sqrt(np.maximum(variance, 0)) * draw.normal(size=mean.shape)
    with jax.enable_x64(True):
        found = numbers(match(prepared, jnp.array(MEAN), jnp.array(COVARIANCE)))
    np.testing.assert_allclose(found.mean, f.mean(0), atol=0.02)
    np.testing.assert_allclose(found.covariance, np.cov(f.T), atol=0.02)


def test_without_variance_the_moments_are_the_posterior_at_a_point(data, prepared):
    mean, variance = textbook(data, MEAN[None])
    with jax.enable_x64(True):
        found = numbers(match(prepared, jnp.array(MEAN), jnp.zeros((FEATURES, FEATURES))))
        point = at_point(prepared, jnp.array(MEAN))
    np.testing.assert_allclose(found.mean, mean[0], rtol=1e-9)
    np.testing.assert_allclose(point, mean[0], rtol=1e-9)
    np.testing.assert_allclose(found.covariance, np.diag(variance[0]), atol=1e-9)


def test_derivatives_are_finite_differences(prepared):
    """Of one random number made of everything, along a random direction of mean and covariance."""
    draw = np.random.default_rng(2)
    parts = [draw.normal(size=shape) for shape in ((OUTPUTS,), (OUTPUTS, OUTPUTS), (FEATURES, OUTPUTS))]
    direction = draw.normal(size=(FEATURES, FEATURES))
    with jax.enable_x64(True):
        start = (jnp.array(MEAN), jnp.array(COVARIANCE))
        along = (jnp.array(draw.normal(size=FEATURES)), jnp.array(direction + direction.T))

        def number(mean, covariance):
            found = match(prepared, mean, covariance)
            return sum(jnp.sum(part * value) for part, value in zip(parts, found, strict=True))

        slopes = jax.jit(jax.grad(number, argnums=(0, 1)))(*start)
        reverse = sum(jnp.sum(slope * move) for slope, move in zip(slopes, along, strict=True))
        forward = jax.jvp(number, start, along)[1]
        step = 1e-5
        ahead, behind = (
            number(*(x + sign * step * move for x, move in zip(start, along, strict=True)))
            for sign in (1, -1)
        )
        reverse, forward, quotient = map(float, (reverse, forward, (ahead - behind) / (2 * step)))
    np.testing.assert_allclose(reverse, quotient, rtol=1e-6)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10)


def test_a_batch_is_its_members(prepared):
    with jax.enable_x64(True):
        means = jnp.stack([jnp.array(MEAN), jnp.array(-MEAN)])
        covariances = jnp.stack([jnp.array(COVARIANCE), jnp.array(COVARIANCE) / 2])
        both = numbers(jax.jit(jax.vmap(partial(match, prepared)))(means, covariances))
        second = numbers(match(prepared, means[1], covariances[1]))
    for batch, alone in zip(both, second, strict=True):
        np.testing.assert_allclose(batch[1], alone, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("singular", [False, True])
def test_spread_is_the_inverse_of_the_sum_of_precisions(singular):
    covariance = COVARIANCE.copy()
    if singular:
        covariance[:, 2] = covariance[2] = 0.0
    precision = np.array([[0.5, 2.0, 1.0], [30.0, 0.1, 4.0]])
    with jax.enable_x64(True):
        inner, _, logarithms = numbers(resolve(jnp.array(covariance), jnp.array(precision)))
    for found, logarithm, row in zip(inner, logarithms, precision, strict=True):
        matrix = np.eye(FEATURES) + covariance * row
        np.testing.assert_allclose(found, np.linalg.solve(matrix, covariance), atol=1e-13)
        np.testing.assert_allclose(logarithm, np.linalg.slogdet(matrix)[1], rtol=1e-12)


def test_exp_is_exact_to_rounding():
    x = np.linspace(-690, 80, 20_001)
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(exp)(jnp.array(x)))
    np.testing.assert_allclose(found, np.exp(x), rtol=5e-16 * 4)


@pytest.mark.parametrize("points", [1, 64, 65, 100, 200, 300])
def test_blocks_waste_little(points):
    total, block = padded(points)
    assert total % block == 0 and block <= 64 and points <= total <= 1.07 * points + 4
