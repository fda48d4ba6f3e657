"""Digits of moment matching where sums cancel, against the same formulas in 60 decimal digits."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.models.gp import exact as gp
from imaginax.models.gp import kernels
from imaginax.models.gp import sparse as gp_sparse
from imaginax.models.gp.gaussian_dynamics import gaussian_task, inputs
from imaginax.models.gp.moment_sums import exp, expm1
from imaginax.models.gp.moments import match, prepare, semidefinite
from imaginax.models.gp.sparse import Inducing
from tests.decimals import Reference, exact

POINTS = 60
# Where the marginal likelihood of the data below has its optimum; the signal is 60 to 500 times the noise.
LENGTHS = np.array(
    [
        [170.5, 9.142, 19.47, 1.974, 2.318, 64.08],
        [180.3, 119.6, 12.85, 2.329, 1.482, 61.35],
        [130.7, 95.30, 12.26, 1.450, 1.032, 29.12],
        [148.8, 101.1, 10.74, 1.154, 0.8261, 22.47],
    ]
)
SIGNAL, NOISE = np.array([0.3334, 0.8126, 1.970, 4.361]), np.array([6.525e-4, 2.727e-3, 0.03241, 0.06168])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def cartpole():
    """Inputs and changes of the cart-pole under random forces: noise-free data."""
    with jax.enable_x64(True):
        env = envs.make("gpmpc_cartpole")
        forces = jnp.array(np.random.default_rng(0).uniform(-10, 10, (POINTS, 1)))

        def advance(carry, force):
            state, timestep = carry
            following = env.step(state, force, jax.random.key(0))
            return following, (timestep.observation, following[1].observation)

        before, after = jax.jit(partial(jax.lax.scan, advance))(env.init(jax.random.key(0)), forces)[1]
        return np.asarray(inputs(gaussian_task(env), before, forces)), np.asarray(after - before)


def posterior(data, lengths, variance, noise):
    x, y = data
    own = kernels.make_kernel(
        (kernels.SquaredExponential,), jnp.log(jnp.array(lengths)), jnp.log(jnp.array(variance))
    )
    hyperparameters = gp.Hyperparameters(own, jnp.log(jnp.array(noise)))
    return gp.posterior(hyperparameters, gp.Data(jnp.array(x), jnp.array(y), len(x)))


def both(data, lengths, variance, noise):
    """The library's moments, and the reference's at the parameters that the library found in logarithms."""
    found = posterior(data, lengths, variance, noise)
    parts = (found.lengthscales, found.variance, found.noise)
    return jax.jit(partial(match, prepare(found))), Reference(*data, *map(np.asarray, parts))


def beliefs(x, size, count=1, rank=3):
    """Near the data, with a covariance of low rank in all but the control."""
    random = np.random.default_rng(1)
    for _ in range(count):
        root = random.normal(size=(x.shape[1], rank)) * x.std(0)[:, None]
        root[-1] = 0.0
        mean = x[random.integers(len(x))] + 0.01 * random.normal(size=x.shape[1])
        yield mean, size * root @ root.T


@pytest.mark.parametrize("variance", [1e2, 1e8, 1e10, 1e20])
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_wide_inputs_lose_no_digits(variance, mean):
    x = np.random.default_rng(0).normal(size=(8, 1))
    found, reference = both((x, np.sin(x)), np.array([[0.5]]), np.ones(1), np.array([1e-4]))
    wanted = reference.match([mean], [[variance]])
    got = found(jnp.array([mean]), jnp.array([[variance]]))
    np.testing.assert_allclose(got.covariance, wanted.covariance.astype(float), rtol=1e-12)
    np.testing.assert_allclose(got.mean, wanted.mean.astype(float), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize(("ratio", "tolerance"), [(None, 1e-8), (1e4, 1e-6)])
def test_covariances_of_the_cartpole_keep_their_digits(cartpole, ratio, tolerance):
    """Relative to the standard deviations, which are small where the input is certain."""
    noise = SIGNAL / ratio if ratio else NOISE
    found, reference = both(cartpole, LENGTHS, SIGNAL**2, noise**2)
    for size in (0.0, 1e-6, 1e-3, 0.1):
        for mean, covariance in beliefs(cartpole[0], size):
            wanted = reference.match(mean, covariance)
            deviation = np.sqrt(np.diag(wanted.covariance).astype(float))
            got = found(jnp.array(mean), jnp.array(covariance))
            error = (np.asarray(got.covariance) - wanted.covariance.astype(float)) / np.outer(
                deviation, deviation
            )
            assert np.abs(error).max() < tolerance, size
            if size == 0.0:
                np.testing.assert_array_equal(got.covariance - np.diag(np.diag(got.covariance)), 0.0)


@pytest.mark.parametrize(("stretch", "ratio"), [(1.0, 1e4), (4.0, 1e4), (4.0, 1e6), (16.0, 1e6)])
def test_covariances_are_positive_semidefinite(cartpole, stretch, ratio):
    """With longer length-scales too, where the kernel's matrix is nearer to singular."""
    own = posterior(cartpole, stretch * LENGTHS, SIGNAL**2, (SIGNAL / ratio) ** 2)
    chosen = [b for size in (0.0, 1e-8, 1e-6, 1e-4, 1e-2) for b in beliefs(cartpole[0], size, 32, rank=1)]
    means, covariances = (jnp.array(np.stack(part)) for part in zip(*chosen, strict=True))
    got = np.asarray(jax.jit(jax.vmap(partial(match, prepare(own))))(means, covariances).covariance)
    values = np.linalg.eigvalsh(got / (SIGNAL[:, None] * SIGNAL))
    assert np.isfinite(values).all()
    assert (values[:, 0] >= -1e-14 * values[:, -1]).all()


def test_the_nearest_semidefinite_matrix_is_the_matrix_itself_if_it_is_one():
    root = np.random.default_rng(0).normal(size=(4, 4))
    sound, broken = root @ root.T, root @ np.diag([1.0, -1e-3, 2.0, 3.0]) @ np.linalg.inv(root)
    broken = (broken + broken.T) / 2
    values, vectors = np.linalg.eigh(broken)
    nearest = (vectors * np.maximum(values, 0)) @ vectors.T
    found = jax.jit(jax.vmap(semidefinite))(jnp.array(np.stack([sound, broken])))
    np.testing.assert_array_equal(found[0], sound)
    np.testing.assert_allclose(found[1], nearest, atol=1e-14 * np.abs(values).max())
    np.testing.assert_array_equal(jax.jacobian(semidefinite)(jnp.array(sound)).reshape(16, 16), np.eye(16))


def test_derivatives_at_a_high_signal_to_noise_ratio(cartpole):
    """Differences of the reference with steps of 1e-20, for every number of the covariance."""
    found, reference = both(cartpole, LENGTHS, SIGNAL**2, (SIGNAL / 1e4) ** 2)
    random = np.random.default_rng(3)
    for mean, covariance in (next(beliefs(cartpole[0], size)) for size in (0.0, 1e-3)):
        direction = random.normal(size=(6, 6))
        along = random.normal(size=6) * cartpole[0].std(0), 1e-3 * (direction + direction.T)
        step = Decimal("1e-20")
        ahead, behind = (
            reference.match(
                *(
                    exact(at) + sign * step * exact(move)
                    for at, move in zip((mean, covariance), along, strict=True)
                )
            )
            for sign in (1, -1)
        )
        wanted = ((ahead.covariance - behind.covariance) / (2 * step)).astype(float)
        start, move = (tuple(map(jnp.array, pair)) for pair in ((mean, covariance), along))
        forward = jax.jvp(found, start, move)[1].covariance
        jacobians = jax.jit(jax.jacrev(lambda *at: found(*at).covariance, argnums=(0, 1)))(*start)
        backward = sum(
            jnp.tensordot(slope, dot, dot.ndim) for slope, dot in zip(jacobians, move, strict=True)
        )
        scale = np.sqrt(np.abs(np.outer(np.diag(wanted), np.diag(wanted))))
        for slope in (forward, backward):
            np.testing.assert_allclose(slope / scale, wanted / scale, atol=1e-6)


@pytest.mark.parametrize("rows", [10, POINTS])
def test_a_sparse_process_at_a_certain_input_is_its_prediction_there(cartpole, rows):
    """With fewer rows of data than inducing inputs, and with more."""
    x, y = cartpole
    own = posterior(cartpole, LENGTHS, SIGNAL**2, NOISE**2)
    data = gp.Data(jnp.array(x[:rows]), jnp.array(y[:rows]), rows)
    hyperparameters = gp.Hyperparameters(own.kernel, jnp.log(own.noise))
    sparse = jax.jit(gp_sparse.posterior)(hyperparameters, Inducing(jnp.array(x[:20]), 20), data)
    point = jnp.array(x[3] + 0.1)
    wanted = gp.predict(sparse, point[None])
    got = jax.jit(partial(match, prepare(sparse)))(point, jnp.zeros((6, 6)))
    np.testing.assert_allclose(got.mean, wanted.mean[0], rtol=1e-7)
    np.testing.assert_allclose(got.covariance, jnp.diag(wanted.variance[0]), rtol=1e-6)
    assert (wanted.variance > 0).all()


def test_exponentials_underflow_overflow_and_vanish():
    x = np.concatenate([np.linspace(-800, 800, 4001), [-1e300, 1e300, -np.inf, np.inf, np.nan]])
    with np.errstate(over="ignore", under="ignore"):
        wanted = np.exp(x)
    found = np.asarray(jax.jit(exp)(jnp.array(x)))
    usual = np.abs(x) < 708
    np.testing.assert_allclose(found[usual], wanted[usual], rtol=2e-15)
    np.testing.assert_array_equal(found[x < -709], 0.0)
    np.testing.assert_array_equal(found[x > 710], np.inf)
    assert np.isnan(found[-1])
    small = np.concatenate([np.geomspace(1e-300, 600, 2001), -np.geomspace(1e-300, 1e4, 2001), [0.0]])
    np.testing.assert_allclose(jax.jit(expm1)(jnp.array(small)), np.expm1(small), rtol=2e-15)
    assert np.isfinite(expm1(jnp.array([1e5, np.inf]))).all()
