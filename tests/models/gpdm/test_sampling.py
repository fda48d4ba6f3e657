"""New paths and new sequences: conditional densities as differences of joint ones, and chains of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.gpdm import kernels, sampling
from imaginax.models.gpdm import model as gpdm
from imaginax.models.gpdm.config import GPDMConfig
from imaginax.models.gpdm.data import motion_data
from imaginax.models.gpdm.kernels import Hyperparameters
from imaginax.numerics.config import HMCConfig

MIXING = np.random.default_rng(3).normal(size=(2, 4))


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def circle(count, turn=1.0):
    angle = turn * 2 * np.pi * np.arange(count) / 24
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def model(config, count=30):
    log = Hyperparameters(jnp.log(jnp.array([0.8, 1.0, 0.2, 1e3])), jnp.log(jnp.array([1.0, 400.0])))
    x = circle(count)
    data = motion_data(config, x @ MIXING)
    return gpdm.GPDMParams(jnp.asarray(x), log, jnp.array([1.0, 2.0, 0.5, 1.5])), data


@pytest.mark.parametrize("config", [GPDMConfig(latent=2), GPDMConfig(latent=2, inputs="xv", outputs="dx")])
def test_the_density_of_a_new_path_is_that_of_both_over_that_of_the_old(config):
    """p(X*, X) / p(X), each as one Gaussian."""
    params, data = model(config)
    new = jnp.asarray(circle(9) + 0.05 * np.random.default_rng(0).normal(size=(9, 2)))
    both = motion_data(config, np.zeros((39, 4)), lengths=[30, 9])

    def joint(x, data):
        inputs, outputs = gpdm.dynamics_pairs(config, params._replace(x=x), data)
        covariance = kernels.dynamics_covariance(inputs, params.log.alpha)
        return kernels.gaussian_energy(covariance, outputs)

    expected = joint(jnp.concatenate([params.x, new]), both) - joint(params.x, data)
    found = sampling.path_energy(config, params, data, new)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_the_density_of_new_frames_is_that_of_both_over_that_of_the_old():
    config = GPDMConfig(latent=2)
    params, data = model(config)
    path = circle(6, 1.3)
    frames = path @ MIXING + 0.1
    x = jnp.concatenate([params.x, jnp.asarray(path)])
    centred = np.concatenate([data.frames, frames - np.asarray(data.mean)]) * np.asarray(params.w)
    joint = kernels.gaussian_energy(kernels.observation_covariance(x, params.log.beta), jnp.asarray(centred))
    alone = kernels.gaussian_energy(
        kernels.observation_covariance(params.x, params.log.beta), data.frames * params.w
    )
    expected = joint - alone - 6 * np.sum(np.log(params.w))
    found = sampling.frames_energy(params, data, jnp.asarray(frames), jnp.asarray(path))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_sampled_paths_begin_as_told_and_stay_near_the_circle():
    config = GPDMConfig(latent=2, inputs="xx")
    params, data = model(config)
    start = gpdm.simulate(config, params, data, params.x[-2:], steps=12)
    hmc = HMCConfig(draws=20, burn_in=10, leapfrog=30, step=0.005)
    chain = jax.jit(lambda s, key: sampling.sample_paths(config, params, data, s, hmc, key))(
        start, jax.random.key(0)
    )
    draws = np.asarray(chain.draws)
    assert draws.shape == (20, 12, 2) and 0.5 < float(chain.acceptance) <= 1.0
    np.testing.assert_array_equal(draws[:, :2], np.broadcast_to(start[:2], (20, 2, 2)))
    spread = draws[:, 2:].std(0)
    assert spread.min() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(draws, axis=2), 1.0, atol=0.5)
    np.testing.assert_allclose(
        chain.energies[-1], sampling.path_energy(config, params, data, chain.draws[-1]), rtol=1e-10
    )


def test_a_motion_like_the_model_is_likelier_than_others():
    """The same walk on another phase, the same poses backwards, and noise."""
    config = GPDMConfig(latent=2)
    params, data = model(config)
    score = jax.jit(lambda f: sampling.log_likelihood(config, params, data, f, iterations=50))
    forwards = circle(34)[14:] @ MIXING
    other = np.random.default_rng(2).normal(size=forwards.shape)
    like, path = score(jnp.asarray(forwards))
    backwards, _ = score(jnp.asarray(forwards[::-1]))
    noise, _ = score(jnp.asarray(other))
    assert like > backwards + 10 and like > noise + 10
    np.testing.assert_allclose(path, circle(34)[14:], atol=0.1)
