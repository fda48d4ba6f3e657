"""The bound of a latent model on a linear-Gaussian system, against its closed form.

s_t = a s_{t-1} + b u_t + N(0, q)    o_t = c s_t + N(0, 1)
posterior N(m + k (o_t - c m), p), where m is the prior's mean
"""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import distributions
from imaginax.distributions import Gaussian
from imaginax.models.latent import objective as latent
from imaginax.models.latent import rssm
from imaginax.models.latent.config import ObjectiveConfig, RSSMConfig
from imaginax.models.latent.objective import Networks
from imaginax.models.latent.rssm import RSSM, Belief
from imaginax.types import ConfigError, Trajectory

A, B, C, Q, K, P = 0.9, 0.5, 1.3, 0.4, 0.35, 0.2
STEPS, ROWS = 6, 40_000
SEEN = np.array([0.7, -0.4, 1.2, 0.3, -0.8, 0.5])
ACTIONS = np.array([0.0, 1.0, -0.5, 0.8, 0.2, -1.0])
ONE = np.arange(STEPS) == 0  # one episode
TWO = ONE | (np.arange(STEPS) == 4)
BARE = ObjectiveConfig(reward=0.0, free_nats=0.0)


def belief(mean, std, key):
    return Belief(
        mean[:, :0], mean + std * jax.random.normal(key, mean.shape), Gaussian(mean, jnp.full_like(mean, std))
    )


def linear() -> Networks:
    def predict(params, before, action, key):
        return belief(params * before.stochastic + B * action, math.sqrt(Q), key)

    def correct(params, prior, seen, key):
        mean = prior.stats.mean
        return belief(mean + K * (seen - C * mean), math.sqrt(P), key)

    zeros = lambda batch: jnp.zeros((batch, 1))  # noqa: E731
    start = lambda batch: Belief(zeros(batch)[:, :0], zeros(batch), Gaussian(zeros(batch), zeros(batch)))  # noqa: E731
    model = RSSM(lambda key: A, start, lambda params, x: x, predict, correct)
    return Networks(
        rssm=model,
        part=lambda params: params,
        inputs=lambda seen, key: seen,
        embed=lambda params, x: x,
        decode=lambda params, belief: C * belief.stochastic,
        reward=lambda params, belief: 2.0 + 0.0 * belief.stochastic[..., 0],
    )


def data(first) -> Trajectory:
    rows = lambda x: jnp.broadcast_to(jnp.asarray(x), (ROWS, STEPS))  # noqa: E731
    return Trajectory(
        rows(SEEN.astype("float32"))[..., None],
        rows(ACTIONS.astype("float32"))[..., None],
        rows(np.zeros(STEPS, "float32")),
        rows(np.ones(STEPS, "float32")),
        rows(first),
    )


def found(config, first):
    return jax.jit(lambda key: latent.loss(linear(), config, A, data(first), key)[1])(jax.random.key(0))


def exact_bound(first) -> float:
    """-E_q[log p(s, o) - log q(s)] / T by the matrices of the whole path; log p(o) without constants."""
    linked = np.diag(np.where(first[1:], 0.0, 1.0), -1)
    actions = np.where(first, 0.0, ACTIONS)
    prior = np.eye(STEPS) - A * linked
    inverse = np.linalg.inv(np.eye(STEPS) - (1 - K * C) * A * linked)
    mean = inverse @ ((1 - K * C) * B * actions + K * SEEN)
    cov = P * inverse @ inverse.T
    apart = prior @ mean - B * actions
    log_prior = -0.5 * (apart @ apart + np.trace(prior @ cov @ prior.T)) / Q - 0.5 * STEPS * np.log(
        2 * np.pi * Q
    )
    missed = SEEN - C * mean
    log_seen = -0.5 * (missed @ missed + C**2 * np.trace(cov))
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov)[1]
    return -(log_prior + log_seen + entropy) / STEPS


@pytest.mark.parametrize("first", [ONE, TWO], ids=["one episode", "two episodes"])
def test_the_bound_is_that_of_the_linear_gaussian_system(first):
    metrics = found(BARE, first)
    np.testing.assert_allclose(metrics["loss"], exact_bound(first), rtol=5e-3)
    np.testing.assert_allclose(metrics["loss"], metrics["observation_loss"] + metrics["kl"], rtol=1e-5)


def test_what_was_inferred_comes_along_batch_first_with_its_gradient():
    """Posteriors have the filter's means; one end of the batch has another episode's beginning."""
    small = jax.tree.map(lambda x: x[:3], data(TWO))
    small = small._replace(first=small.first.at[0, 4].set(False))
    beliefs = lambda a: latent.loss(linear(), BARE, a, small, jax.random.key(1))[2]  # noqa: E731
    found = beliefs(A)
    state = jnp.where(small.first[:, 4], 0.0, A * found.stochastic[:, 3, 0])
    prior = state + B * jnp.where(small.first[:, 4], 0.0, ACTIONS[4])
    np.testing.assert_allclose(found.stats.mean[:, 4, 0], prior + K * (SEEN[4] - C * prior), rtol=1e-4)
    slope = jax.grad(lambda a: beliefs(a).stats.mean[0, 1, 0])(A)
    np.testing.assert_allclose(slope, (1 - K * C) * found.stochastic[0, 0, 0], rtol=1e-4)


def exact_overshooting(first, distance) -> float:
    """Every number is a vector of coefficients of 1 and of independent noises."""
    noises = iter(np.eye(1 + STEPS + STEPS * (distance + 1)))
    one = next(noises)
    actions = np.where(first, 0.0, ACTIONS)
    states, targets = [], []
    for t in range(STEPS):
        mean = A * (0 * one if first[t] else states[-1]) + B * actions[t] * one
        targets.append((1 - K * C) * mean + K * SEEN[t] * one)
        states.append(targets[-1] + math.sqrt(P) * next(noises))
    total = 0.0
    for t in range(STEPS):
        guess = states[t]
        for d in range(1, min(distance, STEPS - 1 - t) + 1):
            if first[t + d]:
                break
            guess = A * guess + B * actions[t + d] * one
            square = np.sum((targets[t + d] - guess) ** 2)
            if d > 1:
                total += 0.5 * (P / Q + square / Q - 1 - math.log(P / Q))
            guess = guess + math.sqrt(Q) * next(noises)
    return total / (distance * STEPS)


@pytest.mark.parametrize("first", [ONE, TWO], ids=["one episode", "two episodes"])
def test_overshooting_is_that_of_the_linear_gaussian_system(first):
    metrics = found(dataclasses.replace(BARE, overshooting=2.0, distance=3), first)
    np.testing.assert_allclose(metrics["overshooting_loss"], 2 * exact_overshooting(first, 3), rtol=1e-2)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(("distance", "free_nats"), [(4, 0.0), (24, 0.0), (24, 0.5)])
def test_overshooting_is_the_sum_over_pairs_of_equation_7(classes, distance, free_nats):
    """A loop over every row, start and end, one prediction at a time, of a model without noise."""
    steps, rows = 25, 3
    model = rssm.make_rssm(RSSMConfig("gru", 4, 2, classes, 5), embedding=3, actions=2)
    keys = jax.random.split(jax.random.key(0), 4)
    params = model.init(keys[0])
    params = jax.tree.map(lambda x: 3.0 * x, params)  # so that divergences are large
    seen, actions = jax.random.normal(keys[1], (steps, rows, 3)), jax.random.normal(keys[2], (steps, rows, 2))
    first = np.zeros((steps, rows), bool)
    first[0], first[[7, 8, 20], 1], first[24, 2] = True, True, True
    observed = rssm.observe(model, params, model.project(params, seen), actions, jnp.asarray(first), keys[3])[
        1
    ]
    config = ObjectiveConfig(overshooting=1.0, distance=distance, free_nats=free_nats)
    found = latent.overshooting(model, params, observed, actions, jnp.asarray(first), keys[3], config)

    predict = jax.jit(lambda belief, action: model.predict(params, belief, action, keys[3]))
    diverge = jax.jit(lambda target, guess: distributions.kl(target.stats, guess.stats)[0])
    total = 0.0
    for row in range(rows):
        at = lambda t, row=row: jax.tree.map(lambda x: x[t, row : row + 1], observed)  # noqa: E731
        for start in range(steps):
            guess = at(start)
            for end in range(start + 1, min(start + distance, steps - 1) + 1):
                if first[end, row]:
                    break
                guess = predict(guess, actions[end, row : row + 1])
                if end > start + 1:
                    total += max(float(diverge(at(end), guess)), free_nats)
    np.testing.assert_allclose(found, total / (distance * steps * rows), rtol=1e-4)


def test_overshooting_reaches_no_further_than_the_sequence():
    far, all_ = (found(dataclasses.replace(BARE, overshooting=1.0, distance=d), ONE) for d in (50, 5))
    assert far["overshooting_loss"] == all_["overshooting_loss"] > 0
    assert found(dataclasses.replace(BARE, overshooting=1.0, distance=1), ONE)["overshooting_loss"] == 0


def test_posteriors_are_not_moved_by_overshooting():
    """The gradient through a target is stopped: observations have none from distances beyond 1."""
    config = dataclasses.replace(BARE, overshooting=1.0, distance=3, dynamics=0.0, representation=0.0)
    networks, small = linear(), jax.tree.map(lambda x: x[:2], data(ONE))

    def last_target(seen):
        """What is seen at the end is in targets alone, and in the reconstruction, which is taken away."""
        changed = small._replace(observation=small.observation.at[:, -1].set(seen))
        _, metrics, _ = latent.loss(networks, config, A, changed, jax.random.key(1))
        return metrics["overshooting_loss"]

    assert jax.grad(last_target)(0.3) == 0
    assert last_target(0.3) != last_target(0.9)


def test_free_nats_cost_and_teach_nothing():
    metrics = found(dataclasses.replace(BARE, free_nats=50.0), ONE)
    assert metrics["divergence_loss"] == 50.0 and metrics["kl"] < 50.0
    p, q = (
        Gaussian(jnp.ones((1, 1, 1)), jnp.ones((1, 1, 1))),
        Gaussian(jnp.zeros((1, 1, 1)), jnp.ones((1, 1, 1))),
    )
    slope = jax.grad(lambda p, nats: latent.divergence(_of(p), _of(q), free_nats=nats).sum())
    assert slope(p, 1.0).mean == 0 and slope(p, 0.1).mean == 1


def _of(stats):
    return Belief(stats.mean, stats.mean, stats)


@pytest.mark.parametrize(("dynamics", "representation"), [(1.0, 1.0), (0.8, 0.2), (1.0, 0.1), (0.1, 0.5)])
@pytest.mark.parametrize("average", [False, True])
def test_the_divergence_is_balanced(dynamics, representation, average):
    """Of unit normals, whose means the parameters are: each weight moves its own side, and no other."""
    means = {"prior": 0.3, "posterior": 1.1}
    model = linear().rssm._replace(
        predict=lambda params, before, action, key: belief(0 * action + params["prior"], 1.0, key),
        correct=lambda params, prior, seen, key: belief(0 * seen + params["posterior"], 1.0, key),
    )
    networks = linear()._replace(rssm=model, decode=lambda params, belief: jnp.zeros((1, 2, 1)))
    config = dataclasses.replace(BARE, dynamics=dynamics, representation=representation, free_average=average)
    one_step = jax.tree.map(lambda x: x[:2, :1], data(ONE))
    loss = lambda means: latent.loss(networks, config, means, one_step, jax.random.key(0))[0]  # noqa: E731
    slope = jax.grad(loss)(means)
    apart = means["posterior"] - means["prior"]
    assert slope["prior"] == pytest.approx(-dynamics * apart, rel=1e-5)
    assert slope["posterior"] == pytest.approx(representation * apart, rel=1e-5)


@pytest.mark.parametrize(
    ("free_nats", "step", "mean"), [(0.0, 1.25, 1.25), (1.0, 1.5, 1.25), (3.0, 3.0, 3.0)]
)
def test_free_nats_are_of_each_step_or_of_the_mean(free_nats, step, mean):
    """KLs of 0.5 and 2 nats."""
    numbers = lambda x: _of(Gaussian(jnp.array(x)[:, None, None], jnp.ones((2, 1, 1))))  # noqa: E731
    for average, expected in ((False, step), (True, mean)):
        config = dataclasses.replace(BARE, free_nats=free_nats, free_average=average)
        terms = latent.balanced_divergence(numbers([1.0, 2.0]), numbers([0.0, 0.0]), config)
        assert float(jnp.mean(terms["divergence_loss"])) == pytest.approx(expected)


def test_the_other_terms():
    config = dataclasses.replace(BARE, reward=10.0, standard=0.5)
    metrics = found(config, ONE)
    assert metrics["reward_loss"] == pytest.approx(10 * 0.5 * 2.0**2)
    assert metrics["standard_loss"] > 0
    parts = ("observation", "reward", "divergence", "standard")
    assert metrics["loss"] == pytest.approx(sum(float(metrics[f"{part}_loss"]) for part in parts), rel=1e-5)


@pytest.mark.parametrize(
    ("field", "value"), [("distance", 0), ("free_nats", -1.0), ("reward", math.nan), ("dynamics", -0.1)]
)
def test_impossible_weights_name_their_field(field, value):
    with pytest.raises(ConfigError, match=f"objective.{field}"):
        ObjectiveConfig(**{field: value})


def test_contrast_is_the_information_bound_on_a_known_channel():
    """Features that are their own guesses: ln sum_j exp(-|f_i - f_j|^2 / 2), by a double loop."""
    rng = np.random.default_rng(0)
    features, guesses = rng.normal(size=(2, 3, 4, 5))
    found = np.asarray(latent.contrast(jnp.array(features), jnp.array(guesses))).ravel()
    rows, columns = features.reshape(12, 5), guesses.reshape(12, 5)
    for i, row in enumerate(rows):
        densities = np.array([np.exp(-0.5 * ((row - column) ** 2).sum()) for column in columns])
        np.testing.assert_allclose(found[i], -np.log(densities[i] / densities.sum()), rtol=1e-4)
