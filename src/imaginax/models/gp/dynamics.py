"""Gaussian processes as a world model: one for each number of the regression target.

The belief is a set of particles in observation space, as with PETS's ensembles; `models.gp.gaussian_dynamics`
carries Gaussian beliefs instead. The task's reward is not learned: it is the environment's own, evaluated on
the particles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.ensemble.model import features_of, input_size
from imaginax.models.gp import exact as gp
from imaginax.models.gp import sparse
from imaginax.models.gp.config import GPConfig, GPFitConfig
from imaginax.models.gp.exact import Data, GaussianProcess, Hyperparameters, Posterior
from imaginax.models.gp.fit import fit_hyperparameters, fit_sparse
from imaginax.types import (
    Box,
    Capabilities,
    ConfigError,
    Environment,
    Metrics,
    Prediction,
    Transition,
    WorldModel,
)


class GPParams(NamedTuple):
    """What planning needs: the Flax module's variables, and the posterior that follows from the data."""

    module: Any
    posterior: Posterior


Fit = Callable[[GPParams, Transition, Array, Array], tuple[GPParams, Metrics]]


def gp_dynamics(env: Environment, config: GPConfig) -> WorldModel:
    """Gaussian process dynamics of `env`.

    Its `loss` takes `Data` and is minus the log marginal likelihood of a row, averaged over the outputs.

    Raises:
        ConfigError: if the environment's actions are discrete, or it publishes no reward on observations.
    """
    if not isinstance(env.spec.action, Box):
        raise ConfigError(f"env {env.spec.name}: Gaussian processes need continuous actions")
    if env.reward is None:
        raise ConfigError(
            f"env {env.spec.name} publishes no reward on observations, which Gaussian processes need"
        )
    reward_of, features, module = env.reward, features_of(env), make_module(env, config)
    particles = config.particles if config.propagation == "sample" else 1

    def init(key: Array) -> GPParams:
        data = _no_data(env, config)
        variables = module.init(key, data)
        return GPParams(variables, _posterior(config, hyperparameters_of(variables), data, key))

    def encode(params, observation: Float[Array, "B D"], key) -> Float[Array, "B P D"]:
        return jnp.repeat(observation[:, None], particles, axis=1)

    def observe(params, belief, action, observation, key):
        return encode(params, observation, key)

    def predict(params: GPParams, belief: Float[Array, "B P D"], action: Float[Array, "B A"], key):
        actions = jnp.repeat(action[:, None], particles, axis=1)
        inputs = jnp.concatenate([features.inputs(belief), actions], axis=-1)
        target = _target(config, params.posterior, inputs, key)
        following = features.apply(belief, target)
        reward = reward_of(belief, actions, following).mean(1)
        return following, Prediction(reward, jnp.ones_like(reward))

    def loss(params: GPParams, data: Data, key=None) -> tuple[Float[Array, ""], Metrics, None]:
        likelihood: Any = module.apply(params.module, data)
        value = -likelihood.mean() / jnp.maximum(gp.clean(data).count, 1)
        return value, {"model_loss": value}, None

    can = Capabilities(continuous=True, differentiable=True)
    return WorldModel(init, encode, observe, predict, lambda params, belief: None, loss, can)


def make_module(env: Environment, config: GPConfig) -> GaussianProcess:
    """The Flax module: inputs are the environment's features and the action, outputs its targets."""
    return GaussianProcess(env.spec.observation.shape[-1], config.kernels)


def hyperparameters_of(variables: Any) -> Hyperparameters:
    """Of the module's variables."""
    return variables["params"]["hyperparameters"]


def make_fit(env: Environment, model: GPConfig, config: GPFitConfig) -> Fit:
    """`fit(params, transitions [R, ...], count, key) -> (params, metrics)`.

    The newest `model.capacity` of the first `count` transitions are used, without those that hold a number
    which is not finite. Metrics report the log marginal likelihood of a row, how many rows were left out, how
    much jitter the posterior needed, and how many outputs have no factor.
    """

    def fit(params: GPParams, transitions: Transition, count: Array | int, key: Array):
        key_fit, key_inducing = jax.random.split(key)
        data = regression_data(env, transitions, count, model.capacity)
        present = hyperparameters_of(params.module)
        if model.inducing:
            inducing = sparse.choose(data, model.inducing, key_inducing)
            fitted = fit_sparse(present, inducing, data, config, key_fit)
            hyperparameters = fitted.hyperparameters
            likelihood = sparse.log_likelihood(hyperparameters, fitted.inducing, data)
            posterior = sparse.posterior(hyperparameters, fitted.inducing, data)
        else:
            hyperparameters = fit_hyperparameters(present, data, config, key_fit).hyperparameters
            likelihood = gp.log_likelihood(hyperparameters, data)
            posterior = gp.posterior(hyperparameters, data)
        variables = {"params": {"hyperparameters": hyperparameters}}
        return GPParams(variables, posterior), _metrics(posterior, likelihood, data)

    return fit


def regression_data(env: Environment, transitions: Transition, count: Array | int, capacity: int) -> Data:
    """Inputs and targets of the newest `capacity` of the first `count` transitions, in order, in front."""
    rows = jnp.maximum(count - capacity, 0) + jnp.arange(capacity)
    rows = jnp.minimum(rows, len(transitions.action) - 1)
    observation, action, following = (
        leaf[rows] for leaf in (transitions.observation, transitions.action, transitions.next_observation)
    )
    features = features_of(env)
    inputs = jnp.concatenate([features.inputs(observation), action], axis=-1)
    targets, kept = features.target(observation, following), jnp.minimum(count, capacity)
    used = (jnp.arange(capacity) < kept)[:, None]
    return Data(jnp.where(used, inputs, 0.0), jnp.where(used, targets, 0.0), kept)


def _metrics(posterior: Posterior, likelihood: Float[Array, "E"], data: Data) -> Metrics:
    rows = data.count - posterior.left_out
    return {
        "model_loss": -likelihood.mean() / jnp.maximum(rows, 1),
        "model_rows": rows.astype(likelihood.dtype),
        "model_left_out": posterior.left_out.astype(likelihood.dtype),
        "model_jitter": posterior.jitter.max(),
        "model_failed": posterior.failed.sum().astype(likelihood.dtype),
    }


def _target(
    config: GPConfig, posterior: Posterior, inputs: Float[Array, "B P F"], key: Array
) -> Float[Array, "B P E"]:
    """The mean of the regression target, or a draw."""
    rows = inputs.reshape(-1, inputs.shape[-1])
    seen = gp.predict(posterior, rows)
    target = seen.mean
    if config.propagation == "sample":
        target = target + jnp.sqrt(seen.noisy_variance) * jax.random.normal(key, target.shape, target.dtype)
    return target.reshape(*inputs.shape[:2], -1)


def _no_data(env: Environment, config: GPConfig) -> Data:
    inputs = jnp.zeros((config.capacity, input_size(env)))
    return Data(
        inputs, jnp.zeros((config.capacity, env.spec.observation.shape[-1])), jnp.zeros((), jnp.int32)
    )


def _posterior(config: GPConfig, hyperparameters: Hyperparameters, data: Data, key: Array) -> Posterior:
    """Of the configured kind."""
    if config.inducing:
        return sparse.posterior(hyperparameters, sparse.choose(data, config.inducing, key), data)
    return gp.posterior(hyperparameters, data)
