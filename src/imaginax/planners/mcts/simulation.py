"""One simulation in every tree of a batch: select, expand and evaluate, back up.

It does what the loop of `mctx.search` does, on the same trees, and tests hold the two equal. That one maps
loops over the batch, for which XLA copies whole trees at each edge of each path; here the paths of all
trees are walked side by side, and only what changes is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mctx
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.planners.mcts.subtree import ROOT, Tree

Select = Callable[[Tree, Array], Array]  # of one tree: (tree, node) -> slot


class Step(NamedTuple):
    """What a model says of one step from each of B nodes to the next; the last is stored in the tree."""

    reward: Float[Array, "B"]
    discount: Float[Array, "B"]
    value: Float[Array, "B"]
    log_prior: Float[Array, "B K"]
    embedding: PyTree


class Walk(NamedTuple):
    """Paths from the roots, all of the same length as long as they go on."""

    node: Int[Array, "B"]
    slot: Int[Array, "B"]
    child: Int[Array, "B"]
    going: Bool[Array, "B"]
    depth: Int[Array, ""]


def simulate(
    tree: Tree,
    count: Int[Array, "B"],
    key: Array,
    *,
    at_root: Select,
    below: Select,
    expand: Callable[[PyTree, Array, Array], Step],
    max_depth: int,
) -> tuple[Tree, Int[Array, "B"]]:
    """One more simulation.

    Args:
        tree: trees with room for one more node.
        count: nodes in use.
        key: consumed.
        at_root: which slot is followed from the root.
        below: which from any other node.
        expand: (embeddings, slots [B], key) -> the step that they lead to.
        max_depth: edges of the longest path; 0 for no limit.

    Returns:
        The trees and the nodes in use. A path that ends at a known node, for its length, adds none.
    """
    path = _descend(tree, at_root, below, max_depth)
    new = path.child == mctx.Tree.UNVISITED
    leaf = jnp.where(new, count, path.child)
    rows = jnp.arange(len(leaf))
    with jax.named_scope("expand"):
        step = expand(jax.tree.map(lambda x: x[rows, path.node], tree.embeddings), path.slot, key)
    return _back_up(_add(tree, path, leaf, step), leaf), count + new


@jax.named_scope("select")
def _descend(tree: Tree, at_root: Select, below: Select, max_depth: int) -> Walk:
    """To the first edge that was never followed, or as far as `max_depth` edges."""
    rows = jnp.arange(tree.parents.shape[0])

    def follow(walk: Walk, select: Select) -> Walk:
        node = jnp.where(walk.going, walk.child, walk.node)
        slot = jnp.where(walk.going, jax.vmap(select)(tree, node), walk.slot)
        child = tree.children_index[rows, node, slot]
        depth = walk.depth + 1
        going = walk.going & (child != mctx.Tree.UNVISITED) & ((max_depth == 0) | (depth < max_depth))
        return Walk(node, slot, child, going, depth)

    root = jnp.full(rows.shape, ROOT, jnp.int32)
    start = Walk(root, root, root, rows >= 0, jnp.int32(0))
    return jax.lax.while_loop(
        lambda walk: walk.going.any(), lambda walk: follow(walk, below), follow(start, at_root)
    )


@jax.named_scope("grow")
def _add(tree: Tree, path: Walk, leaf: Int[Array, "B"], step: Step) -> Tree:
    """The new nodes and the edges to them; a known node is evaluated again."""
    rows = jnp.arange(len(leaf))
    edge, node = (rows, path.node, path.slot), (rows, leaf)
    return tree.replace(
        children_index=tree.children_index.at[edge].set(leaf),
        children_rewards=tree.children_rewards.at[edge].set(step.reward),
        children_discounts=tree.children_discounts.at[edge].set(step.discount),
        parents=tree.parents.at[node].set(path.node),
        action_from_parent=tree.action_from_parent.at[node].set(path.slot),
        children_prior_logits=tree.children_prior_logits.at[node].set(step.log_prior),
        raw_values=tree.raw_values.at[node].set(step.value),
        node_values=tree.node_values.at[node].set(step.value),
        node_visits=tree.node_visits.at[node].add(1),
        embeddings=jax.tree.map(lambda x, new: x.at[node].set(new), tree.embeddings, step.embedding),
    )


@jax.named_scope("back_up")
def _back_up(tree: Tree, leaf: Int[Array, "B"]) -> Tree:
    """Counts the visit and averages reward + discount x value into every node from the leaf to the root."""
    rows = jnp.arange(len(leaf))

    def up(carry):
        tree, node, mean, value = carry  # the mean of `node`, and what is backed up to it
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
