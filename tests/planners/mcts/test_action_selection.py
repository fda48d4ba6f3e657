"""Scaled values and the policies from them against those of mctx; noise against its closed form."""

import functools
import math

import jax
import jax.numpy as jnp
import mctx
import numpy as np
import pytest

from imaginax.planners.mcts import action_selection as selection
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_tree_search
from imaginax.planners.mcts.tree import Node
from tests.planners.worlds import game_tree, game_tree_model

TREES, ACTIONS = 4000, 5
ILLEGAL = np.finfo(np.float32).min
SIBLINGS = SearchConfig(policy="gumbel", values="siblings", c_visit=50.0, c_scale=0.1)


def one_node(logits, visits, q, raw, value):
    """Trees [B] of one node, whose edges lead to nodes that are not stored; `q` is in their rewards."""
    edges = jnp.asarray(q)[:, None]
    return mctx.Tree(
        node_visits=1 + jnp.asarray(visits).sum(axis=-1, keepdims=True),
        raw_values=jnp.asarray(raw)[:, None],
        node_values=jnp.asarray(value)[:, None],
        parents=jnp.full((len(q), 1), -1),
        action_from_parent=jnp.full((len(q), 1), -1),
        children_index=jnp.full(edges.shape, -1),
        children_prior_logits=jnp.asarray(logits)[:, None],
        children_visits=jnp.asarray(visits)[:, None],
        children_rewards=edges,
        children_discounts=jnp.zeros(edges.shape),
        children_values=jnp.zeros(edges.shape),
        embeddings=Node(jnp.zeros((len(q), 1)), None),
        root_invalid_actions=jnp.asarray(logits <= ILLEGAL / 2),
        extra_data=selection.Extra(),
    )


def random_nodes(seed=0):
    """Every number of legal actions, of visited ones among them, and values near together or far apart."""
    rng = np.random.default_rng(seed)
    order = rng.random((TREES, ACTIONS)).argsort(axis=1)
    legal = order < rng.integers(1, ACTIONS + 1, (TREES, 1))
    seen = order < rng.integers(0, ACTIONS + 1, (TREES, 1))
    visits = np.where(legal & seen, rng.integers(1, 9, legal.shape), 0).astype(np.int32)
    logits = rng.normal(0.0, rng.choice([0.1, 2.0, 30.0], (TREES, 1)), legal.shape)
    around = rng.integers(0, 2, (TREES, 1))
    spread = 10 ** rng.uniform(np.where(around, -2, -9), 0)
    centre = around * rng.uniform(-1, 1, (TREES, 1))
    q, raw, value = (centre + spread * rng.uniform(-1, 1, (TREES, n)) for n in (ACTIONS, 1, 1))
    q, raw, value = (x.astype(np.float32) for x in (np.where(visits, q, 0.0), raw[:, 0], value[:, 0]))
    prior = selection.log_prior(jnp.where(legal, logits, ILLEGAL).astype(jnp.float32))
    cases = {(n, m) for n, m in zip(legal.sum(1), (visits > 0).sum(1), strict=True)}
    assert cases == {(n, m) for n in range(1, ACTIONS + 1) for m in range(n + 1)}
    return one_node(prior, visits, q, raw, value)


def over_nodes(function):
    return jax.jit(jax.vmap(functools.partial(function, node_index=jnp.int32(0))))


def test_the_improved_policy_is_that_of_mctx():
    """But where the values differ by little more than their last digits, which either rescales to [0, 1]."""
    tree = random_nodes()
    ours = over_nodes(lambda tree, node_index: selection.improved_policy(SIBLINGS, tree, node_index))
    completed = over_nodes(mctx.qtransform_completed_by_mix_value)(tree)
    theirs = jax.nn.softmax(tree.children_prior_logits[:, 0] + completed, axis=-1)
    plain = functools.partial(mctx.qtransform_completed_by_mix_value, rescale_values=False)
    values = over_nodes(plain)(tree)
    clear = (np.ptp(values, axis=1) > 1e-4 * np.abs(values).max(axis=1)) | (tree.node_visits[:, 0] == 1)
    assert clear.mean() > 0.9
    np.testing.assert_allclose(ours(tree)[clear], theirs[clear], atol=1e-3)


def test_two_legal_actions_of_four_that_are_both_visited():
    """The network's .507 is so far from both values that they count as nearly the same."""
    logits = np.array([[np.log(0.5), np.log(0.5), ILLEGAL, ILLEGAL]], np.float32)
    visits, q = np.array([[4, 4, 0, 0]], np.int32), np.array([[0.089, 0.091, 0, 0]], np.float32)
    tree = one_node(logits, visits, q, np.array([0.507], np.float32), np.array([0.13], np.float32))
    tree = jax.tree.map(lambda x: x[0], tree)
    policy = selection.improved_policy(SIBLINGS, tree, jnp.int32(0))
    mixed = (0.507 + 8 * 0.09) / 9  # what stands for the illegal ones: (raw + N average) / (1 + N)
    ratio = np.exp(5.4 * 0.002 / (mixed - 0.089))
    np.testing.assert_allclose(policy, [1 / (1 + ratio), ratio / (1 + ratio), 0, 0], atol=1e-4)


@pytest.mark.parametrize("c_init", [0.05, 1.25])
def test_puct_follows_the_action_that_mctx_does(c_init):
    """Where the two best scores are not within mctx's noise of each other; mctx tells illegal ones apart."""
    tree = random_nodes(1)
    config = SearchConfig(values="siblings", first_play="loss", c_init=c_init)
    ours = over_nodes(lambda tree, node_index: selection.puct(config, tree, node_index))(tree)
    select = functools.partial(mctx._src.action_selection.muzero_action_selection, pb_c_init=c_init)  # type: ignore[attr-defined]
    theirs = over_nodes(lambda tree, node_index: select(jax.random.key(0), tree, node_index, 0))(tree)
    assert np.mean(np.asarray(ours) == theirs) > 0.998


@pytest.mark.parametrize("simulations, width", [(6, 0), (24, 0), (6, 3)])
def test_a_gumbel_search_is_that_of_mctx(simulations, width):
    """Targets, visits and choices; three slots are enough where no position has four legal actions."""
    game, places = game_tree(5), jnp.arange(21)
    if width:
        fourth = (game.logits > ILLEGAL).cumsum(axis=1) == 4
        game = game._replace(logits=np.where(fourth, ILLEGAL, game.logits))
    model = game_tree_model(game)
    config = SearchConfig(
        policy="gumbel",
        values="siblings",
        simulations=simulations,
        c_scale=0.1,
        max_considered=3,
        width=width,
    )
    search = make_tree_search(model, config)
    found, _ = jax.jit(functools.partial(search.run, explore=False))((), places, (), jax.random.key(0))

    def recurrent(params, key, action, belief):
        belief, told = model.predict(params, belief, action, key)
        output = mctx.RecurrentFnOutput(
            reward=told.reward, discount=told.discount, prior_logits=told.policy, value=told.value
        )
        return output, belief

    judged = model.evaluate((), places, None)
    theirs = mctx.gumbel_muzero_policy(
        (),
        jax.random.key(0),
        mctx.RootFnOutput(prior_logits=judged.policy, value=judged.value, embedding=places),
        recurrent,
        simulations,
        invalid_actions=judged.policy <= ILLEGAL / 2,
        max_num_considered_actions=3,
        gumbel_scale=0.0,
    )
    np.testing.assert_array_equal(found.visits, theirs.search_tree.summary().visit_counts)
    np.testing.assert_array_equal(found.action, theirs.action)
    np.testing.assert_allclose(found.policy, theirs.action_weights, atol=2e-4)


# ------------------------------------------------------------------ noise


def expected_variation(legal, alpha, fraction=0.25):
    """Of a uniform prior on `legal` actions, in total variation.

    A coordinate of the noise is Beta(a, b) with a = alpha, b = (legal - 1) alpha, whose mean absolute
    deviation is 2 a^a b^b / (B(a, b) (a + b)^(a + b + 1)).
    """
    a, b = alpha, (legal - 1) * alpha
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    deviation = 2 * math.exp(a * math.log(a) + b * math.log(b) - log_beta - (a + b + 1) * math.log(a + b))
    return fraction * legal * deviation / 2


def mixtures(actions, legal, alpha, rows, seed=0):
    allowed = jnp.zeros(actions, bool).at[jnp.arange(legal) * (actions // legal)].set(True)
    prior = jnp.where(allowed, -jnp.log(legal), ILLEGAL)
    rows_of = jnp.broadcast_to(prior, (rows, actions)), jnp.broadcast_to(allowed, (rows, actions))
    mixed = selection.dirichlet_mixture(jax.random.key(seed), *rows_of, fraction=0.25, alpha=alpha)
    return np.asarray(mixed), np.asarray(allowed)


@pytest.mark.parametrize(
    "actions, legal, alpha, published",
    [(4672, 30, 0.3, 0.1414), (2187, 80, 0.15, 0.1727), (362, 250, 0.03, 0.222), (7, 7, 1.0, 0.084)],
    ids=["chess", "shogi", "go", "connect four"],
)
def test_noise_moves_the_prior_as_far_as_it_should_however_few_actions_are_legal(
    actions, legal, alpha, published
):
    np.testing.assert_allclose(expected_variation(legal, alpha), published, atol=1e-3)
    log_prior, allowed = mixtures(actions, legal, alpha, rows=200)
    mixed = np.exp(log_prior)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0, atol=1e-5)
    assert (log_prior[:, ~allowed] == ILLEGAL).all()
    moved = np.abs(mixed - allowed / legal).sum(axis=1) / 2
    np.testing.assert_allclose(moved.mean(), expected_variation(legal, alpha), rtol=0.04)


def test_the_concentration_follows_the_number_of_legal_actions():
    """With alpha 0 two rows of 10 and 40 legal actions have the noise of alpha 1 and 0.25."""
    legal = jnp.arange(50) < jnp.where(jnp.arange(4000) % 2, 40, 10)[:, None]
    prior = jnp.where(legal, -jnp.log(legal.sum(1, keepdims=True)), ILLEGAL)
    mixed = np.exp(selection.dirichlet_mixture(jax.random.key(1), prior, legal, fraction=0.25, alpha=0.0))
    moved = np.abs(mixed - np.exp(prior)).sum(axis=1) / 2
    np.testing.assert_allclose(moved[::2].mean(), expected_variation(10, 1.0), rtol=0.03)
    np.testing.assert_allclose(moved[1::2].mean(), expected_variation(40, 0.25), rtol=0.03)


def test_a_tiny_concentration_gives_finite_noise_and_a_single_legal_action_stays_certain():
    log_prior, allowed = mixtures(100, 50, 1e-3, rows=500)
    assert np.isfinite(log_prior).all()
    np.testing.assert_allclose(np.exp(log_prior).sum(axis=1), 1.0, atol=1e-5)
    log_prior, allowed = mixtures(100, 1, 0.3, rows=2)
    np.testing.assert_allclose(log_prior[:, allowed], 0.0, atol=1e-6)


def test_a_fraction_of_zero_changes_nothing():
    prior = jax.nn.log_softmax(jnp.array([[0.0, 1.0, 2.0]]))
    legal = jnp.ones((1, 3), bool)
    mixed = selection.dirichlet_mixture(jax.random.key(0), prior, legal, fraction=0.0, alpha=0.3)
    np.testing.assert_allclose(mixed, prior, atol=1e-6)
