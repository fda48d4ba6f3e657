"""The fit of hyperparameters: the optimum against scikit-learn's, and data whose parameters are known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from imaginax.models.gp import exact as gp
from imaginax.models.gp import fit as gp_fit
from imaginax.models.gp.config import GPFitConfig
from imaginax.models.gp.exact import Data
from imaginax.models.gp.fit import Spread, curb, fit_hyperparameters, spread_of
from imaginax.models.gp.moments import match, prepare
from imaginax.numerics.lbfgs import Minimum
from imaginax.types import ConfigError

ROWS, CAPACITY = 60, 64
LENGTHS, VARIANCE, NOISE = np.array([0.6, 1.5]), np.array([1.0, 4.0]), np.array([0.01, 0.04])
CONFIG = GPFitConfig(starts=3, steps=60, tolerance=1e-9, curb=False)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def kernel(e):
    return ConstantKernel(VARIANCE[e]) * RBF(LENGTHS) + WhiteKernel(NOISE[e])


@pytest.fixture(scope="module")
def drawn():
    """Two functions drawn by numpy from processes whose hyperparameters are the constants above."""
    random = np.random.default_rng(3)
    x = random.uniform(-2, 2, (ROWS, 2))
    y = [np.linalg.cholesky(kernel(e)(x)) @ random.normal(size=ROWS) for e in range(2)]
    return x, np.stack(y, axis=1)


def data(drawn, rows, padding=0.0):
    fill = lambda x: np.pad(x[:rows], ((0, CAPACITY - rows), (0, 0)), constant_values=padding)  # noqa: E731
    return Data(jnp.asarray(fill(drawn[0])), jnp.asarray(fill(drawn[1])), jnp.int32(rows))


@pytest.fixture(scope="module")
def fit():
    """One compiled program for every test."""
    start = lambda: gp.initial(("se",), 2, 2, jnp.float64)  # noqa: E731
    return jax.jit(lambda data: fit_hyperparameters(start(), data, CONFIG, jax.random.key(0)))


def test_the_optimum_is_that_of_scikit_learn_and_near_the_truth(drawn, fit):
    fitted = fit(data(drawn, ROWS))
    term = fitted.hyperparameters.kernel[0]
    for e in range(2):
        oracle = GaussianProcessRegressor(kernel(e), alpha=0.0).fit(drawn[0], drawn[1][:, e])
        np.testing.assert_allclose(-fitted.objective[e], oracle.log_marginal_likelihood_value_, atol=1e-4)
        got = [term.log_variance[e], *term.log_lengthscales[e], fitted.hyperparameters.log_noise[e]]
        np.testing.assert_allclose(got, oracle.kernel_.theta, atol=0.02)
    np.testing.assert_allclose(term.log_lengthscales, np.log(LENGTHS)[None] * np.ones((2, 1)), atol=0.5)
    np.testing.assert_allclose(fitted.hyperparameters.log_noise, np.log(NOISE), atol=0.7)


def test_padding_changes_nothing_and_growing_data_need_no_new_program(drawn, fit):
    for rows in (40, ROWS):
        clean, spoilt = fit(data(drawn, rows)), fit(data(drawn, rows, np.nan))
        jax.tree.map(np.testing.assert_array_equal, clean, spoilt)
    assert fit._cache_size() == 1


def test_a_row_without_finite_numbers_is_left_out(drawn, fit):
    broken = data(drawn, ROWS)
    fitted = fit(broken._replace(targets=broken.targets.at[3, 0].set(jnp.nan)))
    wanted = fit(data(tuple(np.delete(x, 3, axis=0) for x in drawn), ROWS - 1))
    jax.tree.map(np.testing.assert_array_equal, fitted, wanted)


def test_without_a_finite_objective_the_present_parameters_stay(drawn):
    """Squares of such targets overflow, and those of the second output do not."""
    given = data(drawn, ROWS)
    fitted = fit_hyperparameters(
        gp.initial(("se",), 2, 2, jnp.float64),
        given._replace(targets=given.targets * jnp.array([1e200, 1.0])),
        GPFitConfig(starts=1, steps=5),
        jax.random.key(0),
    )
    assert fitted.objective[0] == jnp.inf and jnp.isfinite(fitted.objective[1])
    present = gp.initial(("se",), 2, 2, jnp.float64)
    jax.tree.map(
        lambda got, was: np.testing.assert_array_equal(got[0], was[0]), fitted.hyperparameters, present
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_signal_and_noise_of_targets_that_vanish_have_a_floor(dtype, drawn):
    """Targets that never change, hardly change, are tiny or huge, and rows that repeat, in one fit."""
    x = drawn[0][:20].copy()
    wave, zero = np.sin(x[:, 0]), np.zeros(20)
    one = np.where(np.arange(20) == 7, 0.3, 0.0)
    targets = np.stack([zero, zero + 0.37, one, 1e-12 * wave, 1e12 * wave, 1.0 + 1e-9 * wave], axis=1)
    given = Data(jnp.asarray(x, dtype), jnp.asarray(targets, dtype), jnp.int32(20))
    present = gp.initial(("se",), targets.shape[1], 2, dtype)
    fitted = jax.jit(lambda d: fit_hyperparameters(present, d, GPFitConfig(), jax.random.key(0)))(given)
    term, eps = fitted.hyperparameters.kernel[0], float(jnp.finfo(dtype).eps)
    size = np.sqrt(np.mean(targets**2, axis=0)) + (targets == 0).all(0)
    for logarithm in (term.log_variance, fitted.hyperparameters.log_noise):
        assert (np.asarray(logarithm) >= np.log(eps) + 2 * np.log(size) - 1e-3).all()
    np.testing.assert_allclose(term.log_variance[0], np.log(eps), atol=2.0)
    posterior = gp.posterior(fitted.hyperparameters, given)
    assert not posterior.failed.any()
    seen = gp.predict(posterior, given.inputs)
    assert (np.asarray(seen.variance[:, 0]) <= 2 * eps).all()
    allowed = np.array([eps, 0.01, 0.3, 1e-14, 1e10, 0.01])
    assert (np.abs(seen.mean - targets) <= allowed).all()


def advance(prepared, belief, _):
    """One step of moment matching, for inputs that are the state itself."""
    mean, covariance = belief
    change = match(prepared, mean, covariance)
    across = covariance @ change.gain
    following = mean + change.mean, covariance + change.covariance + across + across.T
    return following, following


@jax.jit
def beliefs(data):
    """Ten steps from a certain state in the processes that are fitted to the data."""
    found = fit_hyperparameters(gp.initial(("se",), 2, 2), data, GPFitConfig(), jax.random.key(0))
    prepared = prepare(gp.posterior(found.hyperparameters, data))
    start = jnp.array([0.3, -0.2]), jnp.zeros((2, 2))
    return jax.lax.scan(partial(advance, prepared), start, length=10)[1]


def test_a_coordinate_that_never_changes_is_predicted_not_to(drawn):
    """Beside one that does."""
    x = drawn[0][:40]
    targets = np.stack([0.1 * np.sin(x[:, 0]), np.zeros(40)], axis=1)
    means, covariances = beliefs(Data(jnp.asarray(x), jnp.asarray(targets), 40))
    np.testing.assert_allclose(means[:, 1], -0.2, atol=1e-9)
    assert (means[:, 0] > 0.3).all() and (covariances[:, 0, 0] > 0).all()
    assert (covariances[:, 1, 1] >= 0).all() and (covariances[:, 1, 1] < 1e-14).all()


def test_the_best_start_wins_with_all_its_parameters():
    """Three starts of two outputs; number 2 is best for the first output, number 0 for the second."""
    value = jnp.array([[3.0, jnp.inf, 1.0], [0.5, 2.0, 2.0]])
    marked = lambda leaf: 10.0 * jnp.arange(3.0).reshape(1, 3, *(1,) * (leaf.ndim - 1)) + leaf[:, None]  # noqa: E731
    present = gp.initial(("se", "linear"), 2, 2, jnp.float64)
    ends = Minimum(jax.tree.map(marked, present), value, value)
    fitted = gp_fit._best(present, ends)
    np.testing.assert_array_equal(fitted.start, [2, 0])
    np.testing.assert_array_equal(fitted.objective, [1.0, 0.5])
    for got, was in zip(*(jax.tree.leaves(h) for h in (fitted.hyperparameters, present)), strict=True):
        np.testing.assert_array_equal(got[0], was[0] + 20.0)
        np.testing.assert_array_equal(got[1], was[1])


def test_pilcos_penalty_is_one_at_its_walls_and_nothing_between():
    """A length-scale 100 times the spread, or a signal 1000 times the noise, costs exactly 1."""
    spread = jnp.array([2.0, 0.5])
    centre = jax.tree.map(
        lambda leaf: leaf[0], gp_fit.heuristic(gp.initial(("se",), 1, 2).kernel, Spread(spread, jnp.ones(1)))
    )
    term = centre.kernel[0]
    np.testing.assert_allclose(jnp.exp(term.log_lengthscales), spread)
    np.testing.assert_allclose(jnp.exp(0.5 * centre.log_noise), 0.1)
    assert curb(centre, spread) < 1e-12
    for sign in (-1, 1):
        far = term._replace(log_lengthscales=term.log_lengthscales.at[1].add(sign * np.log(100.0)))
        np.testing.assert_allclose(curb(centre._replace(kernel=(far,)), spread), 1.0, rtol=1e-6)
    quiet = centre._replace(log_noise=jnp.asarray(-2 * np.log(1000.0)))
    np.testing.assert_allclose(curb(quiet, spread), 1.0, rtol=1e-6)


def test_a_prior_pulls_by_its_width():
    centre = jax.tree.map(lambda leaf: leaf[0], gp.initial(("se",), 1, 2, jnp.float64))
    away = jax.tree.map(lambda leaf: leaf + 0.3, centre)  # four numbers in all
    config = GPFitConfig(curb=False, prior_std=0.5)
    got = gp_fit.penalty(away, centre, jnp.ones(2), config)
    np.testing.assert_allclose(got, 4 * 0.3**2 / (2 * 0.5**2))


def test_spread_is_numpys_and_that_of_a_constant_is_one(drawn):
    """Of a target that never changes it is the size, and 1 if that is zero."""
    x = drawn[0].copy()
    x[:, 1] = 0.1234567
    spread = spread_of(data((x, drawn[1]), 40, np.nan))
    np.testing.assert_allclose(spread.inputs, [x[:40, 0].std(ddof=1), 1.0])
    np.testing.assert_allclose(spread.targets, drawn[1][:40].std(0, ddof=1))
    for scale in (1e-200, 1.0, 1e200):
        targets = np.stack([np.full(ROWS, -0.2), np.zeros(ROWS)], axis=1) * scale
        spread = spread_of(data((scale * x, targets), 40, np.nan))
        np.testing.assert_allclose(spread.targets, [0.2 * scale, 1.0])
        np.testing.assert_allclose(spread.inputs, [scale * x[:40, 0].std(ddof=1), 1.0])
        np.testing.assert_allclose(gp_fit.sizes(data((x, targets), 40)), [0.2 * scale, 1.0])


@pytest.mark.parametrize("field", ["starts", "steps", "tolerance", "spread", "prior_std"])
def test_bad_settings_are_named(field):
    with pytest.raises(ConfigError, match=f"fit.{field}"):
        GPFitConfig(**{field: -1 if field in ("starts", "steps") else -1.0})
