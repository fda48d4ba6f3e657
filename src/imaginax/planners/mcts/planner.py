"""Monte Carlo tree search over any world model that offers values and policies.

`make_tree_search` gives the search itself, as self-play and players use it; `make_mcts` a `Planner`. The
algorithm is in `planners.mcts.search`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from imaginax.planners.mcts import action_selection as selection
from imaginax.planners.mcts import tree as trees
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.search import root_of, search
from imaginax.planners.mcts.tree import ROOT, ReusedTree, Tree
from imaginax.types import Capabilities, ConfigError, Environment, Planner, PlanOutput, WorldModel

__all__ = [
    "SearchResult",
    "TreeSearch",
    "make_mcts",
    "make_tree_search",
    "sample_by_visits",
    "temperature_at",
]

NEEDS = Capabilities(discrete=True, value=True, policy=True)


class SearchResult(NamedTuple):
    """What a search found for B positions.

    Attributes:
        visits: visits of the root's actions, those of a reused tree included.
        policy: target for a policy network: shares of the visits (puct) or the improved policy (gumbel).
        action: chosen action: the most visited, of equals that with the higher prior (puct); Gumbel's choice.
        value: value of the root: the mean of its own and of all values backed up to it.
        q: values of the root's actions, reward + discount * value; -inf without a visit.
        raw_value: value of the root as the model predicts it, before the search.
        line: `action` and the most visited actions after it; -1 after the end of the episode or of the tree.
    """

    visits: Int[Array, "B A"]
    policy: Float[Array, "B A"]
    action: Int[Array, "B"]
    value: Float[Array, "B"]
    q: Float[Array, "B A"]
    raw_value: Float[Array, "B"]
    line: Int[Array, "B L"]


class TreeSearch(NamedTuple):
    """Monte Carlo tree search as functions; the carry is () unless trees are reused.

    init:    batch size -> carry without trees
    run:     (params, belief, carry, key, legal [B, A] or None, *, explore) -> (SearchResult, carry);
             `explore` adds noise at the root. Where the carry holds the tree of this position the search
             goes on in it, with `config.simulations` more, if it has `room` for them.
    advance: (carry, action [B]) -> carry after an action, of either side of a game
    reset:   (carry, mask [B]) -> carry without the trees where the mask holds, as for a new episode
    room:    carry -> simulations [B] that the trees have room for
    """

    init: Callable[[int], PyTree]
    run: Callable[..., tuple[SearchResult, PyTree]]
    advance: Callable[[PyTree, Array], PyTree]
    reset: Callable[[PyTree, Array], PyTree]
    room: Callable[[PyTree], Array]


def make_tree_search(model: WorldModel, config: SearchConfig, env: Environment | None = None) -> TreeSearch:
    """The configured search.

    Args:
        model: any model that offers values and a policy: the root is what `model.evaluate` says of a belief,
            every other node what `model.predict` says. An illegal action has the lowest finite logit.
        config: how to search.
        env: a single environment whose observations `model` encodes; only needed for `config.reuse`, to know
            the shapes.

    Raises:
        ConfigError: if trees are to be reused and `env` is missing, or the model lacks a value or a policy.
    """
    if model.evaluate is None or not (model.can.value and model.can.policy):
        raise ConfigError("search needs a model with values and a policy, which this one lacks")
    if config.reuse and env is None:
        raise ConfigError("search.reuse needs make_tree_search to be given the environment")

    run = functools.partial(_run, model, config)
    if env is None or not config.reuse:
        return TreeSearch(
            lambda batch: (), run, _unchanged, _unchanged, lambda carry: jnp.zeros((), jnp.int32)
        )
    return TreeSearch(
        init=functools.partial(empty_tree, model, config, env),
        run=run,
        advance=trees.advance,
        reset=trees.discard,
        room=lambda carry: config.nodes - carry.count,
    )


def make_mcts(model: WorldModel, config: SearchConfig, env: Environment | None = None) -> Planner:
    """Tree search as a planner, without noise; its plan is the principal variation; see `make_tree_search`.

    With `config.reuse` every decision must follow the action of the one before.
    """
    tree_search = make_tree_search(model, config, env)

    def plan(params, belief, plan_state, key, legal=None):
        found, carry = tree_search.run(params, belief, plan_state, key, legal, explore=False)
        return found.action, tree_search.advance(carry, found.action), PlanOutput(found.value, found.line)

    return Planner(NEEDS, tree_search.init, plan)


def empty_tree(model: WorldModel, config: SearchConfig, env: Environment, batch: int) -> ReusedTree:
    """Trees of the right shapes with nothing to reuse."""

    def first(key: Array) -> Tree:
        params = model.init(key)
        _, timestep = jax.vmap(env.init)(jax.random.split(key, batch))
        belief = model.encode(params, timestep.observation, key)
        root = root_of(config, belief, model.evaluate(params, belief, key))  # type: ignore[misc]
        return trees.new_tree(root, config.nodes)

    shapes = jax.eval_shape(first, jax.random.key(0))
    tree = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return ReusedTree(tree, jnp.zeros(batch, jnp.int32))


def sample_by_visits(
    visits: Shaped[Array, "B A"], temperature: float | Float[Array, "*B"], key: Array
) -> Int[Array, "B"]:
    """Samples actions in proportion to N^(1 / temperature); at 0, uniformly among the most visited.

    Args:
        visits: visit counts N, at least one in every row.
        temperature: temperature of all rows, or of each.
        key: consumed.
    """
    temperature = jnp.asarray(temperature, jnp.float32)[..., None]
    logs = jnp.log(visits.astype(jnp.float32))
    logs = logs - logs.max(axis=-1, keepdims=True)
    cold = jnp.where(logs == 0, 0.0, -jnp.inf)
    warm = logs / jnp.where(temperature > 0, temperature, 1.0)
    return jax.random.categorical(key, jnp.where(temperature > 0, warm, cold)).astype(jnp.int32)


def temperature_at(
    move: Int[Array, "*B"], temperatures: tuple[float, ...] = (1.0, 0.0), until: tuple[int, ...] = (30,)
) -> Float[Array, "*B"]:
    """The temperature of a move, counted from 0: `temperatures[i]` before move `until[i]`, then the last.

    The defaults are AlphaGo Zero's: 1 for the first 30 moves, then 0.
    """
    return jnp.asarray(temperatures, jnp.float32)[jnp.searchsorted(jnp.asarray(until), move, side="right")]


def _unchanged(carry: PyTree, _: Array) -> PyTree:
    return carry


def _run(
    model: WorldModel,
    config: SearchConfig,
    params: PyTree,
    belief: PyTree,
    carry: PyTree,
    key: Array,
    legal: Bool[Array, "B A"] | None = None,
    *,
    explore: bool,
) -> tuple[SearchResult, PyTree]:
    key_root, key_noise, key_search = jax.random.split(key, 3)
    reused = None
    if config.reuse:
        no_room = carry.count + config.simulations > config.nodes
        reused = trees.discard(carry, no_room)
    evaluation = model.evaluate(params, belief, key_root)  # type: ignore[misc]
    root = root_of(config, belief, evaluation, legal, reused)
    extra = selection.Extra()
    if config.policy == "gumbel":
        extra = _gumbel_noise(config, root.log_prior, reused, key_noise, explore)
    elif explore and config.dirichlet_fraction:
        root = root._replace(log_prior=_with_dirichlet_noise(config, root.log_prior, key_noise))
    tree, count = search(model, config, params, root, key_search, extra=extra, reused=reused)
    carry = ReusedTree(tree.replace(extra_data=()), count) if config.reuse else ()
    return _result(config, tree, evaluation.policy.shape[-1]), carry


def _with_dirichlet_noise(
    config: SearchConfig, log_prior: Float[Array, "B K"], key: Array
) -> Float[Array, "B K"]:
    return selection.dirichlet_mixture(
        key,
        log_prior,
        selection.is_legal(log_prior),
        fraction=config.dirichlet_fraction,
        alpha=config.dirichlet_alpha,
    )


def _gumbel_noise(
    config: SearchConfig,
    log_prior: Float[Array, "B K"],
    reused: ReusedTree | None,
    key: Array,
    explore: bool,
) -> selection.Extra:
    scale = config.gumbel_scale if explore else 0.0
    gumbel = scale * jax.random.gumbel(key, log_prior.shape)
    before = jnp.zeros(log_prior.shape, jnp.int32)
    if reused is not None:
        before = jnp.where(reused.count[:, None] > 0, reused.tree.children_visits[:, ROOT], before)
    return selection.Extra(gumbel=gumbel, before=before)


def _result(config: SearchConfig, tree: Tree, num_actions: int) -> SearchResult:
    """What the trees say of their roots."""
    slot, policy = jax.vmap(functools.partial(_choice, config))(tree)
    visits, q = tree.children_visits[:, ROOT], tree.qvalues(jnp.zeros(slot.shape, jnp.int32))
    q = jnp.where(visits > 0, q, -jnp.inf)
    root = jax.tree.map(lambda x: x[:, ROOT], tree.embeddings)
    return SearchResult(
        visits=trees.over_actions(root, visits, num_actions, 0),
        policy=trees.over_actions(root, policy, num_actions, 0.0),
        action=trees.action_of(root, slot),
        value=tree.node_values[:, ROOT],
        q=trees.over_actions(root, q, num_actions, -jnp.inf),
        raw_value=tree.raw_values[:, ROOT],
        line=jax.vmap(trees.principal_variation)(tree, slot),
    )


def _choice(config: SearchConfig, tree: Tree) -> tuple[Array, Array]:
    """The slot that is chosen at one root, and the policy [K] to learn from."""
    root = jnp.int32(ROOT)
    if config.policy == "gumbel":
        return selection.gumbel_action(config, tree, root), selection.improved_policy(config, tree, root)
    visits = tree.children_visits[root]
    prior = jnp.exp(tree.children_prior_logits[root])
    return (visits + prior / 2).argmax().astype(jnp.int32), visits / jnp.maximum(visits.sum(), 1)
