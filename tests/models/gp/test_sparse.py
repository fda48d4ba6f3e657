"""FITC against its dense formula, against the exact process, and its fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.stats import multivariate_normal
from sklearn.gaussian_process.kernels import RBF

from imaginax.models.gp import exact as gp
from imaginax.models.gp import sparse as gp_sparse
from imaginax.models.gp.config import GPFitConfig
from imaginax.models.gp.exact import Data, Hyperparameters
from imaginax.models.gp.fit import fit_sparse
from imaginax.models.gp.kernels import SquaredExponential
from imaginax.models.gp.sparse import Inducing

ROWS, CAPACITY, INDUCING = 24, 30, 7
LENGTHS, VARIANCE, NOISE = np.array([[0.7, 1.5], [1.2, 0.9]]), np.array([1.7, 0.6]), np.array([0.02, 0.1])
RANDOM = np.random.default_rng(0)
INPUTS, POINTS = RANDOM.uniform(-2, 2, (ROWS, 2)), RANDOM.normal(size=(9, 2))
TARGETS = np.stack([np.sin(2 * INPUTS[:, 0]), INPUTS[:, 1] ** 2], 1) + 0.1 * RANDOM.normal(size=(ROWS, 2))


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def hyperparameters():
    lengths, variance, noise = (jnp.log(jnp.asarray(x)) for x in (LENGTHS, VARIANCE, NOISE))
    return Hyperparameters((SquaredExponential(lengths, variance),), noise)


def data(capacity=CAPACITY, padding=0.0):
    fill = lambda x: np.pad(x, ((0, capacity - ROWS), (0, 0)), constant_values=padding)  # noqa: E731
    return Data(jnp.asarray(fill(INPUTS)), jnp.asarray(fill(TARGETS)), jnp.int32(ROWS))


def inducing(capacity=INDUCING):
    inputs = np.random.default_rng(5).uniform(-2, 2, (INDUCING, 2))
    return Inducing(jnp.asarray(np.pad(inputs, ((0, capacity - INDUCING), (0, 0)))), jnp.int32(INDUCING))


likelihood_of, posterior_of = jax.jit(gp_sparse.log_likelihood), jax.jit(gp_sparse.posterior)


@pytest.fixture(scope="module")
def dense():
    """Per output: log density of the targets, and mean and variance at the points, by N x N formulas."""
    outputs, z = [], np.asarray(inducing().inputs)
    for e in range(2):
        k = lambda a, b, e=e: VARIANCE[e] * RBF(LENGTHS[e])(a, b)  # noqa: E731
        through = lambda a, b, k=k: k(a, z) @ np.linalg.solve(k(z, z), k(z, b))  # noqa: E731
        q = through(INPUTS, INPUTS)
        full = q + np.diag(np.diag(k(INPUTS, INPUTS) - q)) + NOISE[e] * np.eye(ROWS)
        across = through(POINTS, INPUTS)
        mean = across @ np.linalg.solve(full, TARGETS[:, e])
        variance = VARIANCE[e] - np.diag(across @ np.linalg.solve(full, across.T))
        outputs.append((multivariate_normal(np.zeros(ROWS), full).logpdf(TARGETS[:, e]), mean, variance))
    return outputs


@pytest.mark.parametrize(("rows", "points"), [(ROWS, INDUCING), (CAPACITY, 10)])
def test_likelihood_and_predictions_are_those_of_the_dense_formula(dense, rows, points):
    """Without padding, and with padding of data (not a number) and of inducing inputs."""
    got = likelihood_of(hyperparameters(), inducing(points), data(rows, np.nan))
    posterior = posterior_of(hyperparameters(), inducing(points), data(rows, np.nan))
    seen = gp.predict(posterior, jnp.asarray(POINTS))
    for e, (likelihood, mean, variance) in enumerate(dense):
        np.testing.assert_allclose(got[e], likelihood, rtol=1e-7)
        np.testing.assert_allclose(seen.mean[:, e], mean, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(seen.variance[:, e], variance, rtol=1e-6, atol=1e-7)
    assert (posterior.jitter == 0).all() and not posterior.failed.any()
    assert (posterior.beta[:, INDUCING:] == 0).all() and (posterior.inverse[:, INDUCING:] == 0).all()


def test_with_every_input_inducing_it_is_the_exact_process():
    """With length-scales so short that K_uu is well conditioned, and its ridge changes next to nothing."""
    given = hyperparameters()
    kernel = tuple(term._replace(log_lengthscales=term.log_lengthscales - 1.5) for term in given.kernel)
    short = given._replace(kernel=kernel)
    chosen = gp_sparse.choose(data(), CAPACITY + 2, jax.random.key(0))
    assert chosen.count == ROWS
    exact, sparse = gp.posterior(short, data()), posterior_of(short, chosen, data())
    for a, b in zip(*(gp.predict(p, jnp.asarray(POINTS)) for p in (exact, sparse)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    likelihoods = likelihood_of(short, chosen, data())
    np.testing.assert_allclose(likelihoods, gp.log_likelihood(short, data()), rtol=1e-7)


def test_a_choice_is_a_subset_without_repetition():
    chosen = gp_sparse.choose(data(padding=np.nan), INDUCING, jax.random.key(1))
    rows = {tuple(row) for row in np.asarray(chosen.inputs)}
    assert chosen.count == INDUCING == len(rows) and rows <= {tuple(row) for row in INPUTS}


def test_a_row_without_finite_numbers_is_left_out_and_counted():
    spoilt = data()._replace(targets=data().targets.at[2, 0].set(jnp.nan))
    chosen = gp_sparse.choose(spoilt, CAPACITY, jax.random.key(0))
    assert chosen.count == ROWS - 1 and jnp.isfinite(chosen.inputs).all()
    without = Data(*(jnp.delete(x, 2, axis=0) for x in data()[:2]), ROWS - 1)
    found, wanted = (posterior_of(hyperparameters(), inducing(), d) for d in (spoilt, without))
    assert found.left_out == 1 and wanted.left_out == 0
    seen, expected = (gp.predict(p, jnp.asarray(POINTS)) for p in (found, wanted))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), seen, expected)
    likelihoods = (likelihood_of(hyperparameters(), inducing(), d) for d in (spoilt, without))
    np.testing.assert_allclose(*likelihoods, rtol=1e-9)


def test_gradient_against_finite_differences():
    f = lambda h, z: gp_sparse.log_likelihood(  # noqa: E731
        jax.tree.map(jnp.asarray, h), Inducing(jnp.asarray(z), INDUCING), data()
    ).sum()
    check_grads(f, (hyperparameters(), inducing().inputs), order=1, modes=["rev"], rtol=1e-6, atol=1e-7)


def test_inducing_inputs_that_coincide_are_as_good_as_one():
    same = jnp.ones((INDUCING, 2))
    many, one = (posterior_of(hyperparameters(), Inducing(same, count), data()) for count in (INDUCING, 1))
    for a, b in zip(*(gp.predict(p, jnp.asarray(POINTS)) for p in (many, one)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_variances_of_nearly_linear_functions_are_sound():
    """Long length-scales and little noise, where without the ridge some variances would be negative."""
    given = hyperparameters()
    kernel = tuple(term._replace(log_lengthscales=term.log_lengthscales + 2.0) for term in given.kernel)
    long = given._replace(kernel=kernel, log_noise=kernel[0].log_variance - 15.0)
    chosen = gp_sparse.choose(data(), ROWS, jax.random.key(0))
    exact, sparse = gp.posterior(long, data()), posterior_of(long, chosen, data())
    wanted, found = (gp.predict(p, jnp.asarray(POINTS)).variance for p in (exact, sparse))
    assert (found > 0).all()
    np.testing.assert_allclose(found, wanted, rtol=0.2)


def test_fits_raise_the_likelihood():
    """Of the inducing inputs alone, and still more together with the hyperparameters."""
    config = GPFitConfig(starts=1, steps=15, curb=False)
    total = lambda h, u: float(likelihood_of(h, u, data()).sum())  # noqa: E731
    fit = lambda **how: jax.jit(  # noqa: E731
        lambda h: fit_sparse(h, inducing(), data(padding=np.nan), config, jax.random.key(0), **how)
    )(hyperparameters())
    inputs, both = fit(inputs_only=True), fit()
    jax.tree.map(np.testing.assert_array_equal, inputs.hyperparameters, hyperparameters())
    before = total(hyperparameters(), inducing())
    after = [total(fitted.hyperparameters, fitted.inducing) for fitted in (inputs, both)]
    assert before + 1.0 < after[0] < after[1] - 1.0
    np.testing.assert_allclose(-both.objective, after[1], rtol=1e-6)


def test_a_row_cannot_be_appended():
    posterior = posterior_of(hyperparameters(), inducing(), data())
    with pytest.raises(ValueError, match="exact"):
        gp.append(posterior, jnp.zeros(2), jnp.zeros(2))
