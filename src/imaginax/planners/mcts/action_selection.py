"""Which action a simulation follows from a node: PUCT and Gumbel, as functions of one tree of mctx's.

Illegal actions, those with the lowest finite prior logit, are chosen at no node. Prior logits are
log probabilities. Noise at the root, which makes self-play explore, is here as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.tree import Tree

Select = Callable[[Tree, Array], Array]  # of one tree: (tree, node) -> slot


class Extra(NamedTuple):
    """What selection needs besides the tree; None where the configuration has no use for it.

    Attributes:
        low: minimum Q in the tree (values: tree).
        high: maximum Q in the tree (values: tree).
        gumbel: noise at the root (gumbel).
        before: visits of the root's actions before this search, in a reused tree (gumbel).
    """

    low: Float[Array, "*B"] | None = None
    high: Float[Array, "*B"] | None = None
    gumbel: Float[Array, "*B A"] | None = None
    before: Int[Array, "*B A"] | None = None


def log_prior(logits: Float[Array, "*B A"]) -> Float[Array, "*B A"]:
    """Log probabilities in float32; illegal actions keep the lowest finite number."""
    legal = is_legal(logits)
    logs = jax.nn.log_softmax(jnp.where(legal, logits, -jnp.inf).astype(jnp.float32))
    return jnp.where(legal, logs, jnp.finfo(jnp.float32).min)


def is_legal(logits: Float[Array, "*B A"]) -> Bool[Array, "*B A"]:
    """Which actions are not marked as illegal; half the lowest number, so that rounding does not matter."""
    return logits > jnp.finfo(logits.dtype).min / 2


def selector(config: SearchConfig, *, root: bool) -> Callable[[SearchConfig, Tree, Any], Array]:
    """How the configured policy selects at the root, or below it."""
    if config.policy == "puct":
        return puct
    return gumbel_root if root else gumbel_interior


def puct(config: SearchConfig, tree: Tree, node: Array) -> Array:
    """argmax_a Q(s, a) + c(s) P(s, a) sqrt(N(s)) / (1 + N(s, a)) (Silver et al. 2018, "Search").

    N(s) counts the node's own evaluation, as in the published pseudocode, so the first action below a new
    node is the one with the highest prior. Q is scaled to [0, 1], so c is twice as large against Q
    as one that is meant for [-1, 1]. Ties go to the lowest index.
    """
    logits, visits = tree.children_prior_logits[node], tree.children_visits[node]
    total = tree.node_visits[node].astype(logits.dtype)
    legal = is_legal(logits)
    parent = tree.node_values[node]
    q = _scaled(config, tree, jnp.where(visits > 0, tree.qvalues(node), parent), parent)
    if config.first_play != "parent":
        q = jnp.where(visits > 0, q, 0.5 if config.first_play == "draw" else 0.0)
    score = q + _exploration(config, total) * jnp.sqrt(total) * jnp.exp(logits) / (1 + visits)
    return jnp.argmax(jnp.where(legal, score, -jnp.inf)).astype(jnp.int32)


def gumbel_interior(config: SearchConfig, tree: Tree, node: Array) -> Array:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)): visits in the proportions of pi' (Eq. 14)."""
    visits = tree.children_visits[node]
    score = improved_policy(config, tree, node) - visits / (1 + visits.sum())
    return jnp.argmax(jnp.where(is_legal(tree.children_prior_logits[node]), score, -jnp.inf)).astype(
        jnp.int32
    )


def gumbel_root(config: SearchConfig, tree: Tree, node: Array) -> Array:
    """The next action that Sequential Halving visits, by its gumbel + logit + sigma(q).

    The schedule counts the visits of this search alone; Q averages those of a reused tree as well.
    """
    maximum = min(config.max_considered, tree.num_actions)
    table = jnp.asarray(_halving_table(maximum, config.simulations))
    visits = tree.children_visits[node] - tree.extra_data.before
    legal = is_legal(tree.children_prior_logits[node])
    considered = table[jnp.minimum(maximum, legal.sum()), visits.sum()]
    return _best_of(config, tree, node, legal & (visits == considered))


def gumbel_action(config: SearchConfig, tree: Tree, node: Array) -> Array:
    """The action that is taken: the best of those that this search visited most."""
    visits = tree.children_visits[node] - tree.extra_data.before
    legal = is_legal(tree.children_prior_logits[node])
    return _best_of(config, tree, node, legal & (visits == jnp.max(jnp.where(legal, visits, 0))))


def improved_policy(config: SearchConfig, tree: Tree, node: Array) -> Float[Array, "A"]:
    """pi' = softmax(logits + sigma(completed Q)) over legal actions (Danihelka et al., Eq. 11)."""
    logits = tree.children_prior_logits[node]
    improved = jnp.where(is_legal(logits), logits + _sigma(config, tree, node), -jnp.inf)
    return jax.nn.softmax(improved)


def dirichlet_mixture(
    key: Array,
    log_prior: Float[Array, "B A"],
    legal: Bool[Array, "B A"],
    *,
    fraction: float,
    alpha: float,
) -> Float[Array, "B A"]:
    """log((1 - fraction) P + fraction eta), eta ~ Dirichlet(alpha) over the legal actions alone.

    Noise over all actions, masked afterwards, would hardly change the prior where few of them are legal:
    with alpha .3 and 30 legal moves of chess's 4672, by 0.001 in total variation rather than 0.14.

    Args:
        key: consumed.
        log_prior: log probabilities P of the legal actions.
        legal: legal actions, at least one in every row.
        fraction: weight of the noise (epsilon in Silver et al. 2018).
        alpha: concentration; 0 for 10 / the number of legal actions.

    Returns:
        Log probabilities; the lowest finite number for illegal actions.
    """
    concentration = alpha or 10.0 / jnp.maximum(legal.sum(axis=-1, keepdims=True), 1)
    # In logarithms, since a gamma variable of a small concentration is often below the smallest float.
    gamma = jax.random.loggamma(key, jnp.broadcast_to(concentration, log_prior.shape))
    noise = jax.nn.softmax(jnp.where(legal, gamma, -jnp.inf), axis=-1)
    mixed = (1 - fraction) * jnp.exp(log_prior) + fraction * noise
    tiny = jnp.finfo(mixed.dtype).tiny
    return jnp.where(legal, jnp.log(jnp.maximum(mixed, tiny)), jnp.finfo(mixed.dtype).min)


def _best_of(config: SearchConfig, tree: Tree, node: Array, candidates: Bool[Array, "A"]) -> Array:
    logits = tree.children_prior_logits[node] + tree.extra_data.gumbel
    score = logits + _sigma(config, tree, node)
    return jnp.argmax(jnp.where(candidates, score, -jnp.inf)).astype(jnp.int32)


def _sigma(config: SearchConfig, tree: Tree, node: Array) -> Float[Array, "A"]:
    """(c_visit + max_b N(b)) c_scale q (Eq. 8); q of an unvisited action is the mixed value (App. D)."""
    visits, q = tree.children_visits[node], tree.qvalues(node)
    logits = tree.children_prior_logits[node]
    seen = jnp.where(visits > 0, jnp.maximum(jnp.exp(logits), jnp.finfo(logits.dtype).tiny), 0.0)
    average = (seen * q).sum() / jnp.maximum(seen.sum(), jnp.finfo(logits.dtype).tiny)
    total = visits.sum()
    mixed = (tree.raw_values[node] + total * average) / (1 + total)
    q = jnp.where(visits > 0, q, mixed)
    left_out = tree.embeddings.actions is not None  # actions without a slot, which are unvisited too
    q = _scaled(config, tree, q, mixed if left_out else q[0])
    return (config.c_visit + visits.max()) * config.c_scale * q


def _exploration(config: SearchConfig, total: Array) -> Array | float:
    if config.c_puct:
        return config.c_puct
    return jnp.log((1 + total + config.c_base) / config.c_base) + config.c_init


def _scaled(config: SearchConfig, tree: Tree, q: Float[Array, "A"], other: Array) -> Float[Array, "A"]:
    """Values of a node's actions on the scale of the configuration; 0 where there is no range yet.

    The range of the siblings is that of all of `q`, illegal actions included as unvisited ones, and of
    `other`, as in mctx; so is the smallest divisor.
    """
    if config.values == "game":
        return (q + 1) / 2
    low, high = tree.extra_data.low, tree.extra_data.high
    if config.values == "siblings":
        low, high = jnp.minimum(q.min(), other), jnp.maximum(q.max(), other)
    spread = high - low
    return jnp.where(spread > 0, (q - low) / jnp.maximum(spread, 1e-8), 0.0)


def range_of_values(tree: Tree) -> tuple[Float[Array, "B"], Float[Array, "B"]]:
    """Minimum and maximum Q of the visited edges of trees [B]; inf and -inf where there is none."""
    return jax.vmap(_range_of_values)(tree)


def _range_of_values(tree: Tree) -> tuple[Array, Array]:
    edges = tree.parents, tree.action_from_parent
    q = tree.children_rewards[edges] + tree.children_discounts[edges] * tree.children_values[edges]
    visited = (tree.parents >= 0) & (tree.node_visits > 0)
    return jnp.min(jnp.where(visited, q, jnp.inf)), jnp.max(jnp.where(visited, q, -jnp.inf))


def _halving_table(maximum: int, simulations: int) -> Any:
    """Row m, column i: visits so far of the actions among which simulation i chooses, if m are considered."""
    return np.array([_halving(considered, simulations) for considered in range(maximum + 1)], np.int32)


def _halving(considered: int, simulations: int) -> list[int]:
    """Visits of the candidates before each simulation of Sequential Halving (Karnin et al. 2013).

    Each of ceil(log2 m) phases visits every remaining action floor(n / (phases x remaining)) times, but at
    least once, and the better half remains; the last two are visited until n is used up.
    """
    if considered <= 1:
        return list(range(simulations))
    phases = math.ceil(math.log2(considered))
    visited, sequence = 0, []
    while len(sequence) < simulations:
        for _ in range(max(1, simulations // (phases * considered))):
            sequence += [visited] * considered
            visited += 1
        considered = max(2, considered // 2)
    return sequence[:simulations]
