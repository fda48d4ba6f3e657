"""Ensemble dynamics as a world model: D, P, DE and PE of Chua et al. 2018.

The belief is a set of particles in observation space. The task's reward is not learned: it is the
environment's own `reward`, evaluated on the particles, as in the paper.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.propagation import propagate
from imaginax.networks.ensemble import EnsembleMLP, weight_decay
from imaginax.types import (
    Box,
    Capabilities,
    ConfigError,
    Environment,
    Features,
    Metrics,
    Prediction,
    WorldModel,
)


class Scaler(NamedTuple):
    """Standardises network inputs; refitted on all data before each training."""

    mean: Float[Array, "F"]
    std: Float[Array, "F"]


class EnsembleParams(NamedTuple):
    """Weights of the networks and the (not learned) input scaler."""

    network: Any
    scaler: Scaler


class RegressionBatch(NamedTuple):
    """A batch of its own for each member; rows of weight 0 do not count."""

    inputs: Float[Array, "K M F"]
    targets: Float[Array, "K M D"]
    weights: Float[Array, "M"]


def ensemble(env: Environment, config: EnsembleConfig) -> WorldModel:
    """Ensemble dynamics of `env`.

    Raises:
        ConfigError: if the environment's actions are discrete, or it publishes no reward on observations.
    """
    if not isinstance(env.spec.action, Box):
        raise ConfigError(f"env {env.spec.name}: the ensemble model needs continuous actions")
    if env.reward is None:
        raise ConfigError(
            f"env {env.spec.name} publishes no reward on observations, which the ensemble model needs"
        )
    reward_of = env.reward
    network = make_network(env, config)
    features = features_of(env)
    particles = 1 if config.propagation == "E" else config.particles

    def init(key: Array) -> EnsembleParams:
        width = input_size(env)
        variables = network.init(key, jnp.zeros((config.networks, 1, width)))
        return EnsembleParams(variables["params"], Scaler(jnp.zeros(width), jnp.ones(width)))

    def encode(params, observation: Float[Array, "B D"], key) -> Float[Array, "B P D"]:
        return jnp.repeat(observation[:, None], particles, axis=1)

    def observe(params, belief, action, observation, key):
        return encode(params, observation, key)

    def predict(params, belief: Float[Array, "B P D"], action: Float[Array, "B A"], key):
        actions = jnp.repeat(action[:, None], particles, axis=1)
        inputs = jnp.concatenate([features.inputs(belief), actions], axis=-1)
        members = partial(member_predictions, network, params)
        target = propagate(members, config.networks, config.propagation, inputs, key)
        following = features.apply(belief, target)
        reward = reward_of(belief, actions, following).mean(1)
        return following, Prediction(reward, jnp.ones_like(reward))

    def loss(params, batch: RegressionBatch, key=None):
        return *ensemble_loss(network, config, params, batch), None

    can = Capabilities(continuous=True, differentiable=True)
    return WorldModel(init, encode, observe, predict, lambda params, belief: None, loss, can)


def make_network(env: Environment, config: EnsembleConfig) -> EnsembleMLP:
    """The Flax module: inputs are the environment's features and the action, outputs its targets."""
    return EnsembleMLP(config.networks, config.hidden, env.spec.observation.shape[-1], config.probabilistic)


def features_of(env: Environment) -> Features:
    """The environment's own features; without any, observations as they are and their differences."""
    return env.features or Features(
        lambda o: o, lambda o, following: following - o, lambda o, target: o + target
    )


def input_size(env: Environment) -> int:
    """F: the number of features of an observation and its action."""
    observation = jnp.zeros(env.spec.observation.shape)
    return features_of(env).inputs(observation).shape[-1] + env.spec.action.shape[-1]


def member_predictions(
    network: EnsembleMLP, params: EnsembleParams, inputs: Float[Array, "K M F"]
) -> tuple[Float[Array, "K M D"], Float[Array, "K M D"] | None]:
    """Mean and variance (None where deterministic) of the target, each member on its own inputs."""
    mean, log_variance = _outputs(network, params, inputs)
    return mean, None if log_variance is None else jnp.exp(log_variance)


def ensemble_loss(
    network: EnsembleMLP, config: EnsembleConfig, params: EnsembleParams, batch: RegressionBatch
) -> tuple[Float[Array, ""], Metrics]:
    """The training loss, exactly as published with the paper's code.

    Probabilistic members: the sum over members of mean[(mu - y)^2 / var + log var], without the factor 1/2,
    plus 0.01 (sum max log var - sum min log var). Deterministic ones: mean[(mu - y)^2] / 2. Both add the
    weight decay. Means run over the batch and the dimensions.
    """
    mean, log_variance = _outputs(network, params, batch.inputs)
    squares = jnp.square(mean - batch.targets)
    decay = weight_decay(params.network, config.weight_decay)
    if log_variance is None:
        fit, bounds = _member_sum(squares / 2, batch.weights), 0.0
    else:
        fit = _member_sum(squares * jnp.exp(-log_variance) + log_variance, batch.weights)
        low, high = params.network["min_log_variance"], params.network["max_log_variance"]
        bounds = 0.01 * (high.sum() - low.sum())
    members = mean.shape[0]
    metrics = {"model_loss": fit / members, "model_mse": _member_sum(squares, batch.weights) / members}
    return fit + bounds + decay, metrics


def _member_sum(values: Float[Array, "K M D"], weights: Float[Array, "M"]) -> Float[Array, ""]:
    """Sum over members of the mean over rows that count and over dimensions."""
    rows = values.mean(-1).sum(0)
    return jnp.sum(rows * weights) / jnp.maximum(weights.sum(), 1.0)


def _outputs(
    network: EnsembleMLP, params: EnsembleParams, inputs: Float[Array, "K M F"]
) -> tuple[Float[Array, "K M D"], Float[Array, "K M D"] | None]:
    """Mean and log variance of each member, inputs standardised."""
    standardised = (inputs - params.scaler.mean) / params.scaler.std
    outputs: Any = network.apply({"params": params.network}, standardised)
    return outputs
