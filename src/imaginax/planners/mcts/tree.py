"""The tree of one search: its root, its growth, and what of it outlives the search.

Below, a slot is a column of the tree's arrays: an action, or one of the `width` best of a node.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
from jaxtyping import Array, Bool, Float, Int

from imaginax.planners.mcts import selection, simulation, subtree
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.simulation import Step
from imaginax.planners.mcts.subtree import ROOT, Kept, Tree
from imaginax.types import Belief, Environment, Evaluation, Params, WorldModel

LINE = 16  # actions of a principal variation


class Node(NamedTuple):
    """What the tree stores of a position.

    Attributes:
        belief: the model's.
        actions: the searched ones, by slot; None where all are.
    """

    belief: Belief
    actions: Int[Array, "B K"] | None


class Root(NamedTuple):
    """Where a search begins.

    Attributes:
        log_prior: logarithms of the prior's probabilities; the lowest finite number for illegal actions.
        value: as the model judges it.
        node: what the tree stores.
    """

    log_prior: Float[Array, "B K"]
    value: Float[Array, "B"]
    node: Node


def root_of(
    config: SearchConfig,
    belief: Belief,
    judged: Evaluation,
    legal: Bool[Array, "B A"] | None = None,
    kept: Kept | None = None,
) -> Root:
    """The root's clean prior and value; where there is a kept tree, slots are as they are there."""
    logits = judged.policy
    if legal is not None:
        logits = jnp.where(legal, logits, jnp.finfo(logits.dtype).min)
    actions, narrow = _narrowed(config, logits)
    if actions is not None and kept is not None:
        actions = jnp.where(kept.count[:, None] > 0, kept.tree.embeddings.actions[:, 0], actions)
        narrow = jnp.take_along_axis(logits, actions, axis=-1)
    value = judged.value.astype(jnp.float32)
    return Root(selection.log_prior(narrow), value, Node(belief, actions))


def search(
    model: WorldModel,
    config: SearchConfig,
    params: Params,
    root: Root,
    extra: selection.Extra,
    kept: Kept | None,
    key: Array,
) -> Kept:
    """The trees after `config.simulations` simulations, in the kept ones where there are any."""
    tree, count = _planted(root, config.nodes), jnp.ones(root.value.shape, jnp.int32)
    if kept is not None:
        tree, count = subtree.graft(kept, tree), jnp.maximum(kept.count, 1)
    simulate = functools.partial(
        simulation.simulate,
        at_root=functools.partial(selection.selector(config, root=True), config),
        below=functools.partial(selection.selector(config, root=False), config),
        expand=functools.partial(_expand, model, config, params),
        max_depth=config.max_depth,
    )

    def once(_, carry):
        tree, count, key = carry
        key, key_step = jax.random.split(key)
        return *simulate(_ranged(config, tree), count, key_step), key

    tree = tree.replace(extra_data=extra)
    tree, count, _ = jax.lax.fori_loop(0, config.simulations, once, (_ranged(config, tree), count, key))
    return Kept(_ranged(config, tree), count)


def usable(config: SearchConfig, kept: Kept) -> Kept:
    """Those of the kept trees that have room for one more search."""
    return subtree.forget(kept, kept.count + config.simulations > config.nodes)


def nothing_kept(model: WorldModel, config: SearchConfig, env: Environment, batch: int) -> Kept:
    """Trees of the right shapes, none of which is used."""

    def first(key: Array) -> Tree:
        params = model.init(key)
        _, timestep = jax.vmap(env.init)(jax.random.split(key, batch))
        belief = model.encode(params, timestep.observation, key)
        root = root_of(config, belief, model.evaluate(params, belief, key))  # type: ignore[misc]
        return _planted(root, config.nodes)

    shapes = jax.eval_shape(first, jax.random.key(0))
    tree = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return Kept(tree, jnp.zeros(batch, jnp.int32))


def advance(kept: Kept, action: Int[Array, "B"]) -> Kept:
    """What is left of the kept trees after `action`; nothing where it was not searched."""
    actions = kept.tree.embeddings.actions
    if actions is None:
        return subtree.descend(kept, action)
    match = actions[:, 0] == action[:, None]
    slot = jnp.where(match.any(axis=-1), match.argmax(axis=-1), -1)
    return subtree.descend(kept, slot)


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


def _planted(root: Root, nodes: int) -> Tree:
    """Trees with room for `nodes` that have a root and nothing else."""
    batch, slots = root.log_prior.shape

    def all_of(value: int, dtype: Any, *shape: int) -> Array:
        return jnp.full((batch, nodes, *shape), value, dtype)

    def rooted(value: Array) -> Array:
        return all_of(0, value.dtype, *value.shape[1:]).at[:, ROOT].set(value)

    parts = {
        "node_visits": rooted(jnp.ones(batch, jnp.int32)),
        "raw_values": rooted(root.value),
        "node_values": rooted(root.value),
        "parents": all_of(mctx.Tree.NO_PARENT, jnp.int32),
        "action_from_parent": all_of(mctx.Tree.NO_PARENT, jnp.int32),
        "children_index": all_of(mctx.Tree.UNVISITED, jnp.int32, slots),
        "children_prior_logits": rooted(root.log_prior),
        "children_visits": all_of(0, jnp.int32, slots),
        "children_rewards": all_of(0, jnp.float32, slots),
        "children_discounts": all_of(0, jnp.float32, slots),
        "children_values": all_of(0, jnp.float32, slots),
        "embeddings": jax.tree.map(rooted, root.node),
        "root_invalid_actions": (),  # the prior says which they are, here and at every other node
        "extra_data": (),
    }
    return mctx.Tree(**parts)


def _expand(
    model: WorldModel, config: SearchConfig, params: Params, node: Node, slot: Array, key: Array
) -> Step:
    """What the model predicts of one step."""
    belief, predicted = model.predict(params, node.belief, action_of(node, slot), key)
    reward, discount, value, policy = predicted
    actions, logits = _narrowed(config, jnp.asarray(policy))
    reward, discount, value = (jnp.asarray(x, jnp.float32) for x in (reward, discount, value))
    return Step(reward, discount, value, selection.log_prior(logits), Node(belief, actions))


def _narrowed(config: SearchConfig, logits: Float[Array, "B A"]):
    """The actions of the `width` highest logits, and these; None and all logits where none is left out."""
    if not 0 < config.width < logits.shape[-1]:
        return None, logits
    logits, actions = jax.lax.top_k(logits, config.width)
    return actions, logits


def _ranged(config: SearchConfig, tree: Tree) -> Tree:
    """The tree with the range of its values, where selection needs it."""
    if config.values != "tree":
        return tree
    low, high = selection.range_of_values(tree)
    return tree.replace(extra_data=tree.extra_data._replace(low=low, high=high))
