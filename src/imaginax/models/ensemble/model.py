"""Ensemble dynamics as a world model: D, P, DE and PE of Chua et al. 2018.

The belief is a set of particles in observation space. Reward and end of the task are the environment's own
functions, evaluated on the particles, as in the paper; where it publishes none they are learned too.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.propagation import propagate
from imaginax.models.particles import Particles, advance, certain_particles
from imaginax.models.targets import (
    Outcomes,
    features_of,
    input_size,
    outcomes,
)
from imaginax.networks.ensemble import EnsembleMLP, EnsembleOutputs, weight_decay
from imaginax.types import Box, Capabilities, ConfigError, Environment, Metrics, WorldModel


class Scaler(NamedTuple):
    """Standardises network inputs, or a learned reward; refitted on all data before each training."""

    mean: Float[Array, "F"]
    std: Float[Array, "F"]


class EnsembleParams(NamedTuple):
    """Weights of the networks, and scalers, which are not learned, of inputs and of a learned reward."""

    network: Any
    scaler: Scaler
    reward: Scaler | None = None


class RegressionBatch(NamedTuple):
    """A batch of its own for each member; rows of weight 0 do not count. Ends are last among the targets."""

    inputs: Float[Array, "K M F"]
    targets: Float[Array, "K M O"]
    weights: Float[Array, "M"]


def ensemble(env: Environment, config: EnsembleConfig) -> WorldModel:
    """Ensemble dynamics of `env`; beliefs are `Particles`.

    Raises:
        ConfigError: if the environment's actions are discrete, or it does not publish what it is asked for.
    """
    network, learned, features = make_network(env, config), learned_outcomes(env, config), features_of(env)
    reward_of = None if learned.reward else env.reward
    terminated = env.terminated if learned.terminated else None
    size = env.spec.observation.shape[-1]
    particles = 1 if config.propagation == "E" else config.particles

    def init(key: Array) -> EnsembleParams:
        width = input_size(env)
        variables = network.init(key, jnp.zeros((config.networks, 1, width)))
        reward = Scaler(jnp.zeros(1), jnp.ones(1)) if learned.reward else None
        return EnsembleParams(variables["params"], Scaler(jnp.zeros(width), jnp.ones(width)), reward)

    def encode(params, observation: Float[Array, "B D"], key) -> Particles:
        return certain_particles(observation, particles, ends=learned.ends)

    def observe(params, belief, action, observation, key):
        return encode(params, observation, key)

    def predict(params, belief: Particles, action: Float[Array, "B A"], key):
        actions = jnp.repeat(action[:, None], particles, axis=1)
        inputs = jnp.concatenate([features.inputs(belief.states), actions], axis=-1)
        members = partial(_imagined, network, params, size)
        predicted = propagate(members, config.networks, config.propagation, inputs, key)
        following = features.apply(belief.states, predicted[..., :size])
        reward = predicted[..., size] if reward_of is None else reward_of(belief.states, actions, following)
        end = jnp.clip(predicted[..., -1], 0, 1) if learned.end else None
        if terminated is not None:
            end = terminated(following).astype(following.dtype)
        return advance(belief, following, reward, end)

    def loss(params, batch: RegressionBatch, key=None):
        return *ensemble_loss(network, config, params, batch), None

    can = Capabilities(continuous=True, differentiable=True)
    return WorldModel(init, encode, observe, predict, lambda params, belief: None, loss, can)


def learned_outcomes(env: Environment, config: EnsembleConfig) -> Outcomes:
    """Where the model of `env` has reward and end from."""
    return outcomes(env, config.reward, config.end)


def make_network(env: Environment, config: EnsembleConfig) -> EnsembleMLP:
    """The Flax module: inputs are the environment's features and the action, outputs its targets.

    Raises:
        ConfigError: if the environment's actions are discrete, or it does not publish what it is asked for.
    """
    if not isinstance(env.spec.action, Box):
        raise ConfigError(f"env {env.spec.name}: the ensemble model needs continuous actions")
    learned = learned_outcomes(env, config)
    gaussians = env.spec.observation.shape[-1] + learned.reward
    return EnsembleMLP(config.networks, config.hidden, gaussians, config.probabilistic, int(learned.end))


def member_predictions(
    network: EnsembleMLP, params: EnsembleParams, inputs: Float[Array, "K M F"]
) -> tuple[Float[Array, "K M D"], Float[Array, "K M D"] | None]:
    """Mean and variance (None where deterministic) of the targets, each member on its own inputs.

    A learned reward stays standardised.
    """
    mean, log_variance, _ = _outputs(network, params, inputs)
    return mean, None if log_variance is None else jnp.exp(log_variance)


def _imagined(
    network: EnsembleMLP, params: EnsembleParams, size: int, inputs: Float[Array, "K M F"]
) -> tuple[Float[Array, "K M O"], Float[Array, "K M O"] | None]:
    """Mean and variance of what moves particles; reward and end have only means.

    A return is an expectation: noise of single rewards would blur the comparison of plans and change nothing.
    """
    mean, log_variance, logits = _outputs(network, params, inputs)
    if params.reward is not None:
        mean = mean.at[..., size:].multiply(params.reward.std).at[..., size:].add(params.reward.mean)
    mean = jnp.concatenate([mean, jax.nn.sigmoid(logits)], axis=-1)
    if log_variance is None:
        return mean, None
    variance = jnp.exp(log_variance[..., :size])
    return mean, jnp.concatenate([variance, jnp.zeros_like(mean[..., size:])], axis=-1)


def ensemble_loss(
    network: EnsembleMLP, config: EnsembleConfig, params: EnsembleParams, batch: RegressionBatch
) -> tuple[Float[Array, ""], Metrics]:
    """The training loss, exactly as published with the paper's code, and that of a learned end.

    Probabilistic members: the sum over members of mean[(mu - y)^2 / var + log var], without the factor 1/2,
    plus 0.01 (sum max log var - sum min log var). Deterministic ones: mean[(mu - y)^2] / 2. Both add the
    weight decay. Means run over the batch and the dimensions. A learned reward is standardised, so that its
    unit does not weigh it against the observation. A learned end adds the sum over members of the mean
    cross-entropy.
    """
    mean, log_variance, logits = _outputs(network, params, batch.inputs)
    targets = batch.targets[..., : network.outputs]
    if params.reward is not None:
        targets = targets.at[..., -1:].add(-params.reward.mean).at[..., -1:].divide(params.reward.std)
    squares = jnp.square(mean - targets)
    decay = weight_decay(params.network, config.weight_decay)
    if log_variance is None:
        fit, bounds = _member_sum(squares / 2, batch.weights), 0.0
    else:
        fit = _member_sum(squares * jnp.exp(-log_variance) + log_variance, batch.weights)
        low, high = params.network["min_log_variance"], params.network["max_log_variance"]
        bounds = 0.01 * (high.sum() - low.sum())
    members = mean.shape[0]
    metrics = {"model_loss": fit / members, "model_mse": _member_sum(squares, batch.weights) / members}
    if network.events:
        entropy = optax.sigmoid_binary_cross_entropy(logits, batch.targets[..., network.outputs :])
        end = _member_sum(entropy, batch.weights)
        fit, metrics = fit + end, metrics | {"model_end_loss": end / members}
    return fit + bounds + decay, metrics


def _member_sum(values: Float[Array, "K M D"], weights: Float[Array, "M"]) -> Float[Array, ""]:
    """Sum over members of the mean over rows that count and over dimensions."""
    rows = values.mean(-1).sum(0)
    return jnp.sum(rows * weights) / jnp.maximum(weights.sum(), 1.0)


def _outputs(network: EnsembleMLP, params: EnsembleParams, inputs: Float[Array, "K M F"]) -> EnsembleOutputs:
    """What each member says, inputs standardised."""
    standardised = (inputs - params.scaler.mean) / params.scaler.std
    outputs: Any = network.apply({"params": params.network}, standardised)
    return outputs
