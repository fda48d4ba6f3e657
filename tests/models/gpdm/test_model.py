"""The posterior of a GPDM against a naive reading of the paper's formula, and what a known path must give."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.gpdm import model as gpdm
from imaginax.models.gpdm.config import GPDMConfig
from imaginax.models.gpdm.data import motion_data
from imaginax.models.gpdm.kernels import Hyperparameters
from imaginax.types import ConfigError

RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(12, 5)).cumsum(0)
LENGTHS = [7, 5]
SEEN = ~np.isin(np.arange(12), [3, 9])
VARIANTS = {
    "first order": GPDMConfig(latent=2),
    "differences": GPDMConfig(latent=2, outputs="dx"),
    "second order": GPDMConfig(latent=2, inputs="xx", balanced=True),
    "velocities": GPDMConfig(latent=2, inputs="xv", outputs="dx", kappa2=3.0),
    "fixed": GPDMConfig(latent=2, dynamics="fixed", balanced=True),
    "none": GPDMConfig(latent=2, dynamics="none"),
}


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


energy = jax.jit(gpdm.energy, static_argnums=0)
value_and_gradient = jax.jit(jax.value_and_grad(gpdm.energy, argnums=1), static_argnums=0)


def some_params():
    rng = np.random.default_rng(5)
    log = Hyperparameters(jnp.log(jnp.array([0.7, 0.4, 1.3, 20.0])), jnp.log(jnp.array([0.9, 30.0])))
    w = jnp.asarray(rng.uniform(0.5, 2.0, 5))
    return gpdm.GPDMParams(jnp.asarray(rng.normal(size=(12, 2))), log, w)


def naive_energy(config, x, alpha, beta, w):
    """-log p, one entry, one dimension and one sequence at a time, with explicit inverses."""
    rows = np.flatnonzero(SEEN)
    y = FRAMES[rows] - FRAMES[rows].mean(0)
    kernel = np.array([[np.exp(-beta[0] / 2 * ((x[i] - x[j]) ** 2).sum()) for j in rows] for i in rows])
    kernel += np.eye(len(rows)) / beta[1]
    total = sum(np.log(beta)) + sum(w**2) / (2 * config.kappa2)
    for d in range(5):
        total += 0.5 * np.log(np.linalg.det(kernel)) - len(rows) * np.log(w[d])
        total += 0.5 * w[d] ** 2 * y[:, d] @ np.linalg.inv(kernel) @ y[:, d]
    if config.dynamics == "none":
        return total + 0.5 * (x**2).sum()
    inputs, outputs, prior, first = [], [], 0.0, 0
    for length in LENGTHS:
        path = x[first : first + length]
        first += length
        order = 1 if config.inputs == "x" else 2
        prior += 0.5 * sum(path[0] ** 2)
        prior += 0.5 * sum((path[1] - path[0]) ** 2) if order == 2 else 0.0
        for t in range(order - 1, length - 1):
            extra = {"x": [], "xx": path[t - 1], "xv": path[t] - path[t - 1]}[config.inputs]
            inputs.append([*path[t], *extra])
            outputs.append(path[t + 1] - path[t] if config.outputs == "dx" else path[t + 1])
    inputs, outputs = np.array(inputs), np.array(outputs)
    squares = ((inputs[:, None] - inputs[None]) ** 2).sum(-1)
    kernel = alpha[2] * np.exp(-alpha[1] / 2 * squares) + np.eye(len(inputs)) / alpha[3]
    if config.dynamics == "learned":
        kernel += alpha[0] * inputs @ inputs.T
        total += sum(np.log(alpha))
    dynamics = len(x[0]) / 2 * np.log(np.linalg.det(kernel))
    dynamics += 0.5 * np.trace(np.linalg.inv(kernel) @ outputs @ outputs.T)
    return total + (5 / 2 if config.balanced else 1.0) * (dynamics + prior)


@pytest.mark.parametrize("name", VARIANTS)
def test_energy_and_gradient_are_those_of_the_formula(name):
    """The gradient against central differences of the naive formula, in float64."""
    config, params = VARIANTS[name], some_params()
    data = motion_data(config, FRAMES, observed=SEEN, lengths=LENGTHS)
    value, gradient = value_and_gradient(config, params, data)
    leaves, structure = jax.tree.flatten(params)

    def naive(leaves):
        given = jax.tree.unflatten(structure, leaves)
        alpha, beta = np.exp(np.asarray(given.log.alpha)), np.exp(np.asarray(given.log.beta))
        return naive_energy(config, np.asarray(given.x), alpha, beta, np.asarray(given.w))

    np.testing.assert_allclose(value, naive(leaves), rtol=1e-10)
    direction = [RNG.normal(size=leaf.shape) for leaf in leaves]
    if name in ("fixed", "none"):
        direction[1] = 0 * direction[1]
        np.testing.assert_array_equal(gradient.log.alpha, np.zeros(4))
    ahead, behind = (
        naive([a + s * 1e-5 * b for a, b in zip(leaves, direction, strict=True)]) for s in (1, -1)
    )
    slope = sum(np.sum(a * b) for a, b in zip(jax.tree.leaves(gradient), direction, strict=True))
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-6)


def test_positions_of_missing_frames_only_matter_to_the_dynamics():
    config, params = VARIANTS["first order"], some_params()
    data = motion_data(config, FRAMES, observed=SEEN, lengths=LENGTHS)
    moved = params._replace(x=params.x.at[3].add(1.0))
    assert gpdm.observation_energy(config, params, data) == gpdm.observation_energy(config, moved, data)
    assert gpdm.dynamics_energy(config, params, data) != gpdm.dynamics_energy(config, moved, data)
    pieces = motion_data(config, FRAMES, observed=SEEN, lengths=LENGTHS, pieces=True)
    assert energy(config, params, pieces) == energy(config, moved, pieces)


def test_balance_weighs_the_dynamics():
    config, params = VARIANTS["first order"], some_params()
    data = motion_data(config, FRAMES)
    balanced = dataclasses.replace(config, balanced=True)
    extra = energy(balanced, params, data) - energy(config, params, data)
    np.testing.assert_allclose(extra, (5 / 2 - 1) * gpdm.dynamics_energy(config, params, data), rtol=1e-10)


@pytest.mark.parametrize("kappa2", [1e6, 0.5])
def test_best_scales_are_a_stationary_point(kappa2):
    config, params = GPDMConfig(latent=2, kappa2=kappa2), some_params()
    data = motion_data(config, FRAMES, observed=SEEN)
    best = params._replace(w=gpdm.best_scales(config, params, data))
    gradient = jax.jit(jax.grad(lambda w, p: gpdm.energy(config, p._replace(w=w), data)))
    np.testing.assert_allclose(gradient(best.w, best), 0.0, atol=1e-8)
    assert np.abs(gradient(params.w, params)).min() > 1e-3
    assert energy(config, best, data) < energy(config, params, data)


def test_initial_positions_are_whitened_principal_components():
    config = GPDMConfig(latent=2)
    params = gpdm.initialise(config, motion_data(config, FRAMES))
    x = np.asarray(params.x)
    np.testing.assert_allclose(np.cov(x.T), np.eye(2), atol=1e-10)
    centred = FRAMES - FRAMES.mean(0)
    values, vectors = np.linalg.eigh(np.cov(centred.T))
    for k in range(2):
        score = centred @ vectors[:, -1 - k] / np.sqrt(values[-1 - k])
        np.testing.assert_allclose(np.abs(x[:, k]), np.abs(score), atol=1e-8)
    with pytest.raises(ConfigError, match=r"model\.latent"):
        gpdm.initialise(GPDMConfig(latent=6), motion_data(config, FRAMES))


def test_missing_positions_begin_on_a_straight_line():
    config = GPDMConfig(latent=2)
    x = np.asarray(gpdm.initialise(config, motion_data(config, FRAMES, observed=SEEN)).x)
    np.testing.assert_allclose(x[3], (x[2] + x[4]) / 2)


def circle(count, config=None):
    """Params whose path is a circle of 24 steps a round, with dynamics that fit it closely."""
    angle = 2 * np.pi * np.arange(count) / 24
    log = Hyperparameters(jnp.log(jnp.array([1.0, 1.0, 0.1, 1e8])), jnp.log(jnp.array([1.0, 1e6])))
    return gpdm.GPDMParams(jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], 1)), log, jnp.ones(4))


@pytest.mark.parametrize("inputs", ["x", "xx", "xv"])
@pytest.mark.parametrize("outputs", ["x", "dx"])
def test_mean_prediction_follows_a_circle(inputs, outputs):
    config, params = GPDMConfig(latent=2, inputs=inputs, outputs=outputs), circle(30)
    data = motion_data(config, np.zeros((30, 4)))
    path = jax.jit(lambda start: gpdm.simulate(config, params, data, start, steps=48))(params.x[-2:])
    angle = 2 * np.pi * np.arange(30, 78) / 24
    np.testing.assert_allclose(path, np.stack([np.cos(angle), np.sin(angle)], 1), atol=0.02)


def test_a_gap_is_bridged_by_the_dynamics():
    config, params = GPDMConfig(latent=2), circle(60)
    seen = ~np.isin(np.arange(60), np.arange(30, 42))
    pieces = motion_data(config, np.zeros((60, 4)), observed=seen, pieces=True)
    cut = params._replace(x=params.x.at[30:42].set(0.0))
    found = gpdm.bridge(config, cut, pieces, [(30, 42)])
    np.testing.assert_allclose(found.x, params.x, atol=0.01)


def test_decoding_goes_through_the_frames_and_its_variance_grows_away_from_them():
    config, params = GPDMConfig(latent=2), circle(24)
    frames = np.asarray(params.x) @ RNG.normal(size=(2, 4)) + 3.0
    data = motion_data(config, frames)
    mean, variance = gpdm.decode(params, data, params.x)
    np.testing.assert_allclose(mean, frames, atol=1e-4)
    np.testing.assert_allclose(gpdm.reconstruct(params, data), mean)
    far = gpdm.decode(params, data, jnp.array([[50.0, 0.0]]))
    assert variance.max() < 1e-5
    np.testing.assert_allclose(far[1], 1.0)
    np.testing.assert_allclose(far[0][0], frames.mean(0))


def test_numbers_have_the_type_of_the_frames():
    with jax.enable_x64(False):
        config = GPDMConfig(latent=2)
        data = motion_data(config, FRAMES.astype(np.float32))
        params = gpdm.initialise(config, data)
        assert energy(config, params, data).dtype == params.x.dtype == jnp.float32
