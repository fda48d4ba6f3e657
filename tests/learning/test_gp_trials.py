"""Processes that are fitted once a trial, by inducing inputs once there are more data than those."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.learning.gp_trials import first_learner, fit
from imaginax.models.gp import exact as gp
from imaginax.models.gp.config import GPFitConfig
from imaginax.models.gp.gaussian_dynamics import gaussian_task

CAPACITY, INDUCING = 36, 12
CONFIG = GPFitConfig(starts=2, steps=15)
TASK = gaussian_task(envs.make("gpmpc_cartpole"))


@pytest.fixture(scope="module", autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def data(count):
    """Noisy values of smooth functions; what is behind the rows in use must not matter."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(CAPACITY, TASK.features))
    noise = 0.1 * random.normal(size=(CAPACITY, TASK.states))
    targets = np.sin(inputs[:, : TASK.states]) + 0.3 * inputs[:, -1:] + noise
    targets[count:] = 1e3
    return gp.Data(jnp.asarray(inputs), jnp.asarray(targets), jnp.int32(count))


@pytest.fixture(scope="module")
def fitted():
    """Number of data -> the learner; both numbers at once, as several seeds are."""

    def learn(data, key):
        return fit(CONFIG, first_learner(TASK, CAPACITY, INDUCING), data, key, INDUCING)[0]

    counts = INDUCING, CAPACITY
    both = jax.tree.map(lambda *x: jnp.stack(x), *map(data, counts))
    found = jax.jit(jax.vmap(learn))(both, jax.random.split(jax.random.key(0), 2))
    return lambda count: jax.tree.map(lambda x: x[counts.index(count)], found)


def exact(learner, data):
    return gp.posterior(learner.hyperparameters, gp.clean(data))


def predicted(posterior):
    points = jnp.asarray(np.random.default_rng(1).normal(size=(50, TASK.features)))
    return gp.predict(posterior, points)


def test_the_posterior_is_exact_while_there_are_enough_inducing_inputs(fitted):
    learner = fitted(INDUCING)
    few, wanted = map(predicted, (learner.posterior, exact(learner, data(INDUCING))))
    np.testing.assert_allclose(few.mean, wanted.mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(few.variance, wanted.variance, rtol=1e-8, atol=1e-10)


def test_with_more_data_they_stand_for_all(fitted):
    """Nearer to the exact process of all the data than to one of as many data as there are inputs."""
    learner = fitted(CAPACITY)
    assert learner.posterior.inputs.shape == (INDUCING, TASK.features)
    part = data(CAPACITY)._replace(count=jnp.int32(INDUCING))
    sparse, subset, wanted = map(
        predicted, (learner.posterior, exact(learner, part), exact(learner, data(CAPACITY)))
    )
    error = lambda found: float(jnp.sqrt(jnp.mean((found.mean - wanted.mean) ** 2)))  # noqa: E731
    assert error(sparse) < error(subset) / 2


@pytest.mark.parametrize("inducing", [0, INDUCING])
def test_a_transition_without_finite_numbers_is_left_out_and_reported(inducing):
    learn = jax.jit(lambda d, key: fit(CONFIG, first_learner(TASK, CAPACITY, inducing), d, key, inducing))
    given = data(INDUCING + 1)
    spoilt = given._replace(targets=given.targets.at[4, 0].set(jnp.nan))
    without = gp.Data(*(jnp.roll(x.at[4].set(1e3), -1, 0).at[:4].set(x[:4]) for x in given[:2]), INDUCING)
    (learner, metrics), (wanted, _) = (learn(d, jax.random.key(0)) for d in (spoilt, without))
    assert metrics["left_out"] == learner.posterior.left_out == 1 and metrics["points"] == INDUCING
    assert all(jnp.isfinite(value) for value in metrics.values())
    jax.tree.map(np.testing.assert_array_equal, predicted(learner.posterior), predicted(wanted.posterior))


def test_learners_keep_their_shapes(fitted):
    """What is carried from trial to trial has the shapes of the first learner."""
    first = jax.eval_shape(partial(first_learner, TASK, CAPACITY, INDUCING))
    shapes = jax.tree.map(jnp.shape, fitted(CAPACITY))
    assert shapes == jax.tree.map(lambda leaf: leaf.shape, first)
