"""The search tree: mctx's arrays, how actions are laid out in them, and what outlives a decision.

A slot is a column of the tree's arrays: an action, or one of a node's `SearchConfig.width` best ones. Nodes
are in the order of their creation, so that a parent comes before its children. Between decisions the part
of the tree below the move stays, and the next search goes on in it (Silver et al. 2017, Methods, "Play").
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
from jaxtyping import Array, Bool, Float, Int

from imaginax.types import Belief

Tree = Any  # mctx.Tree, whose fields have wider types than type checkers can follow

ROOT = mctx.Tree.ROOT_INDEX
UNVISITED = mctx.Tree.UNVISITED
NO_PARENT = mctx.Tree.NO_PARENT
LINE = 16  # actions of a principal variation


class Node(NamedTuple):
    """What the tree stores of a position, besides statistics.

    Attributes:
        belief: the model's belief.
        actions: searched actions by slot; None where all actions are searched.
    """

    belief: Belief
    actions: Int[Array, "*B K"] | None


class Root(NamedTuple):
    """Where a search begins.

    Attributes:
        log_prior: log probabilities of the prior; the lowest finite number for illegal actions.
        value: value that the model predicts.
        node: node that the tree stores.
    """

    log_prior: Float[Array, "B K"]
    value: Float[Array, "B"]
    node: Node


class ReusedTree(NamedTuple):
    """Trees [B, nodes, ...] between decisions.

    Attributes:
        tree: statistics, without `extra_data`, which belongs to a single search.
        count: nodes in use; 0 where there is nothing to reuse.
    """

    tree: Tree
    count: Int[Array, "B"]


def new_tree(root: Root, nodes: int) -> Tree:
    """Trees with room for `nodes` that have a root and nothing else."""
    batch, slots = root.log_prior.shape

    def filled(value: int, dtype: Any, *shape: int) -> Array:
        return jnp.full((batch, nodes, *shape), value, dtype)

    def at_root(value: Array) -> Array:
        return filled(0, value.dtype, *value.shape[1:]).at[:, ROOT].set(value)

    make: Any = mctx.Tree  # its fields come from a decorator that type checkers do not know
    return make(
        node_visits=at_root(jnp.ones(batch, jnp.int32)),
        raw_values=at_root(root.value),
        node_values=at_root(root.value),
        parents=filled(NO_PARENT, jnp.int32),
        action_from_parent=filled(NO_PARENT, jnp.int32),
        children_index=filled(UNVISITED, jnp.int32, slots),
        children_prior_logits=at_root(root.log_prior),
        children_visits=filled(0, jnp.int32, slots),
        children_rewards=filled(0, jnp.float32, slots),
        children_discounts=filled(0, jnp.float32, slots),
        children_values=filled(0, jnp.float32, slots),
        embeddings=jax.tree.map(at_root, root.node),
        root_invalid_actions=(),  # the prior says so, at every node
        extra_data=(),
    )


# ------------------------------------------------------------------ actions and slots


def action_of(node: Node, slot: Int[Array, "*B"]) -> Int[Array, "*B"]:
    """The action of a slot."""
    if node.actions is None:
        return slot
    return jnp.take_along_axis(node.actions, slot[..., None], axis=-1)[..., 0]


def over_actions(node: Node, values: Array, num_actions: int, fill: float | int) -> Array:
    """Values of slots [B, K] as values of actions [B, A]; `fill` for those that are not searched."""
    if node.actions is None:
        return values
    rows = jnp.arange(values.shape[0])[:, None]
    full = jnp.full((values.shape[0], num_actions), fill, values.dtype)
    return full.at[rows, node.actions].set(values)


def principal_variation(tree: Tree, slot: Int[Array, ""]) -> Int[Array, "L"]:
    """The action of the root's `slot` and the most visited ones after it, in one tree; -1 after the end."""

    def follow(place, _):
        node, slot, alive = place
        action = action_of(jax.tree.map(lambda x: x[node], tree.embeddings), slot)
        child = tree.children_index[node, slot]
        visits = tree.children_visits[child]
        goes_on = alive & (child >= 0) & (tree.children_discounts[node, slot] != 0) & (visits.max() > 0)
        return (child, visits.argmax().astype(jnp.int32), goes_on), jnp.where(alive, action, -1)

    start = (jnp.int32(ROOT), slot, jnp.bool_(True))
    return jax.lax.scan(follow, start, length=LINE)[1]


# --------------------------------------------------------------------- tree reuse


def discard(reused: ReusedTree, mask: Bool[Array, "B"]) -> ReusedTree:
    """Discards the trees where `mask` holds."""
    return reused._replace(count=jnp.where(mask, 0, reused.count))


def advance(reused: ReusedTree, action: Int[Array, "B"]) -> ReusedTree:
    """The subtrees below `action`; nothing where the action was not searched or does not exist."""
    actions, slot = reused.tree.embeddings.actions, action
    if actions is not None:
        match = actions[:, ROOT] == action[:, None]
        slot = jnp.where(match.any(axis=-1), match.argmax(axis=-1), -1)
    tree, count = jax.vmap(_subtree)(reused.tree, reused.count, slot)
    return ReusedTree(tree, count)


def merge(reused: ReusedTree, fresh: Tree) -> Tree:
    """The reused trees, and `fresh` ones where there is nothing to reuse.

    Prior, raw value and belief of the root are always those of `fresh`: they may have new noise, come from
    other parameters or, with a learned model, be encoded rather than imagined.
    """
    tree = jax.tree.map(
        lambda old, new: jnp.where(_column(reused.count > 0, new), old, new), reused.tree, fresh
    )
    return tree.replace(
        children_prior_logits=_with_root(tree.children_prior_logits, fresh.children_prior_logits),
        raw_values=_with_root(tree.raw_values, fresh.raw_values),
        embeddings=jax.tree.map(_with_root, tree.embeddings, fresh.embeddings),
    )


def _subtree(tree: Tree, count: Array, slot: Array) -> tuple[Tree, Array]:
    """The subtree of one tree under the root's `slot`; the nodes that stay keep their order."""
    nodes, actions = tree.children_index.shape
    child = tree.children_index[ROOT, jnp.clip(slot, 0, actions - 1)]
    child = jnp.where((count > 0) & (slot >= 0) & (slot < actions), child, -1)
    member = _below(tree.parents, child) & (jnp.arange(nodes) < count)
    place = jnp.where(member, jnp.cumsum(member) - 1, -1)
    count = member.sum()
    source = (
        jnp.zeros(nodes, jnp.int32).at[jnp.where(member, place, nodes)].set(jnp.arange(nodes), mode="drop")
    )
    used = jnp.arange(nodes) < count
    moved = jax.tree.map(lambda x: jnp.where(_column(used, x), x[source], jnp.zeros_like(x)), tree)
    inner = used & (jnp.arange(nodes) > 0)  # the new root has no parent
    moved = moved.replace(
        parents=jnp.where(inner, place[moved.parents], NO_PARENT),
        action_from_parent=jnp.where(inner, moved.action_from_parent, NO_PARENT),
        children_index=jnp.where(
            used[:, None] & (moved.children_index >= 0), place[moved.children_index], UNVISITED
        ),
    )
    return moved, count


def _below(parents: Int[Array, "nodes"], top: Array) -> Bool[Array, "nodes"]:
    """Which nodes are `top` or have it among their ancestors, by pointer jumping: log2(nodes) gathers."""
    nodes = jnp.arange(parents.shape[0])
    above = jnp.where((nodes == top) | (parents < 0), nodes, parents)
    for _ in range(math.ceil(math.log2(max(len(nodes), 2)))):
        above = above[above]
    return above == top


def _column(mask: Array, x: Array) -> Array:
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


def _with_root(x: Array, fresh: Array) -> Array:
    return x.at[:, ROOT].set(fresh[:, ROOT])
