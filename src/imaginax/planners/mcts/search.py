"""Monte Carlo tree search in a world model, on the trees of mctx.

    search    repeats, `config.simulations` times in every tree of a batch:
    simulate  from the root along selected actions to an edge that was never followed
    expand    the model predicts where that edge leads; a node is added
    backward  its value is averaged into every node from there to the root

It does what `mctx.search` does, and tests hold the two equal. That one maps loops over the batch, for which
XLA copies whole trees at each edge of each path; here the paths of all trees are walked side by side, and
only what changes is written.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imaginax.planners.mcts import action_selection
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.tree import (
    ROOT,
    UNVISITED,
    Node,
    ReusedTree,
    Root,
    Tree,
    action_of,
    merge,
    new_tree,
)
from imaginax.types import Belief, Evaluation, Params, WorldModel


class Path(NamedTuple):
    """The ends of paths from the roots, all of the same length as long as they go on.

    Attributes:
        node: node before the last edge.
        slot: slot of the last edge.
        child: node after it, or `UNVISITED`.
        going: whether the path goes on.
        depth: edges so far.
    """

    node: Int[Array, "B"]
    slot: Int[Array, "B"]
    child: Int[Array, "B"]
    going: Bool[Array, "B"]
    depth: Int[Array, ""]


def search(
    model: WorldModel,
    config: SearchConfig,
    params: Params,
    root: Root,
    key: Array,
    *,
    extra: action_selection.Extra,
    reused: ReusedTree | None = None,
) -> ReusedTree:
    """The trees after `config.simulations` simulations.

    Args:
        model: predicts reward, discount, value and policy.
        config: how to search.
        params: the model's parameters.
        root: where the search begins.
        key: consumed.
        extra: what the selection of actions needs besides the tree.
        reused: trees of these roots in which the search goes on, where there are any.
    """
    tree, count = new_tree(root, config.nodes), jnp.ones(root.value.shape, jnp.int32)
    if reused is not None:
        tree, count = merge(reused, tree), jnp.maximum(reused.count, 1)

    def simulation(_, carry):
        tree, count, key = carry
        key, key_expand = jax.random.split(key)
        path = simulate(config, tree)
        new = path.child == UNVISITED
        leaf = jnp.where(new, count, path.child)
        tree = expand(model, config, params, tree, path, leaf, key_expand)
        return _with_range(config, backward(tree, leaf)), count + new, key

    tree = _with_range(config, tree.replace(extra_data=extra))
    tree, count, _ = jax.lax.fori_loop(0, config.simulations, simulation, (tree, count, key))
    return ReusedTree(tree, count)


@jax.named_scope("simulate")
def simulate(config: SearchConfig, tree: Tree) -> Path:
    """To the first edge that was never followed, or as far as `config.max_depth` edges."""
    at_root = functools.partial(action_selection.selector(config, root=True), config)
    interior = functools.partial(action_selection.selector(config, root=False), config)
    rows = jnp.arange(tree.parents.shape[0])

    def follow(path: Path, select: action_selection.Select) -> Path:
        node = jnp.where(path.going, path.child, path.node)
        slot = jnp.where(path.going, jax.vmap(select)(tree, node), path.slot)
        child = tree.children_index[rows, node, slot]
        depth = path.depth + 1
        too_deep = (config.max_depth > 0) & (depth >= config.max_depth)
        return Path(node, slot, child, path.going & (child != UNVISITED) & ~too_deep, depth)

    root = jnp.full(rows.shape, ROOT, jnp.int32)
    start = Path(root, root, root, rows >= 0, jnp.int32(0))
    return jax.lax.while_loop(
        lambda path: path.going.any(), lambda path: follow(path, interior), follow(start, at_root)
    )


@jax.named_scope("expand")
def expand(
    model: WorldModel,
    config: SearchConfig,
    params: Params,
    tree: Tree,
    path: Path,
    leaf: Int[Array, "B"],
    key: Array,
) -> Tree:
    """Adds the nodes `leaf` at the ends of the paths; one that is there already is predicted again."""
    rows = jnp.arange(len(leaf))
    parent = jax.tree.map(lambda x: x[rows, path.node], tree.embeddings)
    action = action_of(parent, path.slot)
    belief, predicted = model.predict(params, parent.belief, action, key)
    reward, discount, value = (jnp.asarray(x, jnp.float32) for x in predicted[:3])
    if config.discount != 1:
        discount = config.discount * discount
    actions, logits = widest(config, jnp.asarray(predicted.policy))
    edge, node = (rows, path.node, path.slot), (rows, leaf)
    return tree.replace(
        children_index=tree.children_index.at[edge].set(leaf),
        children_rewards=tree.children_rewards.at[edge].set(reward),
        children_discounts=tree.children_discounts.at[edge].set(discount),
        parents=tree.parents.at[node].set(path.node),
        action_from_parent=tree.action_from_parent.at[node].set(path.slot),
        children_prior_logits=tree.children_prior_logits.at[node].set(action_selection.log_prior(logits)),
        raw_values=tree.raw_values.at[node].set(value),
        node_values=tree.node_values.at[node].set(value),
        node_visits=tree.node_visits.at[node].add(1),
        embeddings=jax.tree.map(lambda x, new: x.at[node].set(new), tree.embeddings, Node(belief, actions)),
    )


@jax.named_scope("backward")
def backward(tree: Tree, leaf: Int[Array, "B"]) -> Tree:
    """Counts the visit and averages reward + discount * value into every node from the leaf to the root."""
    rows = jnp.arange(len(leaf))

    def up(carry):
        tree, node, mean, value = carry  # the mean of `node`, and the value that is backed up to it
        going = node != ROOT
        parent = jnp.where(going, tree.parents[rows, node], ROOT)
        slot = jnp.where(going, tree.action_from_parent[rows, node], 0)
        edge = (rows, parent, slot)
        visits, old = tree.node_visits[rows, parent], tree.node_values[rows, parent]
        value = tree.children_rewards[edge] + tree.children_discounts[edge] * value
        of_parent = jnp.where(going, (old * visits + value) / (visits + 1), old)
        of_edge = jnp.where(going, mean, tree.children_values[edge])
        tree = tree.replace(
            children_values=tree.children_values.at[edge].set(of_edge),
            children_visits=tree.children_visits.at[edge].add(going),
            node_values=tree.node_values.at[rows, parent].set(of_parent),
            node_visits=tree.node_visits.at[rows, parent].set(visits + going),
        )
        return tree, parent, of_parent, value

    value = tree.node_values[rows, leaf]
    return jax.lax.while_loop(lambda carry: (carry[1] != ROOT).any(), up, (tree, leaf, value, value))[0]


def root_of(
    config: SearchConfig,
    belief: Belief,
    evaluation: Evaluation,
    legal: Bool[Array, "B A"] | None = None,
    reused: ReusedTree | None = None,
) -> Root:
    """The root without noise; where a tree is reused its slots stay as they are."""
    logits = evaluation.policy
    if legal is not None:
        logits = jnp.where(legal, logits, jnp.finfo(logits.dtype).min)
    actions, narrow = widest(config, logits)
    if actions is not None and reused is not None:
        actions = jnp.where(reused.count[:, None] > 0, reused.tree.embeddings.actions[:, ROOT], actions)
        narrow = jnp.take_along_axis(logits, actions, axis=-1)
    value = evaluation.value.astype(jnp.float32)
    return Root(action_selection.log_prior(narrow), value, Node(belief, actions))


def widest(
    config: SearchConfig, logits: Float[Array, "B A"]
) -> tuple[Int[Array, "B K"] | None, Float[Array, "B K"]]:
    """The `config.width` actions of the highest logits, and these; None and all logits for all actions."""
    if not 0 < config.width < logits.shape[-1]:
        return None, logits
    logits, actions = jax.lax.top_k(logits, config.width)
    return actions, logits


def _with_range(config: SearchConfig, tree: Tree) -> Tree:
    """The tree with the range of its values, where the selection of actions needs it."""
    if config.values != "tree":
        return tree
    low, high = action_selection.range_of_values(tree)
    return tree.replace(extra_data=tree.extra_data._replace(low=low, high=high))
