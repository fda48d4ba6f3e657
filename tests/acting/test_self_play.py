"""Self-play opens games at random where it is told to and leaves the rest to the search, also alone."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from imaginax import envs
from imaginax.acting.self_play import make_self_play
from imaginax.data.self_play import Packing, recorder, sample, self_play_replay
from imaginax.envs import diagnostics
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.models.rules import guided_rules
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_tree_search
from imaginax.types import Capabilities, Evaluation, Prediction, WorldModel

GAMES, MOST, PLIES = 512, 3, 12
FAVOURITE = jnp.asarray([2, 0, 1, 3, 4, 5, 6, 7, 8])  # the order in which the network likes moves


@pytest.fixture(scope="module")
def played():
    """Moves [T, N] and whether each began a game, of a network that always wants the same."""
    env = privileged(envs.make("tic_tac_toe"))
    logits = jnp.zeros(9).at[FAVOURITE].set(-40.0 * jnp.arange(9))

    def judge(params, planes):
        return jnp.broadcast_to(logits, (len(planes), 9)), jnp.zeros(len(planes))

    search = SearchConfig("puct", simulations=2, dirichlet_fraction=0.0)
    model = guided_rules(env, lambda key: (), judge)
    self_play = make_self_play(model, search, env, sampled_plies=0, opening_plies=MOST)
    vector = training_environment(env, GAMES)

    def step(carry, key):
        state, timestep, memory = carry
        key_act, key_env = jax.random.split(key)
        memory, action, extras = self_play.act((), memory, timestep, key_act)
        before = timestep
        state, timestep = vector.step(state, action, key_env)
        return (state, timestep, memory), (action, before.legal, before.first, memory.opening)

    @jax.jit
    def run(key):
        key_env, key_steps = jax.random.split(key)
        carry = (*vector.init(key_env), self_play.init(GAMES))
        return jax.lax.scan(step, carry, jax.random.split(key_steps, PLIES))[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def test_openings_are_random_and_the_rest_is_the_search(played):
    action, legal, first, opening = played
    assert first[0].all()
    ply = np.zeros(GAMES, int)
    strays = np.zeros(MOST + 1)
    for t in range(PLIES):
        ply = np.where(first[t], 0, ply)
        wanted = np.argmax(legal[t][:, np.asarray(FAVOURITE)], axis=1)
        wanted = np.asarray(FAVOURITE)[wanted]
        at_random = ply < opening[t]
        assert (action[t] == wanted)[~at_random].all()
        assert np.take_along_axis(legal[t], action[t][:, None], 1).all()
        if t == 0:
            strays = np.bincount(action[t][at_random], minlength=9)
        ply += 1
    # A chi-squared statistic with 8 degrees of freedom exceeds 26 once in a thousand times.
    expected = strays.sum() / 9
    assert ((strays - expected) ** 2 / expected).sum() < 26


def test_lengths_of_openings_are_uniform_and_new_for_every_game(played):
    _, _, first, opening = played
    counts = np.bincount(opening[first], minlength=MOST + 1)
    expected = counts.sum() / (MOST + 1)
    assert ((counts - expected) ** 2 / expected).sum() < 16  # 3 degrees of freedom, once in a thousand times
    assert (opening[1:] == opening[:-1])[~first[1:]].all()


# ------------------------------------------------------ one player, with the rules and with a learned model

DISCOUNT = 0.97
SIZE = diagnostics.CHAIN_LENGTH  # positions; position SIZE stands for both ends beyond
ALONE, ALONE_STEPS = 8, 40


class Table(NamedTuple):
    """A model of the chain as tables over positions."""

    following: Array  # [SIZE + 1, 2]
    reward: Array  # [SIZE + 1, 2]
    discount: Array  # [SIZE + 1, 2]
    value: Array  # [SIZE + 1]
    logits: Array  # [SIZE + 1, 2]


def encode(params, observation, key):
    """One-hot positions as numbers; zeros, what is seen beyond an end, as the last."""
    return jnp.where(observation.any(-1), observation.argmax(-1), SIZE).astype(jnp.int32)


def table_model() -> WorldModel:
    """Predicts what the table says."""

    def evaluate(params, belief, key):
        return Evaluation(params.value[belief], params.logits[belief])

    def predict(params, belief, action, key):
        after = params.following[belief, action]
        reward, discount = params.reward[belief, action], params.discount[belief, action]
        return after, Prediction(reward, discount, *evaluate(params, after, key))

    def observe(params, belief, action, observation, key):
        return encode(params, observation, key)

    def nothing(*arguments):
        raise NotImplementedError("the table is fitted before")

    can = Capabilities(discrete=True, value=True, policy=True)
    return WorldModel(nothing, encode, observe, predict, nothing, nothing, can, evaluate)


@pytest.fixture(scope="module")
def chain():
    return envs.make("diagnostic_chain", max_steps=20)


@pytest.fixture(scope="module")
def fitted(chain) -> Table:
    """The table from 400 random steps, with value 0 and a uniform policy."""
    vector = training_environment(chain, 1)

    def step(carry, key):
        state, before = carry
        action = jax.random.bernoulli(key, 0.6, (1,)).astype(jnp.int32)
        state, after = vector.step(state, action, key)
        seen = encode(None, before.observation, None), encode(None, after.final_observation, None)
        return (state, after), (*seen, action, after.reward, after.discount)

    start = vector.init(jax.random.key(0))
    steps = jax.lax.scan(step, start, jax.random.split(jax.random.key(1), 400))[1]
    here, there, action, reward, discount = (np.asarray(x)[:, 0] for x in steps)
    table = np.zeros((3, SIZE + 1, 2), np.float32)
    table[:, here, action] = there, reward, discount
    assert (table[1, :SIZE] != 0).all()  # every step was seen, and all of them cost something
    known = jnp.asarray(table[0], jnp.int32), jnp.asarray(table[1]), jnp.asarray(table[2])
    return Table(*known, jnp.zeros(SIZE + 1), jnp.zeros((SIZE + 1, 2)))


def alone(model, params, env, config):
    """Steps [T, N] of a searching player, as replay stores them, and the ring after them."""
    self_play = make_self_play(model, config, env, sampled_plies=4, opening_plies=2)
    vector, record = training_environment(env, ALONE), recorder(env)
    replay = self_play_replay(env, 2 * env.spec.max_steps, ALONE)

    def step(carry, key):
        state, timestep, memory, kept = carry
        key_act, key_env = jax.random.split(key)
        memory, action, extras = self_play.act(params, memory, timestep, key_act)
        state, following = vector.step(state, action, key_env)
        item = record(timestep, action, following, extras)
        return (state, following, memory, replay.add(kept, item)), item

    @jax.jit
    def run(key):
        key_env, key_steps = jax.random.split(key)
        carry = (*vector.init(key_env), self_play.init(ALONE), replay.init())
        carry, items = jax.lax.scan(step, carry, jax.random.split(key_steps, ALONE_STEPS))
        return items, replay.data(carry[-1])

    return run(jax.random.key(2))


def returns_by_hand(items):
    """Discounted return of every step [T, N]; nan in episodes that have not ended."""
    found, after = np.full(items.reward.shape, np.nan), np.full(ALONE, np.nan)
    for t in reversed(range(ALONE_STEPS)):
        after = items.reward[t] + DISCOUNT * np.where(items.last[t], 0.0, after)
        found[t] = after
    return found


def test_one_player_searches_a_model_that_was_learned_as_it_searches_the_rules(chain, fitted):
    """The same steps from both; targets are discounted returns, bootstrapped ones those of the search."""
    config = SearchConfig("puct", simulations=16, values="siblings", discount=DISCOUNT, max_depth=12)
    learned = alone(table_model(), fitted, chain, config)

    def blind(params, seen):
        return jnp.zeros((len(seen), 2)), jnp.zeros(len(seen))

    rules_of = privileged(chain)
    model = guided_rules(rules_of, lambda key: (), blind, inputs=lambda state: state.steps[None])
    items, _ = jax.tree.map(np.asarray, alone(model, (), rules_of, config))
    kept = items._asdict() | {"observation": items.observation.inner.position}
    for name, value in jax.tree.map(np.asarray, learned[0])._asdict().items():
        if name == "observation":
            value = np.asarray(encode(None, jnp.asarray(value), None))
        np.testing.assert_allclose(kept[name], value, atol=1e-5, err_msg=name)

    truth = returns_by_hand(items)
    position = items.observation.inner.position
    draw = functools.partial(
        sample, learned[1], Packing().unpack, each=64, longest=20, window=100, discount=DISCOUNT
    )
    batch = jax.tree.map(np.asarray, jax.jit(draw)(jax.random.key(0)))
    assert batch.valid.all() and batch.has_value.any()
    ended = ~np.isnan(truth)
    pairs = {(int(p), round(float(z), 4)) for p, z in zip(position[ended], truth[ended], strict=True)}
    seen = np.asarray(encode(None, jnp.asarray(batch.observation), None))
    for place, value, known in zip(seen, batch.value, batch.has_value, strict=True):
        assert not known or (int(place), round(float(value), 4)) in pairs


@pytest.mark.parametrize("policy", ["puct", "gumbel"])
def test_values_and_policies_that_learn_from_the_search_reach_the_discounted_optimum(fitted, policy):
    """That of value iteration: the far exit, which a search without values misses beside the nearer one."""
    table, model = fitted, table_model()
    optimum = np.zeros(SIZE + 1)
    for _ in range(100):
        q = table.reward + DISCOUNT * table.discount * optimum[table.following]
        optimum = np.asarray(q.max(axis=1)) * (np.arange(SIZE + 1) < SIZE)
    config = SearchConfig(policy, simulations=32, values="tree", discount=DISCOUNT)
    search, everywhere = make_tree_search(model, config), jnp.arange(SIZE, dtype=jnp.int32)
    run = jax.jit(functools.partial(search.run, explore=True))
    actions = []
    for iteration in range(12):
        found, _ = run(table, everywhere, (), jax.random.key(iteration), None)
        best = jnp.take_along_axis(found.q, found.action[:, None], axis=1)[:, 0]
        logits = jnp.log(found.policy + 1e-3)
        table = table._replace(
            value=table.value.at[:SIZE].set(best), logits=table.logits.at[:SIZE].set(logits)
        )
        actions.append(np.asarray(found.action))
    wanted = np.asarray(q).argmax(axis=1)[:SIZE]
    assert (actions[0] != wanted).any()
    np.testing.assert_array_equal(actions[-1], wanted)
    np.testing.assert_allclose(table.value, optimum, atol=0.08)
