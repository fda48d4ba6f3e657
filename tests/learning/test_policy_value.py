"""The learner: it reaches a known minimum, its rates follow their schedule, symmetries turn whole rows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.data.self_play import PolicyValueBatch
from imaginax.envs.wrappers import privileged
from imaginax.learning.config import OptimiserConfig
from imaginax.learning.learner import init_learner
from imaginax.learning.policy_value import make_optimiser, make_update, random_symmetry
from imaginax.networks.residual import Network
from imaginax.types import ConfigError

ROWS, ACTIONS = 64, 9


def _linear() -> Network:
    """logits = W x, value = tanh(w x); its `batch_stats` count the training steps."""

    def init(key):
        return {"params": {"w": jnp.zeros((ACTIONS, ACTIONS + 1))}, "batch_stats": jnp.zeros(())}

    def apply(variables, planes):
        out = planes.reshape(len(planes), -1)[:, :ACTIONS].astype(jnp.float32) @ variables["params"]["w"]
        return out[:, :ACTIONS], jnp.tanh(out[:, ACTIONS])

    def train(variables, planes):
        return *apply(variables, planes), variables["batch_stats"] + 1

    return Network(init, apply, train)


def _batch() -> PolicyValueBatch:
    """One-hot inputs; input i always has action 8 - i, and an outcome by its parity."""
    i = np.arange(ROWS) % ACTIONS
    planes = np.eye(ACTIONS, dtype=np.float32)[i].reshape(ROWS, 3, 3, 1)
    actions = (8 - i)[:, None]
    ones = jnp.ones(ROWS)
    outcome = np.where(i % 2 == 0, 1.0, -1.0).astype(np.float32)
    return PolicyValueBatch(
        jnp.asarray(planes), jnp.asarray(actions), jnp.ones((ROWS, 1)), jnp.asarray(outcome), ones, ones
    )


def test_it_learns_what_can_be_learned():
    config = OptimiserConfig("adam", rates=(0.1,), boundaries=(), weight_decay=0.0)
    network = _linear()
    update = jax.jit(make_update(network, config))
    learner = init_learner(network.init(jax.random.key(0)), make_optimiser(config))
    for step in range(100):
        learner, metrics = update(learner, _batch(), jax.random.key(step))
    logits, value = network.apply(learner.params, _batch().observation)
    assert np.array_equal(np.argmax(logits, 1), _batch().actions[:, 0])
    np.testing.assert_allclose(value, _batch().value, atol=0.05)
    assert float(metrics["policy_loss"]) < 0.05 and float(metrics["policy_accuracy"]) == 1.0
    assert int(learner.updates) == 100 == int(learner.params["batch_stats"])


def test_one_step_of_momentum_with_the_penalty_by_hand():
    config = OptimiserConfig("sgd", rates=(0.1,), boundaries=(), momentum=0.5, weight_decay=0.01)
    network = _linear()
    update = jax.jit(make_update(network, config))
    learner = init_learner(network.init(jax.random.key(0)), make_optimiser(config))
    start = jax.random.normal(jax.random.key(1), (ACTIONS, ACTIONS + 1))
    learner = learner._replace(params={"params": {"w": start}, "batch_stats": jnp.zeros(())})
    flat, batch = _batch().observation.reshape(ROWS, -1), _batch()

    def gradient(w):
        out = np.asarray(flat @ w, np.float64)
        p = np.exp(out[:, :ACTIONS]) / np.exp(out[:, :ACTIONS]).sum(1, keepdims=True)
        p[np.arange(ROWS), np.asarray(batch.actions)[:, 0]] -= 1
        v = np.tanh(out[:, ACTIONS])
        error = 2 * (v - np.asarray(batch.value)) * (1 - v**2)
        return np.asarray(flat).T @ np.concatenate([p, error[:, None]], 1) / ROWS + 0.02 * np.asarray(w)

    first = gradient(start)
    w1 = start - 0.1 * first
    w2 = w1 - 0.1 * (0.5 * first + gradient(jnp.asarray(w1)))
    for _ in range(2):
        learner, _ = update(learner, batch, jax.random.key(0))
    np.testing.assert_allclose(learner.params["params"]["w"], w2, atol=1e-5)


def test_rates_change_at_their_boundaries():
    config = OptimiserConfig("sgd", rates=(1.0, 0.1, 0.01), boundaries=(2, 3), momentum=0.0)
    transform, zero = make_optimiser(config), {"params": jnp.zeros(()), "batch_stats": jnp.zeros(())}
    state, steps = transform.init(zero), []
    for _ in range(5):
        change, state = transform.update(zero | {"params": jnp.ones(())}, state)
        steps.append(-float(change["params"]))
        assert change["batch_stats"] == 0
    np.testing.assert_allclose(steps, [1.0, 1.0, 0.1, 0.01, 0.01], rtol=1e-6)


def test_a_symmetry_turns_planes_and_moves_together():
    """On an empty board with one stone, the move onto the stone's square stays on the stone's square."""
    game = privileged(envs.make("tic_tac_toe")).game
    i = np.arange(ROWS) % ACTIONS
    planes = np.zeros((ROWS, 9, 2), bool)
    planes[np.arange(ROWS), i, 0] = True
    batch = _batch()._replace(
        observation=jnp.asarray(planes.reshape(ROWS, 3, 3, 2)), actions=jnp.asarray(i[:, None])
    )
    new = random_symmetry(game, batch, jax.random.key(0))
    stones = np.asarray(new.observation[..., 0]).reshape(ROWS, 9)
    assert np.array_equal(np.argmax(stones, 1), new.actions[:, 0]) and (stones.sum(1) == 1).all()
    assert {tuple(np.asarray(new.actions)[i == square, 0].tolist()) for square in (0, 1)} != {(0,), (1,)}
    assert set(np.asarray(new.actions)[i == 0, 0]) <= {0, 2, 6, 8} and set(
        np.asarray(new.actions)[i == 4, 0]
    ) == {4}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"rates": ()}, "rates"),
        ({"rates": (0.1, 0.01), "boundaries": ()}, "boundaries"),
        ({"rates": (0.1, 0.01), "boundaries": (0,)}, "boundaries"),
        ({"momentum": 1.0}, "momentum"),
        ({"weight_decay": float("nan")}, "weight_decay"),
    ],
)
def test_impossible_settings(settings, word):
    with pytest.raises(ConfigError, match=word):
        OptimiserConfig(**settings)
