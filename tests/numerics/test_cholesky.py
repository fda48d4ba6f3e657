"""Cholesky factors, their derivatives, and matrices that have none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.stats import multivariate_normal

from imaginax.numerics.cholesky import MOST_JITTER, factorise, inverse_of, log_density


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def root(size=6):
    return np.random.default_rng(0).normal(size=(size, size))


def positive(a):
    """A positive definite matrix, symmetric whatever `a` is."""
    a = jnp.asarray(a)
    return a @ a.T + jnp.eye(len(a))


def test_factor_and_inverse_of_a_sound_matrix_are_those_of_numpy():
    matrix = positive(root())
    factor = factorise(matrix)
    np.testing.assert_allclose(factor.cholesky, np.linalg.cholesky(matrix), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(inverse_of(factor.cholesky), np.linalg.inv(matrix), rtol=1e-10, atol=1e-12)
    assert factor.jitter == 0.0 and not factor.failed


@pytest.mark.parametrize("size", [131, 300])
def test_the_inverse_by_halves_is_the_inverse(size):
    """Sizes that are halved once and twice, into parts of different size."""
    matrix = positive(root(size)) / size
    got = inverse_of(jnp.linalg.cholesky(matrix))
    np.testing.assert_allclose(got, np.linalg.inv(matrix), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_singular_matrix_gets_little_jitter_and_says_so(dtype):
    """Rank two; also beside a sound matrix in one batch, which must stay as it is."""
    thin = np.random.default_rng(1).normal(size=(8, 2))
    singular = jnp.asarray(thin @ thin.T, dtype)
    factor = jax.jit(jax.vmap(factorise))(jnp.stack([singular, jnp.eye(8, dtype=dtype)]))
    assert 0.0 < factor.jitter[0] <= 1e4 * jnp.finfo(dtype).eps * jnp.mean(jnp.diagonal(singular))
    assert not factor.failed.any() and factor.jitter[1] == 0.0
    shifted = singular + factor.jitter[0] * jnp.eye(8, dtype=dtype)
    product = factor.cholesky[0] @ factor.cholesky[0].T
    np.testing.assert_allclose(product, shifted, atol=20 * jnp.finfo(dtype).eps * float(singular.max()))
    np.testing.assert_array_equal(factor.cholesky[1], np.eye(8))


@pytest.mark.parametrize("broken", [-1.0, jnp.nan, jnp.inf])
def test_a_hopeless_matrix_is_reported_and_leaves_no_nan(broken):
    matrix = jnp.eye(4).at[2, 2].set(broken)
    factor = jax.jit(factorise)(matrix)
    assert factor.failed
    np.testing.assert_array_equal(factor.cholesky, np.eye(4))
    assert jnp.isfinite(factor.jitter) and factor.jitter <= 2 * MOST_JITTER
    value, gradient = jax.value_and_grad(log_density)(matrix, jnp.ones(4))
    assert value == -jnp.inf and (gradient == 0.0).all()


def test_log_density_is_that_of_scipy():
    matrix, y = positive(root()), jnp.arange(6.0)
    expected = multivariate_normal(np.zeros(6), matrix).logpdf(y) + 3 * np.log(2 * np.pi)
    np.testing.assert_allclose(log_density(matrix, y), expected, rtol=1e-12)
    value, _ = jax.value_and_grad(log_density)(matrix, y)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_derivatives_against_finite_differences():
    weights = jnp.tril(root() + 1.0)
    density = lambda a, y: log_density(positive(a), jnp.asarray(y))  # noqa: E731
    check_grads(density, (jnp.asarray(root()), jnp.arange(6.0)), order=1, rtol=1e-6, atol=1e-8)
    through = lambda a: jnp.sum(weights * factorise(positive(a)).cholesky)  # noqa: E731
    check_grads(through, (jnp.asarray(root()),), order=1, rtol=1e-6, atol=1e-8)
