"""Covariance functions against scikit-learn's, and their derivatives against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from sklearn.gaussian_process.kernels import RBF, DotProduct, Matern

from imaginax.models.gp import kernels
from imaginax.types import ConfigError

LENGTHS = np.array([0.7, 1.5, 3.0])
VARIANCE = 1.7
ORACLES = {
    "se": lambda x, z: VARIANCE * RBF(LENGTHS)(x, z),
    "matern32": lambda x, z: VARIANCE * Matern(LENGTHS, nu=1.5)(x, z),
    "matern52": lambda x, z: VARIANCE * Matern(LENGTHS, nu=2.5)(x, z),
    # Its slopes are such that its variance is VARIANCE one length-scale from the origin along every input.
    "linear": lambda x, z: VARIANCE / 3 * DotProduct(0.0)(x / LENGTHS, z / LENGTHS),
}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def points():
    random = np.random.default_rng(0)
    return jnp.asarray(random.normal(size=(7, 3))), jnp.asarray(random.normal(size=(5, 3)))


def make(*names, variance=VARIANCE):
    logs = jnp.log(jnp.asarray(LENGTHS)), jnp.log(jnp.asarray(variance))
    return kernels.make_kernel(kernels.terms(names), *logs)


@pytest.mark.parametrize("name", ORACLES)
def test_each_term_is_that_of_scikit_learn(name, points):
    x, z = points
    np.testing.assert_allclose(kernels.cross(make(name), x, z), ORACLES[name](x, z), rtol=1e-12, atol=1e-14)


def test_a_kernel_is_the_sum_of_its_terms_which_share_its_variance(points):
    x, z = points
    expected = sum(ORACLES[name](x, z) for name in ORACLES) / len(ORACLES)
    np.testing.assert_allclose(kernels.cross(make(*ORACLES), x, z), expected, rtol=1e-12)
    one_length_away = jnp.asarray(LENGTHS)[None]
    np.testing.assert_allclose(kernels.diagonal(make(*ORACLES), one_length_away), VARIANCE, rtol=1e-12)


def test_diagonal(points):
    x, _ = points
    kernel = make("se", "linear", "matern32", "matern52")
    full = jnp.diagonal(kernels.cross(kernel, x, x))
    np.testing.assert_allclose(kernels.diagonal(kernel, x), full, rtol=1e-12)


@pytest.mark.parametrize("name", ORACLES)
def test_derivatives_in_both_modes(name, points):
    """Of parameters and of points, two of which coincide: the rule of `squared_distances` is our own."""
    x, z = points
    x = x.at[0].set(z[0])
    weights = np.random.default_rng(1).normal(size=(7, 5))
    f = lambda *given: jnp.sum(weights * kernels.cross(*jax.tree.map(jnp.asarray, given)))  # noqa: E731
    check_grads(f, (make(name), x, z), order=1, rtol=1e-6, atol=1e-8)


def test_second_derivatives_of_the_default_kernel(points):
    x, z = points
    f = lambda x: jnp.sum(jnp.sin(kernels.cross(make("se"), jnp.asarray(x), z)))  # noqa: E731
    check_grads(f, (x,), order=2, rtol=1e-5, atol=1e-6)


def test_close_points_far_from_the_origin_keep_their_distance():
    """In float32; |x|^2 + |z|^2 - 2 x'z would be wrong by 100%."""
    x = jnp.array([[1000.0, 0.0]], jnp.float32)
    z = x + jnp.array([[0.0, 0.01]], jnp.float32)
    np.testing.assert_allclose(kernels.squared_distances(x, z), 1e-4, rtol=1e-5)


@pytest.mark.parametrize(("names", "message"), [((), "at least one"), (("se", "rbf"), "got rbf")])
def test_unknown_kernels_are_named(names, message):
    with pytest.raises(ConfigError, match=message):
        kernels.terms(names)
