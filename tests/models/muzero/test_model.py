"""The model as a world model: shapes, hidden states in [0, 1], actions as planes, gradients and searches."""

from __future__ import annotations

import dataclasses
import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.wrappers import privileged
from imaginax.models.muzero.actions import make_encoding
from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.models.muzero.model import make_networks, muzero_model
from imaginax.models.muzero.networks import scaled
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_tree_search
from imaginax.types import ConfigError

SMALL = MuZeroModelConfig(channels=4, blocks=1, latent=8, hidden=8, bins=5, largest=2.0)


def made(env, config=SMALL, seed=0, noise=0.3):
    """Networks with random last layers, and their model."""
    networks = make_networks(env, config)
    params = jax.jit(networks.init)(jax.random.key(seed))
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    leaves = [leaf + noise * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    return muzero_model(env, networks), jax.tree.unflatten(structure, leaves)


def seen(env, number):
    return jax.vmap(env.init)(jax.random.split(jax.random.key(0), number))[1].observation


@pytest.mark.parametrize("name", ["tic_tac_toe", "minatar_breakout", "pendulum"])
def test_hidden_states_lie_in_the_unit_interval_and_touch_its_ends(name):
    env = envs.make(name)
    if name == "pendulum":
        env = envs.make("diagnostic_chain")
    env = privileged(env) if env.game else env
    model, params = made(env)
    observation, key = seen(env, 3), jax.random.key(0)
    state = model.encode(params, observation, key)
    size = env.spec.action.size
    for action in (0, size - 1):
        state, predicted = model.predict(params, state, jnp.full(3, action), key)
        flat = np.asarray(state).reshape(3, -1)
        np.testing.assert_allclose(flat.min(1), 0.0)
        np.testing.assert_allclose(flat.max(1), 1.0, rtol=1e-5)
        assert predicted.policy.shape == (3, size) and predicted.value.shape == (3,)
        assert np.all(predicted.discount == (-1 if env.spec.players == 2 else 1))
    fresh = make_networks(env, SMALL)
    evaluation = muzero_model(env, fresh).evaluate(fresh.init(key), state, key)
    assert not np.any(evaluation.value) and not np.any(evaluation.policy), "untrained, it has no opinion"


def test_equal_numbers_are_scaled_without_a_division_by_zero():
    np.testing.assert_array_equal(scaled(jnp.full((2, 3), 7.0)), 0.0)
    np.testing.assert_allclose(scaled(jnp.array([[-2.0, 0.0, 2.0]])), [[0.0, 0.5, 1.0]])


def test_actions_are_planes():
    go = make_encoding("go_5x5", (5, 5, 17), 26, players=2)
    planes = np.asarray(go.encode(jnp.array([7, 25])))
    assert planes.shape == (2, 5, 5, 1) and planes[0, 1, 2, 0] == 1 and planes.sum() == 1  # a pass is empty
    four = np.asarray(make_encoding("connect_four", (6, 7, 2), 7, players=2).encode(jnp.array([3])))
    assert np.all(four[0, :, 3, 0] == 1) and four.sum() == 6
    atari = np.asarray(make_encoding("minatar_breakout", (10, 10, 4), 3, players=1).encode(jnp.array([2])))
    assert atari.shape == (1, 10, 10, 3) and np.all(atari[..., 2] == 1) and atari.sum() == 100
    vector = np.asarray(make_encoding("diagnostic_chain", (8,), 2, players=1).encode(jnp.array([1])))
    np.testing.assert_array_equal(vector, [[0, 1]])
    chess = np.asarray(make_encoding("gardner_chess", (5, 5, 115), 1225, players=2).encode(jnp.arange(1225)))
    assert np.all(chess.sum((1, 2, 3)) == 1), "one square of one plane each"
    assert len(np.unique(chess.reshape(1225, -1).argmax(1))) == 1225, "no two moves are the same"


def test_a_board_is_searched_the_same_alone_and_in_a_batch():
    env = privileged(envs.make("tic_tac_toe"))
    model, params = made(env)
    config = SearchConfig("puct", simulations=12, values="tree", first_play="loss")
    search = make_tree_search(model, config)
    states = seen(env, 32)
    moves = jax.random.randint(jax.random.key(1), (32,), 0, 9)
    states, timestep = jax.vmap(env.step)(states, moves, jax.random.split(jax.random.key(0), 32))
    key = jax.random.key(5)

    @jax.jit
    def run(some, legal):
        belief = model.encode(params, some, key)
        return search.run(params, belief, (), key, legal, explore=False)[0]

    whole = run(states, timestep.legal)
    for i in (0, 17, 31):
        alone = run(*jax.tree.map(operator.itemgetter(slice(i, i + 1)), (states, timestep.legal)))
        np.testing.assert_array_equal(alone.visits[0], whole.visits[i])
        np.testing.assert_allclose(alone.value[0], whole.value[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("policy", ["puct", "gumbel"])
def test_only_legal_actions_are_taken_at_the_root_whichever_they_are(policy):
    """A set that does not begin at 0, and a single action; below the root nothing is masked."""
    env = privileged(envs.make("tic_tac_toe"))
    model, params = made(env)
    config = SearchConfig(policy, simulations=16, values="tree" if policy == "puct" else "siblings")
    search = make_tree_search(model, config)
    legal = jnp.zeros((2, 9), bool).at[0, jnp.array([5, 8])].set(True).at[1, 6].set(True)
    states = seen(env, 2)

    @functools.partial(jax.jit, static_argnums=0)
    def run(explore):
        belief = model.encode(params, states, jax.random.key(0))
        return search.run(params, belief, (), jax.random.key(1), legal, explore=explore)[0]

    for explore in (False, True):
        found = run(explore)
        assert found.action[0] in (5, 8) and found.action[1] == 6
        assert np.all(np.asarray(found.visits)[~np.asarray(legal)] == 0)
        assert np.all(np.isfinite(found.value)) and np.all(np.isfinite(found.policy))
        np.testing.assert_allclose(found.policy.sum(1), 1.0, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(found.policy)[~np.asarray(legal)], 0.0, atol=1e-7)
        line = np.asarray(found.line)
        assert line[1, 0] == 6
    assert len(set(line[:, 1:].ravel()) - {-1, 5, 6, 8}) > 0, "below the root any action may be searched"


def test_what_does_not_fit_is_refused():
    chain, board = envs.make("diagnostic_chain"), privileged(envs.make("tic_tac_toe"))
    for env, change, words in (
        (chain, {"bins": 0}, "model.bins=0"),
        (chain, {"downsample": True}, "model.downsample"),
        (board, {"downsample": True}, "model.downsample"),
        (chain, {"policy": "conv"}, "model.policy=conv"),
        (envs.make("pendulum"), {}, "continuous actions"),
    ):
        with pytest.raises(ConfigError, match=words):
            make_networks(env, dataclasses.replace(SMALL, **change))
