"""Exact Gaussian processes against scikit-learn, and data that grow against refits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from imaginax.models.gp import exact as gp
from imaginax.models.gp.exact import Data, GaussianProcess, Hyperparameters
from imaginax.models.gp.kernels import SquaredExponential

ROWS, CAPACITY, FEATURES, OUTPUTS = 20, 27, 3, 2
LENGTHS = np.array([[0.7, 1.5, 3.0], [1.2, 0.9, 2.0]])
VARIANCE, NOISE = np.array([1.7, 0.6]), np.array([0.02, 0.1])
RANDOM = np.random.default_rng(0)
INPUTS, TARGETS = RANDOM.normal(size=(30, FEATURES)), RANDOM.normal(size=(30, OUTPUTS))
POINTS = RANDOM.normal(size=(9, FEATURES))


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def hyperparameters(dtype=jnp.float64):
    logs = (jnp.log(jnp.asarray(x, dtype)) for x in (LENGTHS, VARIANCE, NOISE))
    lengths, variance, noise = logs
    return Hyperparameters((SquaredExponential(lengths, variance),), noise)


def data(rows=ROWS, capacity=CAPACITY, padding=0.0, dtype=jnp.float64, first=0):
    """Rows `first` to `rows` of the data set, and padding."""

    def fill(x):
        padding_rows = ((0, capacity - rows + first), (0, 0))
        return jnp.asarray(np.pad(x[first:rows], padding_rows, constant_values=padding), dtype)

    return Data(fill(INPUTS), fill(TARGETS), jnp.int32(rows - first))


fit = jax.jit(gp.posterior)
likelihood = jax.jit(jax.value_and_grad(lambda h, d: gp.log_likelihood(h, d).sum()))


@pytest.fixture(scope="module")
def oracles():
    """One regressor an output; its theta is log of variance, length-scales, noise."""
    kernels = [
        ConstantKernel(v) * RBF(lengths) + WhiteKernel(n)
        for v, lengths, n in zip(VARIANCE, LENGTHS, NOISE, strict=True)
    ]
    return [
        GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(INPUTS[:ROWS], TARGETS[:ROWS, e])
        for e, kernel in enumerate(kernels)
    ]


def test_predictions_are_those_of_scikit_learn(oracles):
    seen = gp.predict(fit(hyperparameters(), data()), jnp.asarray(POINTS))
    for e, oracle in enumerate(oracles):
        mean, deviation = oracle.predict(POINTS, return_std=True)
        np.testing.assert_allclose(seen.mean[:, e], mean, rtol=1e-8)
        np.testing.assert_allclose(seen.noisy_variance[:, e], deviation**2, rtol=1e-8)
    np.testing.assert_allclose(seen.noisy_variance - seen.variance, NOISE[None] * np.ones((9, 1)), rtol=1e-12)


def test_marginal_likelihood_and_its_gradient_are_those_of_scikit_learn(oracles):
    value, gradient = likelihood(hyperparameters(), data())
    expected = [
        oracle.log_marginal_likelihood(oracle.kernel_.theta, eval_gradient=True) for oracle in oracles
    ]
    np.testing.assert_allclose(value, sum(v for v, _ in expected), rtol=1e-10)
    term = gradient.kernel[0]
    for e, (_, slopes) in enumerate(expected):
        got = [term.log_variance[e], *term.log_lengthscales[e], gradient.log_noise[e]]
        np.testing.assert_allclose(got, slopes, rtol=1e-8)


def test_padding_changes_nothing_whatever_it_holds():
    exact, padded = fit(hyperparameters(), data(capacity=ROWS)), fit(hyperparameters(), data(padding=np.nan))
    np.testing.assert_allclose(padded.beta[:, :ROWS], exact.beta, rtol=1e-10)
    np.testing.assert_allclose(padded.inverse[:, :ROWS, :ROWS], exact.inverse, rtol=1e-9, atol=1e-12)
    assert (padded.beta[:, ROWS:] == 0).all() and (padded.inputs[ROWS:] == 0).all()
    assert (padded.inverse[:, ROWS:] == 0).all() and (padded.inverse[:, :, ROWS:] == 0).all()
    for a, b in zip(*(jax.tree.leaves(likelihood(hyperparameters(), d)) for d in (
        data(capacity=ROWS), data(padding=np.nan))), strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-10)


def close(a, b, tolerance):
    for name in ("inputs", "beta", "inverse", "cholesky", "targets", "count", "jitter", "failed"):
        x, y = getattr(a, name), getattr(b, name)
        np.testing.assert_allclose(x, y, atol=tolerance * max(1.0, float(abs(y).max())), err_msg=name)


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 2e-5), (jnp.float64, 1e-12)])
def test_appended_rows_equal_a_refit_and_one_program_serves_all(dtype, tolerance):
    """From no row at all until all are in use; then the oldest row leaves."""
    append = jax.jit(lambda *given: gp.append(*given))
    capacity = 12
    current = fit(hyperparameters(dtype), data(0, capacity, dtype=dtype))
    for row in range(15):
        current = append(current, jnp.asarray(INPUTS[row], dtype), jnp.asarray(TARGETS[row], dtype))
        assert current.beta.dtype == dtype
        if row in (0, 1, 6, 11, 12, 14):
            first = max(row + 1 - capacity, 0)
            refit = fit(hyperparameters(dtype), data(row + 1, capacity, dtype=dtype, first=first))
            close(current, refit, tolerance)
    assert append._cache_size() == 1


def test_a_full_posterior_can_refuse():
    full = fit(hyperparameters(), data(5, 5))
    refused = gp.append(full, jnp.zeros(FEATURES), jnp.zeros(OUTPUTS), when_full="refuse")
    jax.tree.map(np.testing.assert_array_equal, refused, full)
    free = fit(hyperparameters(), data(5, 6))
    grown = gp.append(free, jnp.asarray(INPUTS[5]), jnp.asarray(TARGETS[5]), when_full="refuse")
    close(grown, fit(hyperparameters(), data(6, 6)), 1e-12)


def test_a_singular_matrix_is_reported_and_does_no_harm():
    """Every row twice and no noise: there is jitter, and predictions stay what one copy gives."""
    noiseless = hyperparameters()._replace(log_noise=jnp.full(OUTPUTS, -jnp.inf))
    once = Data(jnp.asarray(INPUTS[:8]), jnp.asarray(TARGETS[:8]), 8)
    twice = Data(*(jnp.concatenate([x, x]) for x in once[:2]), 16)
    sound, singular = gp.posterior(noiseless, once), gp.posterior(noiseless, twice)
    assert (sound.jitter == 0).all() and (singular.jitter > 0).all() and not singular.failed.any()
    means = [gp.predict(p, jnp.asarray(POINTS)).mean for p in (sound, singular)]
    np.testing.assert_allclose(*means, atol=1e-6)
    again = gp.append(gp.posterior(noiseless, data(8, 9)), jnp.asarray(INPUTS[0]), jnp.asarray(TARGETS[0]))
    assert (again.jitter > 0).all() and jnp.isfinite(again.inverse).all()


def test_without_a_factor_the_prior_is_left_and_the_failure_reported():
    broken = hyperparameters()
    broken = broken._replace(log_noise=broken.log_noise.at[0].set(jnp.nan))
    failed = fit(broken, data())
    np.testing.assert_array_equal(failed.failed, [True, False])
    seen = gp.predict(failed, jnp.asarray(POINTS))
    assert (seen.mean[:, 0] == 0).all() and (seen.mean[:, 1] != 0).all()
    np.testing.assert_allclose(seen.variance[:, 0], VARIANCE[0])
    np.testing.assert_array_equal(gp.log_likelihood(broken, data())[0], -np.inf)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["inputs", "targets"])
def test_a_row_without_finite_numbers_is_left_out_and_counted(part, wrong):
    given = data()
    rows = getattr(given, part)
    spoilt = given._replace(**{part: rows.at[3, 1].set(wrong)})
    without = Data(*(jnp.delete(x, 3, axis=0) for x in given[:2]), ROWS - 1)
    found, wanted = fit(hyperparameters(), spoilt), fit(hyperparameters(), without)
    assert found.left_out == 1 and found.count == ROWS - 1 and not found.failed.any()
    seen, expected = (gp.predict(p, jnp.asarray(POINTS)) for p in (found, wanted))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), seen, expected)
    np.testing.assert_allclose(
        gp.log_likelihood(hyperparameters(), spoilt), gp.log_likelihood(hyperparameters(), without)
    )


@pytest.mark.parametrize("when_full", ["refuse", "drop_oldest"])
@pytest.mark.parametrize("rows", [5, 6])
def test_appending_a_row_without_finite_numbers_changes_only_the_count_of_those(rows, when_full):
    before = fit(hyperparameters(), data(rows, 6))
    x, y = jnp.zeros(FEATURES), jnp.zeros(OUTPUTS)
    for row in ((x.at[1].set(jnp.nan), y), (x, y.at[0].set(jnp.inf))):
        after = gp.append(before, *row, when_full=when_full)
        assert after.left_out == 1
        jax.tree.map(np.testing.assert_array_equal, after._replace(left_out=before.left_out), before)
    then = gp.append(after, x, y)
    close(then, gp.append(before, x, y), 0.0)
    assert then.left_out == 1


def test_predictions_are_differentiable_in_the_points():
    posterior = fit(hyperparameters(), data())
    f = lambda x: sum(jnp.sum(jnp.sin(m)) for m in gp.predict(posterior, jnp.asarray(x)))  # noqa: E731
    check_grads(f, (jnp.asarray(POINTS),), order=1, rtol=1e-6, atol=1e-8)


def test_the_flax_module_holds_the_hyperparameters():
    module = GaussianProcess(OUTPUTS, ("se", "linear"))
    variables = module.init(jax.random.key(0), data())
    held = variables["params"]["hyperparameters"]
    assert held.log_noise.dtype == jnp.float64 and len(held.kernel) == 2
    moved = jax.tree.map(lambda x: x + 0.1, variables)
    held = moved["params"]["hyperparameters"]
    np.testing.assert_array_equal(module.apply(moved, data()), gp.log_likelihood(held, data()))
    posterior = module.apply(moved, data(), method="posterior")
    np.testing.assert_array_equal(posterior.beta, gp.posterior(held, data()).beta)
    assert jnp.isnan(posterior.lengthscales).all()  # moment matching has no use for a sum of kernels
    np.testing.assert_allclose(fit(hyperparameters(), data()).lengthscales, LENGTHS)
