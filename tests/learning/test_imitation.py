"""Imitation: what is measured is counted by hand, and what can be learned from records is learned."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.data.go_games import Positions
from imaginax.learning import imitation
from imaginax.learning.config import OptimiserConfig
from imaginax.learning.learner import init_learner
from imaginax.learning.policy_value import make_optimiser, make_update
from imaginax.networks.residual import Network

CELLS = 9
STEPS = 60


def _linear() -> Network:
    """logits = W x and value = tanh(w x) of all planes x."""

    def init(key):
        return {"params": {"w": jnp.zeros((18, CELLS + 1))}, "batch_stats": ()}

    def apply(variables, planes):
        out = planes.reshape(len(planes), -1).astype(jnp.float32) @ variables["params"]["w"]
        return out[:, :CELLS], jnp.tanh(out[:, CELLS])

    def train(variables, planes):
        return *apply(variables, planes), ()

    return Network(init, apply, train)


@pytest.fixture(scope="module")
def game():
    return envs.make("tic_tac_toe").game


@pytest.fixture(scope="module")
def records(game):
    """The positions after one move i of nine; the reply is i + 1, and it wins where i is even."""
    env = envs.make("tic_tac_toe")
    state, _ = env.init(jax.random.key(0))

    @jax.jit
    @jax.vmap
    def after(action):
        following, _ = env.step(state, action, jax.random.key(0))
        return game.pack(game.planes(following))

    i = np.arange(CELLS)
    return Positions(
        planes=after(jnp.asarray(i, jnp.int32)),
        move=((i + 1) % CELLS).astype(np.int16),
        outcome=np.where(i % 2 == 0, 1, -1).astype(np.int8),
        game=i,
    )


def test_moves_and_outcomes_are_learned(game, records):
    config, network = OptimiserConfig("adam", rates=(0.3,), boundaries=(), weight_decay=0.0), _linear()
    step = imitation.make_step(make_update(network, config), game, batch_size=32)
    learn = jax.jit(lambda learner, keys: jax.lax.scan(lambda a, key: step(a, records, key), learner, keys))
    learner, _ = learn(
        init_learner(network.init(jax.random.key(0)), make_optimiser(config)),
        jax.random.split(jax.random.key(1), STEPS),
    )
    measure = imitation.make_measure(network, game)
    found = measure(learner.params, records)
    assert found.accuracy == 1.0 and found.squared_error < 0.01
    wrong = measure(learner.params, records._replace(outcome=-records.outcome))
    assert wrong.accuracy == 1.0 and wrong.squared_error > 0.9  # (1 - -1)^2 / 4


def test_a_known_network_is_measured_by_hand(game, records):
    """It always says move 3 and value 1/2; the ninth position does not fill a batch."""

    def apply(variables, planes):
        return jnp.zeros((len(planes), CELLS)).at[:, 3].set(1.0), jnp.full(len(planes), 0.5)

    network = _linear()._replace(apply=apply)
    found = imitation.make_measure(network, game, batch_size=4)((), records)
    assert found.accuracy == 1 / 8
    assert found.squared_error == pytest.approx((0.5**2 + 1.5**2) / 2 / 4)
