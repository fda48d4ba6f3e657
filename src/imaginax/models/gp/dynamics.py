"""Gaussian processes as a world model: one for each number of the regression target.

The belief is a set of particles in observation space, as with PETS's ensembles; `models.gp.gaussian_dynamics`
carries Gaussian beliefs instead. Reward and end of the task are the environment's own functions, evaluated on
the particles; a reward that it does not publish is learned by one more process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.ensemble.propagation import propagate
from imaginax.models.gp import exact as gp
from imaginax.models.gp import sparse
from imaginax.models.gp.config import GPConfig, GPFitConfig
from imaginax.models.gp.exact import Data, GaussianProcess, Hyperparameters, Posterior
from imaginax.models.gp.fit import fit_hyperparameters, fit_sparse
from imaginax.models.particles import Particles, advance, certain_particles
from imaginax.models.targets import (
    Outcomes,
    features_of,
    input_size,
    outcomes,
    regression_inputs,
    regression_targets,
)
from imaginax.types import Box, Capabilities, ConfigError, Environment, Metrics, Transition, WorldModel


class GPParams(NamedTuple):
    """What planning needs: the Flax module's variables, and the posterior that follows from the data."""

    module: Any
    posterior: Posterior


Fit = Callable[[GPParams, Transition, Array, Array], tuple[GPParams, Metrics]]


def gp_dynamics(env: Environment, config: GPConfig) -> WorldModel:
    """Gaussian process dynamics of `env`; beliefs are `Particles`.

    Its `loss` takes `Data` and is minus the log marginal likelihood of a row, averaged over the outputs.

    Raises:
        ConfigError: if the environment's actions are discrete, or it does not publish what it is asked for.
    """
    module, learned, features = make_module(env, config), learned_outcomes(env, config), features_of(env)
    reward_of = None if learned.reward else env.reward
    terminated = env.terminated if learned.terminated else None
    size = env.spec.observation.shape[-1]
    particles = 1 if config.propagation == "E" else config.particles

    def init(key: Array) -> GPParams:
        data = _no_data(env, config)
        variables = module.init(key, data)
        return GPParams(variables, _posterior(config, hyperparameters_of(variables), data, key))

    def encode(params, observation: Float[Array, "B D"], key) -> Particles:
        return certain_particles(observation, particles, ends=learned.ends)

    def observe(params, belief, action, observation, key):
        return encode(params, observation, key)

    def predict(params: GPParams, belief: Particles, action: Float[Array, "B A"], key):
        actions = jnp.repeat(action[:, None], particles, axis=1)
        inputs = jnp.concatenate([features.inputs(belief.states), actions], axis=-1)
        predicted = propagate(partial(_moments, params.posterior, size), 1, config.propagation, inputs, key)
        following = features.apply(belief.states, predicted[..., :size])
        reward = predicted[..., size] if reward_of is None else reward_of(belief.states, actions, following)
        end = None if terminated is None else terminated(following).astype(following.dtype)
        return advance(belief, following, reward, end)

    def loss(params: GPParams, data: Data, key=None) -> tuple[Float[Array, ""], Metrics, None]:
        likelihood: Any = module.apply(params.module, data)
        value = -likelihood.mean() / jnp.maximum(gp.clean(data).count, 1)
        return value, {"model_loss": value}, None

    can = Capabilities(continuous=True, differentiable=True)
    return WorldModel(init, encode, observe, predict, lambda params, belief: None, loss, can)


def learned_outcomes(env: Environment, config: GPConfig) -> Outcomes:
    """Where the model of `env` has reward and end from; an end is never learned."""
    return outcomes(env, config.reward, "never" if env.terminated is None else "published")


def make_module(env: Environment, config: GPConfig) -> GaussianProcess:
    """The Flax module: inputs are the environment's features and the action, outputs its targets.

    Raises:
        ConfigError: if the environment's actions are discrete, or it does not publish what it is asked for.
    """
    if not isinstance(env.spec.action, Box):
        raise ConfigError(f"env {env.spec.name}: Gaussian processes need continuous actions")
    outputs = env.spec.observation.shape[-1] + learned_outcomes(env, config).reward
    return GaussianProcess(outputs, config.kernels)


def hyperparameters_of(variables: Any) -> Hyperparameters:
    """Of the module's variables."""
    return variables["params"]["hyperparameters"]


def make_fit(env: Environment, model: GPConfig, config: GPFitConfig) -> Fit:
    """`fit(params, transitions [R, ...], count, key) -> (params, metrics)`.

    The newest `model.capacity` of the first `count` transitions are used, without those that hold a number
    which is not finite. Metrics report the log marginal likelihood of a row, how many rows were left out, how
    much jitter the posterior needed, and how many outputs have no factor.
    """
    learned = learned_outcomes(env, model)

    def fit(params: GPParams, transitions: Transition, count: Array | int, key: Array):
        key_fit, key_inducing = jax.random.split(key)
        data = regression_data(env, learned, transitions, count, model.capacity)
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


def regression_data(
    env: Environment, learned: Outcomes, transitions: Transition, count: Array | int, capacity: int
) -> Data:
    """Inputs and targets of the newest `capacity` of the first `count` transitions, in order, in front."""
    rows = jnp.maximum(count - capacity, 0) + jnp.arange(capacity)
    rows = jnp.minimum(rows, len(transitions.action) - 1)
    newest = jax.tree.map(lambda leaf: leaf[rows], transitions)
    inputs, targets = regression_inputs(env, newest), regression_targets(env, learned, newest)
    kept = jnp.minimum(count, capacity)
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


def _moments(
    posterior: Posterior, size: int, inputs: Float[Array, "1 M F"]
) -> tuple[Float[Array, "1 M E"], Float[Array, "1 M E"]]:
    """Mean and variance of the targets, noise included; of a reward only the mean, since a return is one."""
    seen = gp.predict(posterior, inputs[0])
    variance = seen.noisy_variance.at[:, size:].set(0.0)
    return seen.mean[None], variance[None]


def _no_data(env: Environment, config: GPConfig) -> Data:
    inputs = jnp.zeros((config.capacity, input_size(env)))
    targets = jnp.zeros((config.capacity, make_module(env, config).outputs))
    return Data(inputs, targets, jnp.zeros((), jnp.int32))


def _posterior(config: GPConfig, hyperparameters: Hyperparameters, data: Data, key: Array) -> Posterior:
    """Of the configured kind."""
    if config.inducing:
        return sparse.posterior(hyperparameters, sparse.choose(data, config.inducing, key), data)
    return gp.posterior(hyperparameters, data)
