"""Monte Carlo tree search in any world model that offers values and policies, on the trees of mctx.

`make_search` gives the search itself, as self-play and players use it; `make_mcts` a `Planner`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from imaginax.planners.mcts import selection, subtree
from imaginax.planners.mcts import tree as mcts_tree
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.noise import dirichlet_mixture
from imaginax.planners.mcts.subtree import Kept, Tree
from imaginax.types import Capabilities, ConfigError, Environment, Planner, PlanOutput, WorldModel

__all__ = [
    "Search",
    "SearchConfig",
    "SearchResult",
    "make_mcts",
    "make_search",
    "sample_by_visits",
    "temperature_at",
]

NEEDS = Capabilities(discrete=True, value=True, policy=True)


class SearchResult(NamedTuple):
    """What a search found for B positions.

    Attributes:
        visits: of the root's actions, those of a kept tree included.
        policy: what a network learns from: the shares of the visits (puct) or the improved policy (gumbel).
        action: the most visited one, that with the higher prior among equals (puct); Gumbel's choice.
        value: of the root, the mean of its own and all values backed up to it.
        q: of the root's actions, reward + discount x value; -inf for one without a visit.
        raw_value: of the root, as the model judged it.
        line: `action` and the most visited actions after it; -1 after the end of the game or of the tree.
    """

    visits: Int[Array, "B A"]
    policy: Float[Array, "B A"]
    action: Int[Array, "B"]
    value: Float[Array, "B"]
    q: Float[Array, "B A"]
    raw_value: Float[Array, "B"]
    line: Int[Array, "B L"]


class Search(NamedTuple):
    """Monte Carlo tree search as functions; the carry is () unless trees are kept.

    init:    batch size -> carry, with which nothing is kept
    run:     (params, belief, carry, key, legal [B, A] or None, *, explore) -> (SearchResult, carry);
             `explore` adds noise at the root. Where the carry holds the tree of this position the search
             goes on in it, with `config.simulations` more, unless `room` says that they do not fit.
    advance: (carry, action [B]) -> carry after a move of either side
    forget:  (carry, mask [B]) -> carry that keeps nothing where the mask holds, as for a new game
    room:    carry -> simulations [B] that the kept trees have room for
    """

    init: Callable[[int], PyTree]
    run: Callable[..., tuple[SearchResult, PyTree]]
    advance: Callable[[PyTree, Array], PyTree]
    forget: Callable[[PyTree, Array], PyTree]
    room: Callable[[PyTree], Array]


def make_search(model: WorldModel, config: SearchConfig, env: Environment | None = None) -> Search:
    """The configured search.

    Args:
        model: predicts, and judges positions; an illegal action has the lowest finite logit (`Evaluation`).
        config: how to search.
        env: a single environment in which `model` plays; only needed for `config.reuse`, to know the shapes.

    Raises:
        ConfigError: if trees are to be kept and `env` is missing, or the model has no `evaluate`.
    """
    if model.evaluate is None:
        raise ConfigError("search needs a model with values and a policy, which this one lacks")
    if config.reuse and env is None:
        raise ConfigError("search.reuse needs make_search to be given the environment")

    run = functools.partial(_run, model, config)
    if env is None or not config.reuse:
        return Search(lambda batch: (), run, _unchanged, _unchanged, lambda carry: jnp.zeros((), jnp.int32))
    return Search(
        init=functools.partial(mcts_tree.nothing_kept, model, config, env),
        run=run,
        advance=mcts_tree.advance,
        forget=subtree.forget,
        room=lambda carry: config.nodes - carry.count,
    )


def make_mcts(model: WorldModel, config: SearchConfig, env: Environment | None = None) -> Planner:
    """Tree search as a planner, without noise; its plan is the principal variation; see `make_search`.

    A kept tree assumes that every later decision follows the action of the one before.
    """
    search = make_search(model, config, env)

    def plan(params, belief, plan_state, key, legal=None):
        found, carry = search.run(params, belief, plan_state, key, legal, explore=False)
        return found.action, search.advance(carry, found.action), PlanOutput(found.value, found.line)

    return Planner(NEEDS, search.init, plan)


def sample_by_visits(
    visits: Shaped[Array, "B A"], temperature: float | Float[Array, "*B"], key: Array
) -> Int[Array, "B"]:
    """Actions in proportion to N^(1 / temperature); in the limit 0, one of the most visited, all alike.

    Args:
        visits: [B, A]; at least one in every row.
        temperature: one for all, or [B].
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
    kept = mcts_tree.usable(config, carry) if config.reuse else None
    judged = model.evaluate(params, belief, key_root)  # type: ignore[misc]
    root = mcts_tree.root_of(config, belief, judged, legal, kept)
    extra = selection.Extra()
    if config.policy == "gumbel":
        extra = _sequential_halving(config, root.log_prior, kept, key_noise, explore)
    elif explore:
        root = root._replace(log_prior=_with_noise(config, root.log_prior, key_noise))
    tree, count = mcts_tree.search(model, config, params, root, extra, kept, key_search)
    carry = Kept(tree.replace(extra_data=()), count) if config.reuse else ()
    return _summary(config, tree, judged.policy.shape[-1]), carry


def _with_noise(config: SearchConfig, log_prior: Float[Array, "B K"], key: Array) -> Float[Array, "B K"]:
    if not config.dirichlet_fraction:
        return log_prior
    return dirichlet_mixture(
        key,
        log_prior,
        selection.is_legal(log_prior),
        fraction=config.dirichlet_fraction,
        alpha=config.dirichlet_alpha,
    )


def _sequential_halving(
    config: SearchConfig,
    log_prior: Float[Array, "B K"],
    kept: Kept | None,
    key: Array,
    explore: bool,
) -> selection.Extra:
    scale = config.gumbel_scale if explore else 0.0
    gumbel = scale * jax.random.gumbel(key, log_prior.shape)
    before = jnp.zeros(log_prior.shape, jnp.int32)
    if kept is not None:
        before = jnp.where(kept.count[:, None] > 0, kept.tree.children_visits[:, 0], before)
    return selection.Extra(gumbel=gumbel, before=before)


def _summary(config: SearchConfig, tree: Tree, num_actions: int) -> SearchResult:
    """What the trees say of their roots."""
    slot, policy = jax.vmap(functools.partial(_decision, config))(tree)
    visits, q = tree.children_visits[:, 0], tree.qvalues(jnp.zeros(slot.shape, jnp.int32))
    q = jnp.where(visits > 0, q, -jnp.inf)
    root = jax.tree.map(lambda x: x[:, 0], tree.embeddings)
    return SearchResult(
        visits=mcts_tree.over_actions(root, visits, num_actions, 0),
        policy=mcts_tree.over_actions(root, policy, num_actions, 0.0),
        action=mcts_tree.action_of(root, slot),
        value=tree.node_values[:, 0],
        q=mcts_tree.over_actions(root, q, num_actions, -jnp.inf),
        raw_value=tree.raw_values[:, 0],
        line=jax.vmap(mcts_tree.principal_variation)(tree, slot),
    )


def _decision(config: SearchConfig, tree: Tree) -> tuple[Array, Array]:
    """The slot that is played at one root, and the policy [K] to learn from."""
    root = jnp.int32(tree.ROOT_INDEX)
    if config.policy == "gumbel":
        return selection.gumbel_action(config, tree, root), selection.improved_policy(config, tree, root)
    visits = tree.children_visits[root]
    prior = jnp.exp(tree.children_prior_logits[root])
    return (visits + prior / 2).argmax().astype(jnp.int32), visits / jnp.maximum(visits.sum(), 1)
