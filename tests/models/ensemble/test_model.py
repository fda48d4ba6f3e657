"""The ensemble model against a numpy reading of the published equations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import RegressionBatch, Scaler, ensemble, make_network, member_predictions
from imaginax.types import ConfigError

SMALL = EnsembleConfig(
    members=2, hidden=(7, 5), weight_decay=(0.1, 0.2, 0.3), particles=4, propagation="TSinf"
)


@pytest.fixture(scope="module")
def cartpole():
    return envs.make("pets_cartpole")


@pytest.fixture(scope="module")
def trained(cartpole):
    """A model with weights away from their start, and a batch."""
    model = ensemble(cartpole, SMALL)
    params = model.init(jax.random.key(0))
    noise = iter(jax.random.split(jax.random.key(1), 100))
    params = jax.tree.map(lambda x: x + 0.3 * jax.random.normal(next(noise), x.shape), params)
    params = params._replace(scaler=Scaler(params.scaler.mean, jnp.abs(params.scaler.std) + 0.5))
    inputs = jax.random.normal(jax.random.key(2), (2, 9, 6))
    targets = jax.random.normal(jax.random.key(3), (2, 9, 4))
    return model, params, RegressionBatch(inputs, targets, jnp.ones(9).at[-2:].set(0.0))


def numpy_outputs(params, inputs):
    """Mean and log variance of both members, float64, one member and layer at a time."""
    network = jax.tree.map(lambda x: np.asarray(x, np.float64), params.network)
    softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    means, log_variances = [], []
    for k in range(2):
        x = (np.asarray(inputs[k], np.float64) - np.asarray(params.scaler.mean)) / np.asarray(
            params.scaler.std
        )
        for layer in range(3):
            weights = network[f"layer_{layer}"]
            x = x @ weights["kernel"][k] + weights["bias"][k]
            x = x / (1 + np.exp(-x)) if layer < 2 else x
        low, high = network["min_log_variance"], network["max_log_variance"]
        log_variance = high - softplus(high - x[:, 4:])
        log_variances.append(low + softplus(log_variance - low))
        means.append(x[:, :4])
    return np.stack(means), np.stack(log_variances)


def test_loss_equals_the_published_formula(trained):
    model, params, batch = trained
    mean, log_variance = numpy_outputs(params, batch.inputs)
    rows = slice(0, 7)  # the last two rows weigh nothing
    error = (mean - np.asarray(batch.targets)) ** 2
    likelihood = (error * np.exp(-log_variance) + log_variance)[:, rows].mean((1, 2)).sum()
    network = params.network
    decay = sum(
        rate / 2 * np.sum(np.asarray(network[f"layer_{i}"]["kernel"], np.float64) ** 2)
        for i, rate in enumerate((0.1, 0.2, 0.3))
    )
    bounds = 0.01 * (network["max_log_variance"].sum() - network["min_log_variance"].sum())
    loss, metrics, _ = model.loss(params, batch, None)
    np.testing.assert_allclose(loss, likelihood + decay + bounds, rtol=1e-5)
    np.testing.assert_allclose(metrics["model_mse"], error[:, rows].mean((1, 2)).sum() / 2, rtol=1e-5)


def test_deterministic_loss_is_half_the_squared_error(cartpole):
    model = ensemble(cartpole, dataclasses.replace(SMALL, kind="DE", weight_decay=(0.0, 0.0, 0.0)))
    params = model.init(jax.random.key(0))
    batch = RegressionBatch(jnp.ones((2, 3, 6)), jnp.zeros((2, 3, 4)), jnp.ones(3))
    loss, metrics, _ = model.loss(params, batch, None)
    np.testing.assert_allclose(loss, 2 * metrics["model_mse"] / 2, rtol=1e-6)
    assert "min_log_variance" not in params.network


def test_log_variance_stays_between_its_learned_bounds(cartpole, trained):
    """Inputs far from any data drive the raw output past either bound."""
    _, params, batch = trained
    _, variance = member_predictions(make_network(cartpole, SMALL), params, 1e3 * batch.inputs)
    low, high = params.network["min_log_variance"], params.network["max_log_variance"]
    log_variance = jnp.log(variance)
    assert (log_variance >= low - 1e-4).all() and (log_variance <= jnp.maximum(high, low) + 1e-4).all()
    assert (log_variance < low + 0.1).any() and (log_variance > high - 0.1).any()


def test_initial_weights_are_truncated_normals_of_the_published_scale(cartpole):
    wide = dataclasses.replace(SMALL, members=5, particles=5, hidden=(400, 400))
    kernel = np.asarray(ensemble(cartpole, wide).init(jax.random.key(0)).network["layer_1"]["kernel"])
    scale = 1 / (2 * np.sqrt(400))
    assert np.abs(kernel).max() <= 2 * scale
    # The variance of a standard normal cut at two deviations is 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.774.
    np.testing.assert_allclose(kernel.std(), scale * np.sqrt(0.7737), rtol=5e-3)


def test_prediction_moves_particles_and_pays_the_environments_reward(cartpole, trained):
    model, params, _ = trained
    observation = jnp.array([[0.1, 3.0, -0.2, 0.5], [0.0, 0.2, 1.0, 0.0]])
    action = jnp.array([[1.5], [-3.0]])
    belief = model.encode(params, observation, jax.random.key(0))
    assert belief.states.shape == (2, 4, 4)
    following, prediction = model.predict(params, belief, action, jax.random.key(1))
    x, theta = np.asarray(following.states[..., 0]), np.asarray(following.states[..., 1])
    tip = (x - 0.6 * np.sin(theta)) ** 2 + (-0.6 * np.cos(theta) - 0.6) ** 2
    reward = np.exp(-tip / 0.36) - 0.01 * np.asarray(action) ** 2
    np.testing.assert_allclose(prediction.reward, reward.mean(1), rtol=1e-4, atol=1e-6)


def test_particles_follow_the_means_of_their_members(cartpole, trained):
    """Without noise (DE) the regrouping by members is all there is: particle p goes with member p // 2."""
    _, params, _ = trained
    network = {name: value for name, value in params.network.items() if name.startswith("layer")}
    network["layer_2"] = {name: value[..., :4] for name, value in network["layer_2"].items()}
    model = ensemble(cartpole, dataclasses.replace(SMALL, kind="DE"))
    params = params._replace(network=network)
    observation = jax.random.normal(jax.random.key(5), (3, 4))
    action = jax.random.normal(jax.random.key(6), (3, 1))
    following, _ = model.predict(params, model.encode(params, observation, None), action, jax.random.key(0))
    features = jnp.concatenate([cartpole.features.inputs(observation), action], axis=-1)
    full = {"layer_2": jax.tree.map(lambda x: jnp.concatenate([x, x], -1), network["layer_2"])}
    bounds = {name: trained[1].network[name] for name in ("min_log_variance", "max_log_variance")}
    mean, _ = numpy_outputs(params._replace(network={**network, **full, **bounds}), jnp.stack([features] * 2))
    for particle in range(4):
        expected = np.asarray(observation) + mean[particle // 2]
        np.testing.assert_allclose(following.states[:, particle], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"kind": "D"}, "model.propagation"),
        ({"kind": "P"}, "needs an ensemble"),
        ({"particles": 5}, "model.particles"),
        ({"weight_decay": (0.1,)}, "model.weight_decay"),
        ({"hidden": ()}, "model.hidden"),
    ],
)
def test_impossible_configurations_are_refused_by_name(change, named):
    with pytest.raises(ConfigError, match=named):
        dataclasses.replace(SMALL, **change)


def test_discrete_actions_are_refused():
    with pytest.raises(ConfigError, match="continuous"):
        ensemble(envs.make("diagnostic_chain"), SMALL)
