"""The simulations against those of mctx, and by hand."""

import functools

import jax
import jax.numpy as jnp
import mctx
import numpy as np
import pytest

from imaginax.planners.mcts import action_selection as selection
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_tree_search
from imaginax.planners.mcts.search import backward, expand, simulate
from imaginax.planners.mcts.tree import UNVISITED, Node
from imaginax.types import Prediction
from tests.planners.worlds import game_tree, game_tree_env, game_tree_model, world

GAME = game_tree(3, branching=3, depth=6)
MODEL = game_tree_model(GAME)
PLACES = jnp.array([0, 1, 2, 3, 4, 11])


def test_a_search_is_that_of_mctx():
    """The same trees, node by node, from the same selection."""
    config = SearchConfig(simulations=60, reuse=True, capacity=61)
    search = make_tree_search(MODEL, config, game_tree_env(GAME))
    found, kept = jax.jit(functools.partial(search.run, explore=False))(
        (), PLACES, search.init(len(PLACES)), jax.random.key(0)
    )

    def recurrent(params, key, action, belief):
        belief, told = MODEL.predict(params, belief, action, key)
        logits = selection.log_prior(told.policy)
        output = mctx.RecurrentFnOutput(
            reward=told.reward, discount=told.discount, prior_logits=logits, value=told.value
        )
        return output, belief

    judged = MODEL.evaluate((), PLACES, None)
    prior = selection.log_prior(judged.policy)
    tree = mctx.search(
        (),
        jax.random.key(0),
        root=mctx.RootFnOutput(prior_logits=prior, value=judged.value, embedding=PLACES),
        recurrent_fn=recurrent,
        root_action_selection_fn=lambda key, tree, node: selection.puct(config, tree, node),
        interior_action_selection_fn=lambda key, tree, node, depth: selection.puct(config, tree, node),
        num_simulations=60,
    )
    np.testing.assert_array_equal(kept.tree.embeddings.belief, tree.embeddings)
    for name in ("node_visits", "children_visits", "children_index", "parents", "action_from_parent"):
        np.testing.assert_array_equal(getattr(kept.tree, name), getattr(tree, name))
    for name in ("node_values", "raw_values", "children_values", "children_rewards", "children_discounts"):
        np.testing.assert_allclose(getattr(kept.tree, name), getattr(tree, name), atol=1e-6)
    np.testing.assert_array_equal(found.visits, tree.summary().visit_counts)


def hand_made():
    """Root (value .2) with two actions; the first led to node 1 (value -.5), the second is not visited."""
    return mctx.Tree(
        node_visits=jnp.array([[2, 1, 0]]),
        raw_values=jnp.array([[0.2, -0.5, 0.0]]),
        node_values=jnp.array([[0.35, -0.5, 0.0]]),
        parents=jnp.array([[-1, 0, -1]]),
        action_from_parent=jnp.array([[-1, 0, -1]]),
        children_index=jnp.array([[[1, -1], [-1, -1], [-1, -1]]]),
        children_prior_logits=jnp.log(jnp.array([[[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]])),
        children_visits=jnp.array([[[1, 0], [0, 0], [0, 0]]]),
        children_rewards=jnp.zeros((1, 3, 2)),
        children_discounts=jnp.array([[[-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]),
        children_values=jnp.array([[[-0.5, 0.0], [0.0, 0.0], [0.0, 0.0]]]),
        embeddings=Node(jnp.array([[10, 11, 0]]), None),
        root_invalid_actions=(),
        extra_data=(),
    )


def one_more(config, tree, predicted):
    """One simulation where two nodes are in use, and the path that it took."""

    def predict(params, belief, action, key):
        return 100 * belief + action, predicted

    model = world(None)._replace(predict=predict)
    path = simulate(config, tree)
    leaf = jnp.where(path.child == UNVISITED, 2, path.child)
    return backward(expand(model, config, (), tree, path, leaf, jax.random.key(0)), leaf), path


LOSS = Prediction(jnp.zeros(1), -jnp.ones(1), jnp.array([0.8]), jnp.log(jnp.array([[0.5, 0.5]])))
END = LOSS._replace(reward=jnp.ones(1), discount=jnp.zeros(1))


def test_a_value_changes_its_sign_at_every_edge_on_its_way_up():
    """Scores at the root: .75 + 1 x .9 sqrt(2) / 2 = 1.39 and .5 + .1 sqrt(2) = .64; then slot 0 of node 1.

    The leaf's .8 for its mover is -.8 at node 1: (-.5 - .8) / 2 = -.65, and .8 at the root: (.7 + .8) / 3.
    """
    tree, path = one_more(SearchConfig(c_puct=1.0), hand_made(), LOSS)
    assert (path.node, path.slot, path.child) == (1, 0, UNVISITED)
    assert tree.embeddings.belief[0, 2] == 1100 and tree.parents[0, 2] == 1
    np.testing.assert_allclose(tree.node_values[0], [0.5, -0.65, 0.8], atol=1e-6)
    np.testing.assert_array_equal(tree.node_visits[0], [3, 2, 1])
    np.testing.assert_allclose(tree.children_values[0, :2, 0], [-0.65, 0.8], atol=1e-6)
    np.testing.assert_array_equal(tree.children_visits[0], [[2, 0], [1, 0], [0, 0]])


def test_at_the_end_of_the_game_only_the_reward_counts():
    """The mover at node 1 wins: (-.5 + 1) / 2 there, and (.7 - 1) / 3 at the root."""
    tree, _ = one_more(SearchConfig(c_puct=1.0), hand_made(), END)
    np.testing.assert_allclose(tree.node_values[0], [-0.1, 0.25, 0.8], atol=1e-6)


def test_a_path_of_the_greatest_length_adds_no_node():
    tree, path = one_more(SearchConfig(c_puct=1.0, max_depth=1), hand_made(), LOSS)
    assert (path.node, path.slot, path.child) == (0, 0, 1) and tree.node_visits[0, 2] == 0
    np.testing.assert_array_equal(tree.node_visits[0], [3, 2, 0])


def test_the_discount_of_the_search_multiplies_that_of_the_model():
    """Of the leaf's .8, -.4 at node 1 with half the discount: (-.5 - .4) / 2; the edge above has its -1."""
    tree, _ = one_more(SearchConfig(c_puct=1.0, discount=0.5), hand_made(), LOSS)
    np.testing.assert_allclose(tree.children_discounts[0, 1], [-0.5, 0.0])
    np.testing.assert_allclose(tree.node_values[0], [(0.7 + 0.4) / 3, -0.45, 0.8], atol=1e-6)


@pytest.mark.parametrize(
    "settings, slot",
    [
        # .75 + .9 c sqrt(2) / 2 against q + .1 c sqrt(2): equal at c = (q - .75) / -.495
        ({"c_puct": 1.0}, 0),
        ({"c_puct": 0.0, "c_init": 0.0, "c_base": 19652.0, "first_play": "draw"}, 0),
        # against the swapped prior, .1 c sqrt(2) / 2 and .9 c sqrt(2): draw from c = .2076 on
        ({"c_puct": 0.20, "swapped": True}, 0),
        ({"c_puct": 0.22, "swapped": True}, 1),
        # a loss from .6230 on; the parent, (.35 + 1) / 2 = .675, from .0623 on
        ({"c_puct": 0.62, "swapped": True, "first_play": "loss"}, 0),
        ({"c_puct": 0.63, "swapped": True, "first_play": "loss"}, 1),
        ({"c_puct": 0.062, "swapped": True, "first_play": "parent"}, 0),
        ({"c_puct": 0.063, "swapped": True, "first_play": "parent"}, 1),
        # c(s) = log((1 + 2 + c_base) / c_base) + c_init: log(1 + 3 / 13) = .2076 between bases 12 and 14
        ({"c_init": 0.0, "c_base": 14.0, "swapped": True}, 0),
        ({"c_init": 0.0, "c_base": 12.0, "swapped": True}, 1),
        ({"c_init": 0.1, "c_base": 14.0, "swapped": True}, 1),
    ],
)
def test_scores_by_hand(settings, slot):
    swapped = settings.pop("swapped", False)
    tree = jax.tree.map(lambda x: x[0], hand_made())
    if swapped:
        tree = tree.replace(children_prior_logits=tree.children_prior_logits[:, ::-1])
    assert selection.puct(SearchConfig(**settings), tree, jnp.int32(0)) == slot
