"""Trees that outlive a decision: the next search goes on in the part of the tree below the move.

So AlphaGo Zero does (Silver et al. 2017, Methods, "Play"). Trees are those of mctx (`mctx.Tree`), with
nodes in the order of their creation, so that a parent comes before its children.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
from jaxtyping import Array, Bool, Int

Tree = Any  # mctx.Tree, whose fields have wider types than type checkers can follow

ROOT = mctx.Tree.ROOT_INDEX


class Kept(NamedTuple):
    """Trees [B, nodes, ...] between decisions.

    Attributes:
        tree: without `extra_data`, which belongs to one search alone.
        count: nodes in use; 0 where nothing is kept.
    """

    tree: Tree
    count: Int[Array, "B"]


def forget(kept: Kept, mask: Bool[Array, "B"]) -> Kept:
    """Keeps nothing where `mask` holds."""
    return kept._replace(count=jnp.where(mask, 0, kept.count))


def descend(kept: Kept, slot: Int[Array, "B"]) -> Kept:
    """The subtrees under the root's actions `slot`; nothing where one was never visited, or is no action."""
    tree, count = jax.vmap(_descend)(kept.tree, kept.count, slot)
    return Kept(tree, count)


def graft(kept: Kept, fresh: Tree) -> Tree:
    """The kept trees, and `fresh` ones where nothing is kept.

    Prior, raw value and belief of the root are always those of `fresh`: they may have new noise, come from
    other parameters or, with a learned model, be encoded rather than imagined.
    """
    tree = jax.tree.map(lambda old, new: jnp.where(_column(kept.count > 0, new), old, new), kept.tree, fresh)
    return tree.replace(
        children_prior_logits=_with_root(tree.children_prior_logits, fresh.children_prior_logits),
        raw_values=_with_root(tree.raw_values, fresh.raw_values),
        embeddings=jax.tree.map(_with_root, tree.embeddings, fresh.embeddings),
    )


def _descend(tree: Tree, count: Array, slot: Array) -> tuple[Tree, Array]:
    """One tree; the nodes that stay keep their order."""
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
        parents=jnp.where(inner, place[moved.parents], mctx.Tree.NO_PARENT),
        action_from_parent=jnp.where(inner, moved.action_from_parent, mctx.Tree.NO_PARENT),
        children_index=jnp.where(
            used[:, None] & (moved.children_index >= 0), place[moved.children_index], mctx.Tree.UNVISITED
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
