"""Training of ensemble dynamics: all members and all epochs in one compiled loop, as PETS's own code does.

Each call draws fresh bootstraps (N of N rows with replacement, one set a member), refits the input
scaler on all training rows, and continues from the current weights. The number of rows is a traced
value, so the same program serves a data set that grows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.learning.config import EnsembleFitConfig
from imaginax.learning.learner import Learner, gradient_step
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import (
    EnsembleParams,
    RegressionBatch,
    Scaler,
    ensemble_loss,
    learned_outcomes,
    make_network,
)
from imaginax.models.targets import Outcomes, regression_inputs, regression_targets
from imaginax.numerics.sharding import shard_along
from imaginax.types import Environment, Metrics, Transition


class Dataset(NamedTuple):
    """All rows that replay can hold; `train` and `test` list those in use, in front."""

    inputs: Float[Array, "R F"]
    targets: Float[Array, "R O"]
    train: Int[Array, "R"]
    train_size: Int[Array, ""]
    test: Int[Array, "R"]
    test_size: Int[Array, ""]


Fit = Callable[[Learner, Transition, Array, Array], tuple[Learner, Metrics]]

HOLDOUT_ROWS = 1024  # of the hold-out rows this many are measured
LEAST_ROWS = 32  # of a batch on each of several devices: fewer cost less than adding up their gradients


def make_fit(
    env: Environment, model: EnsembleConfig, config: EnsembleFitConfig
) -> tuple[optax.GradientTransformation, Fit]:
    """The optimiser, and `fit(learner, transitions [R, ...], count, key) -> (learner, metrics)`."""
    network, learned = make_network(env, model), learned_outcomes(env, model)
    optimiser = optax.adam(config.learning_rate)

    def loss(weights, params: EnsembleParams, batch: RegressionBatch):
        return *ensemble_loss(network, model, params._replace(network=weights), batch), None

    def step(learner: Learner, batch: RegressionBatch) -> tuple[Learner, Metrics]:
        weights = learner._replace(params=learner.params.network)
        moved, metrics, _ = gradient_step(loss, optimiser, weights, learner.params, batch)
        return moved._replace(params=learner.params._replace(network=moved.params)), metrics

    def fit(learner: Learner, transitions: Transition, count: Array | int, key: Array):
        data = dataset(env, learned, transitions, count, config.holdout)
        used = jnp.arange(len(data.train)) < data.train_size
        params = learner.params._replace(scaler=fit_scaler(data.inputs[data.train], used))
        if learned.reward:
            rewards = data.targets[data.train, network.outputs - 1 : network.outputs]
            params = params._replace(reward=fit_scaler(rewards, used))
        learner = learner._replace(params=params)
        learner, metrics = _run_epochs(step, model.networks, config, learner, data, key)
        if config.holdout:
            metrics |= _holdout_metrics(network, model, learner.params, data)
        return learner, metrics | {"model_rows": data.train_size.astype(jnp.float32)}

    return optimiser, fit


def init_learner(params: EnsembleParams, optimiser: optax.GradientTransformation) -> Learner:
    """A learner before its first fit; the optimiser moves the networks, not the scaler."""
    return Learner(params, optimiser.init(params.network), jnp.zeros((), jnp.int32))


def dataset(
    env: Environment, learned: Outcomes, transitions: Transition, count: Array | int, holdout: float
) -> Dataset:
    """Network inputs and targets of the first `count` transitions, split once and for all.

    Whether a row is held out depends on its position alone: members that are trained again and again
    never see a row that later measures them.
    """
    inputs = regression_inputs(env, transitions)
    targets = regression_targets(env, learned, transitions)
    used = jnp.arange(len(inputs)) < count
    inputs, targets = jnp.where(used[:, None], inputs, 0.0), jnp.where(used[:, None], targets, 0.0)
    held = jax.random.uniform(jax.random.key(0), used.shape) < holdout
    train, test = used & ~held, used & held
    return Dataset(inputs, targets, _in_front(train), train.sum(), _in_front(test), test.sum())


def _in_front(chosen: Bool[Array, "R"]) -> Int[Array, "R"]:
    """Row numbers, the chosen ones first and in order."""
    return jnp.argsort(~chosen, stable=True)


def fit_scaler(inputs: Float[Array, "R F"], used: Bool[Array, "R"]) -> Scaler:
    """Mean and deviation of the used rows; a constant input (deviation below 1e-12) keeps its scale.

    Moments are taken about the first row, so that a constant input has a deviation of exactly zero: rounding
    would leave one of 1e-8, by which a reacher's goal, constant in the first trial, would be divided.
    """
    weights = used[:, None] / jnp.maximum(used.sum(), 1)
    origin = inputs[jnp.argmax(used)]
    shifted = inputs - origin
    mean = jnp.sum(weights * shifted, axis=0)
    std = jnp.sqrt(jnp.sum(weights * jnp.square(shifted - mean), axis=0))
    return Scaler(origin + mean, jnp.where(std < 1e-12, 1.0, std))


def _run_epochs(step, members: int, config: EnsembleFitConfig, learner: PyTree, data: Dataset, key: Array):
    """`config.epochs` passes over bootstraps, reshuffled for every member and pass."""
    key_bootstrap, key_epochs = jax.random.split(key)
    rows = len(data.train)
    draws = jax.random.randint(key_bootstrap, (members, rows), 0, jnp.maximum(data.train_size, 1))
    bootstraps = data.train[draws]

    def epoch(learner, key):
        order = _shuffled(bootstraps, data.train_size, key)
        order = jnp.pad(order, ((0, 0), (0, config.batch_size)))  # the last slice never runs over the end
        return _run_batches(step, config.batch_size, learner, data, order)

    learner, metrics = jax.lax.scan(epoch, learner, jax.random.split(key_epochs, config.epochs))
    return learner, jax.tree.map(lambda x: x[-1], metrics)


def _shuffled(rows: Int[Array, "K R"], size: Int[Array, ""], key: Array) -> Int[Array, "K R"]:
    """Each member's first `size` entries in an order of their own."""
    position = jnp.arange(rows.shape[1])
    rank = jnp.where(position < size, jax.random.uniform(key, rows.shape), jnp.inf)
    return jnp.take_along_axis(rows, jnp.argsort(rank, axis=1), axis=1)


def _run_batches(step, batch_size: int, learner: PyTree, data: Dataset, order: Int[Array, "K R"]):
    """One pass; the last batch may be short, as published. Metrics are means over the pass."""
    batches = (data.train_size + batch_size - 1) // batch_size
    position = jnp.arange(batch_size)

    def batch(index):
        start = index * batch_size
        rows = shard_along(
            jax.lax.dynamic_slice_in_dim(order, start, batch_size, axis=1), 1, least=LEAST_ROWS
        )
        weights = (start + position < data.train_size).astype(data.inputs.dtype)
        return RegressionBatch(data.inputs[rows], data.targets[rows], weights)

    def body(index, carry):
        learner, totals = carry
        learner, metrics = step(learner, batch(index))
        return learner, jax.tree.map(jnp.add, totals, metrics)

    metrics = jax.eval_shape(lambda: step(learner, batch(0))[1])
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), metrics)
    learner, totals = jax.lax.fori_loop(0, batches, body, (learner, zeros))
    return learner, jax.tree.map(lambda x: x / jnp.maximum(batches, 1), totals)


def _holdout_metrics(network, model: EnsembleConfig, params: EnsembleParams, data: Dataset) -> Metrics:
    """Loss and squared error on rows never trained on, the mean over members."""
    rows = data.test[:HOLDOUT_ROWS]
    weights = (jnp.arange(len(rows)) < data.test_size).astype(data.inputs.dtype)
    inputs, targets = (jnp.broadcast_to(x[rows], (model.networks, len(rows), x.shape[-1])) for x in data[:2])
    _, metrics = ensemble_loss(network, model, params, RegressionBatch(inputs, targets, weights))
    return {name.replace("model", "holdout"): value for name, value in metrics.items()}
