"""The K-step loss against a slow one, its gradients by hand, and what importance weights do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.models.muzero.objective import (
    Networks,
    Targets,
    Unroll,
    Weights,
    muzero_loss,
    scale_gradient,
)
from imaginax.models.muzero.scalars import make_scalar

STEPS, ACTIONS, WIDTH = 3, 4, 2


def linear_networks() -> Networks:
    """One number as the hidden state: s = h o, s' = g s + a, r = q s', v = v s, logits = p s."""
    scalar = make_scalar(MuZeroModelConfig(bins=0))

    def advance(params, state, action):
        state = params["g"] * state + action[:, None] / 10
        return state, params["q"] * state

    def predict(params, state):
        return params["p"] * state, params["v"] * state

    return Networks(lambda key: {}, lambda params, o: params["h"] * o, advance, predict, scalar)


PARAMS = {"h": 0.7, "g": 0.9, "q": 0.4, "v": -0.6, "p": jnp.array([0.3, -0.2, 0.5, 0.1])}


def batch(rows: int, seed: int = 0) -> Unroll:
    rng = np.random.default_rng(seed)
    position = (rows, STEPS + 1)
    shares = rng.uniform(size=(*position, WIDTH))
    targets = Targets(
        actions=jnp.asarray(rng.permuted(np.tile(np.arange(ACTIONS), (*position, 1)), axis=-1)[..., :WIDTH]),
        shares=jnp.asarray(shares / shares.sum(-1, keepdims=True), jnp.float32),
        policy_weight=jnp.asarray(rng.integers(0, 2, position), jnp.float32),
        value=jnp.asarray(rng.uniform(-1, 1, position), jnp.float32),
        value_weight=jnp.asarray(rng.integers(0, 2, position), jnp.float32),
    )
    return Unroll(
        observation=jnp.asarray(rng.normal(size=(rows, 1)), jnp.float32),
        action=jnp.asarray(rng.integers(0, ACTIONS, (rows, STEPS)), jnp.int32),
        reward=jnp.asarray(rng.uniform(-1, 1, (rows, STEPS)), jnp.float32),
        reward_weight=jnp.asarray(rng.integers(0, 2, (rows, STEPS)), jnp.float32),
        targets=targets,
        importance=jnp.asarray(rng.uniform(0.2, 1, rows), jnp.float32),
    )


def slow_row(params, data: Unroll, row: int, weights: Weights, halves: bool = False):
    """The loss of one row, term by term; with `halves` the state passes a half of its gradient to g."""
    t = data.targets
    scale = [1.0] + [1 / STEPS] * STEPS
    state, total = params["h"] * data.observation[row, 0], 0.0
    for k in range(STEPS + 1):
        if k:
            state = scale_gradient(state, 0.5) if halves else state
            state = params["g"] * state + data.action[row, k - 1] / 10
            error = (jnp.tanh(params["q"] * state) - data.reward[row, k - 1]) ** 2
            total += weights.reward * scale[k] * data.reward_weight[row, k - 1] * error
        error = (jnp.tanh(params["v"] * state) - t.value[row, k]) ** 2
        total += weights.value * scale[k] * t.value_weight[row, k] * error
        logits = params["p"] * state
        logs = logits - jnp.log(jnp.exp(logits).sum())
        for action, share in zip(t.actions[row, k], t.shares[row, k], strict=True):
            total -= scale[k] * t.policy_weight[row, k] * share * logs[action]
    return data.importance[row] * total


def test_the_loss_and_its_gradient_are_those_of_a_slow_one():
    networks, data, weights = linear_networks(), batch(5), Weights(value=0.25, reward=1.5)
    slow = lambda params: sum(slow_row(params, data, row, weights, halves=True) for row in range(5)) / 5  # noqa: E731
    loss = lambda params: muzero_loss(networks, weights, params, data)[0]  # noqa: E731
    np.testing.assert_allclose(loss(PARAMS), slow(PARAMS), rtol=1e-5)
    for name, gradient in jax.grad(loss)(PARAMS).items():
        np.testing.assert_allclose(gradient, jax.grad(slow)(PARAMS)[name], rtol=2e-4, atol=1e-6)


def test_the_gradient_into_the_dynamics_halves_at_every_step():
    """Of one reward after k steps: its derivative in h is 2^-k of the plain one, by finite differences."""
    networks, one = linear_networks(), batch(1, seed=3)
    zero = jax.tree.map(jnp.zeros_like, one.targets._replace(actions=()))
    targets = zero._replace(actions=one.targets.actions)
    for k in range(STEPS):
        known = jnp.zeros((1, STEPS)).at[0, k].set(1.0)
        data = one._replace(targets=targets, reward_weight=known, importance=jnp.ones(1))
        loss = lambda h: muzero_loss(networks, Weights(), PARAMS | {"h": h}, data)[0]  # noqa: E731, B023
        plain = (loss(0.7 + 1e-2) - loss(0.7 - 1e-2)) / 2e-2
        assert float(jax.grad(loss)(0.7)) == pytest.approx(float(plain) * 0.5 ** (k + 1), rel=2e-2)


def test_later_losses_count_one_of_the_number_of_steps():
    """A value target at position k alone: 1 for the first, 1 / K for the others, in the last layer."""
    networks, one = linear_networks(), batch(1, seed=4)
    states = [PARAMS["h"] * one.observation[0, 0]]
    for k in range(STEPS):
        states.append(PARAMS["g"] * states[-1] + one.action[0, k] / 10)
    for k, state in enumerate(states):
        weight = jnp.zeros((1, STEPS + 1)).at[0, k].set(1.0)
        targets = one.targets._replace(value_weight=weight, policy_weight=jnp.zeros((1, STEPS + 1)))
        data = one._replace(targets=targets, reward_weight=jnp.zeros((1, STEPS)), importance=jnp.ones(1))
        found = jax.grad(lambda v: muzero_loss(networks, Weights(), PARAMS | {"v": v}, data)[0])(-0.6)  # noqa: B023
        value = np.tanh(-0.6 * state)
        by_hand = 2 * (value - one.targets.value[0, k]) * (1 - value**2) * state
        assert float(found) == pytest.approx(float(by_hand) * (1 if k == 0 else 1 / STEPS), rel=1e-3)


def test_a_duplicated_row_is_a_weight_of_two():
    networks, data = linear_networks(), batch(2)
    data = data._replace(importance=jnp.ones(2))
    twice = jax.tree.map(lambda x: x[jnp.array([0, 0, 1])], data)
    heavy = data._replace(importance=jnp.array([2.0, 1.0]))
    gradient = lambda batch: jax.grad(lambda p: muzero_loss(networks, Weights(), p, batch)[0])(PARAMS)  # noqa: E731
    for name, found in gradient(twice).items():
        np.testing.assert_allclose(3 * found, 2 * gradient(heavy)[name], rtol=1e-4, atol=1e-6)
    rows = [gradient(jax.tree.map(lambda x: x[i : i + 1], data))["p"] for i in range(2)]  # noqa: B023
    assert not np.allclose(rows[0], rows[1]), "the rows have to differ for this to say anything"


def test_rows_without_targets_give_no_gradient():
    networks, data = linear_networks(), batch(2)
    none = data.targets._replace(
        policy_weight=jnp.zeros((2, STEPS + 1)), value_weight=jnp.zeros((2, STEPS + 1))
    )
    data = data._replace(targets=none, reward_weight=jnp.zeros((2, STEPS)))
    loss, gradient = jax.value_and_grad(lambda p: muzero_loss(networks, Weights(), p, data)[0])(PARAMS)
    assert loss == 0 and all(not np.any(leaf) for leaf in jax.tree.leaves(gradient))
