"""The two kernels, one pair of points at a time, and the Gaussian energy against scipy's density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from imaginax.models.gpdm import kernels

RNG = np.random.default_rng(1)
A, B = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3))
ALPHA, BETA = np.array([0.7, 0.4, 1.3, 50.0]), np.array([0.9, 30.0])


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def test_kernels_are_those_of_the_paper():
    for i, j in np.ndindex(5, 4):
        square = sum((A[i, k] - B[j, k]) ** 2 for k in range(3))
        y = np.exp(-BETA[0] / 2 * square)
        smooth = ALPHA[2] * np.exp(-ALPHA[1] / 2 * square)
        linear = ALPHA[0] * sum(A[i, k] * B[j, k] for k in range(3))
        a, b = jnp.asarray(A[i : i + 1]), jnp.asarray(B[j : j + 1])
        alpha, beta = jnp.log(ALPHA), jnp.log(BETA)
        np.testing.assert_allclose(kernels.observation_kernel(a, b, beta), [[y]])
        np.testing.assert_allclose(kernels.dynamics_kernel(a, b, alpha), [[linear + smooth]])
        np.testing.assert_allclose(kernels.dynamics_kernel(a, b, alpha, linear=False), [[smooth]])


def test_noise_stands_on_the_diagonal():
    x = jnp.asarray(A)
    kernel = kernels.observation_kernel(x, x, jnp.log(BETA))
    np.testing.assert_allclose(
        kernels.observation_covariance(x, jnp.log(BETA)) - kernel, np.eye(5) / BETA[1], atol=1e-15
    )
    kernel = kernels.dynamics_kernel(x, x, jnp.log(ALPHA))
    np.testing.assert_allclose(
        kernels.dynamics_covariance(x, jnp.log(ALPHA)) - kernel, np.eye(5) / ALPHA[3], atol=1e-14
    )


@pytest.fixture
def normal():
    """A covariance, and three columns of outputs."""
    root = RNG.normal(size=(5, 5))
    return jnp.asarray(root @ root.T + np.eye(5)), jnp.asarray(RNG.normal(size=(5, 3)))


def test_gaussian_energy_is_minus_the_log_density(normal):
    covariance, outputs = normal
    density = multivariate_normal(np.zeros(5), np.asarray(covariance))
    expected = -density.logpdf(np.asarray(outputs).T).sum() - 15 / 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(kernels.gaussian_energy(covariance, outputs), expected, rtol=1e-10)


def test_gradients_of_the_gaussian_energy(normal):
    """Written out, against differentiation of the plain formula."""

    def plain(covariance, outputs):
        inverse = jnp.linalg.inv(covariance)
        return 1.5 * jnp.linalg.slogdet(covariance)[1] + jnp.trace(inverse @ outputs @ outputs.T) / 2

    found = jax.grad(lambda k, y: 2 * kernels.gaussian_energy(k, y), argnums=(0, 1))(*normal)
    expected = jax.grad(lambda k, y: 2 * plain(k, y), argnums=(0, 1))(*normal)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_a_factor_solves(normal):
    covariance, outputs = normal
    f = kernels.factor(covariance)
    np.testing.assert_allclose(covariance @ kernels.solve(f, outputs), outputs, atol=1e-10)
    whitened = kernels.whiten(f, outputs)
    np.testing.assert_allclose(whitened.T @ whitened, outputs.T @ kernels.solve(f, outputs), atol=1e-10)
    np.testing.assert_allclose(f.log_determinant, np.linalg.slogdet(covariance)[1], rtol=1e-10)


def test_a_covariance_that_is_none_gives_nan():
    assert np.isnan(kernels.gaussian_energy(-jnp.eye(3), jnp.ones((3, 2))))


@pytest.mark.parametrize("inputs", ["x", "xx", "xv"])
@pytest.mark.parametrize("outputs", ["x", "dx"])
def test_pairs_of_the_dynamics(inputs, outputs):
    x, at = RNG.normal(size=(6, 2)), np.array([1, 2, 4])
    found = kernels.dynamics_pairs(jnp.asarray(x), jnp.asarray(at), inputs=inputs, outputs=outputs)
    for row, t in enumerate(at):
        extra = {"x": [], "xx": x[t - 1], "xv": x[t] - x[t - 1]}[inputs]
        np.testing.assert_allclose(found[0][row], [*x[t], *extra])
        np.testing.assert_allclose(found[1][row], x[t + 1] - (x[t] if outputs == "dx" else 0))
