"""Monte Carlo tree search with random roll-outs, the way programs searched before they learned.

The rule is PUCT with a uniform prior, as in AlphaZero.jl's baseline (src/mcts.jl): a move's score is
Q + c P sqrt(N) / (1 + n), unvisited moves count Q = 0, and the most visited move is played.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import mctx
from jaxtyping import Array, Bool, Float, PyTree

from imaginax.arena.batches import legal_of
from imaginax.envs.wrappers import strip_weak_types
from imaginax.types import Environment, Game, Player, SearchSummary, State, TimeStep

_NEVER = jnp.finfo(jnp.float32).min


def make_rollout_mcts(env: Environment, simulations: int, *, c: float = 1.0, name: str = "") -> Player:
    """A player that searches with `simulations` random games a move.

    Args:
        env: the game.
        simulations: roll-outs a move.
        c: weight of exploration.
        name: of the player; default `mcts:<simulations>`.
    """
    game = env.game
    assert game is not None
    choose: Any = functools.partial(_choose, c=c)
    recurrent: Any = functools.partial(_expand, env, game)

    def move(params, memory, timestep: TimeStep, key: Array):
        del params
        key_root, key_search, key_tie = jax.random.split(key, 3)
        legal = legal_of(timestep)
        value = _rollout(env, timestep.observation, timestep, key_root)
        root: Any = mctx.RootFnOutput(
            prior_logits=_uniform(legal),  # type: ignore[call-arg]
            value=value,  # type: ignore[call-arg]
            embedding=jax.vmap(game.compact)(timestep.observation),  # type: ignore[call-arg]
        )
        tree: Any = mctx.search(
            (),
            key_search,
            root=root,
            recurrent_fn=recurrent,
            root_action_selection_fn=lambda key, tree, node: choose(key, tree, node, 0),
            interior_action_selection_fn=choose,
            num_simulations=simulations,
            max_depth=min(simulations, env.spec.max_steps),
            invalid_actions=~legal,
        )
        found = tree.summary()
        # Among equally visited moves the one of higher value, and chance among the rest.
        rank = found.visit_counts + 0.25 * found.qvalues + 1e-3 * jax.random.uniform(key_tie, legal.shape)
        action = jnp.where(legal, rank, -jnp.inf).argmax(axis=-1).astype(jnp.int32)
        return action, memory, SearchSummary(found.visit_counts / simulations, found.value, action[:, None])

    return Player(name or f"mcts:{simulations}", lambda batch: (), move)


def _choose(key: Array, tree: Any, node: Array, depth: Array | int, *, c: float) -> Array:
    """The move to follow from a node of one tree: PUCT, ties broken at random."""
    del depth
    visits = tree.children_visits[node]
    prior_logits = tree.children_prior_logits[node]
    q = jnp.where(visits > 0, tree.qvalues(node), 0.0)
    explore = c * jax.nn.softmax(prior_logits) * jnp.sqrt(tree.node_visits[node]) / (1 + visits)
    score = q + explore + 1e-6 * jax.random.uniform(key, q.shape)
    return jnp.where(prior_logits > _NEVER, score, -jnp.inf).argmax().astype(jnp.int32)


def _expand(env: Environment, game: Game, params, key: Array, action: Array, embedding: PyTree):
    """mctx's recurrent function: one move, then a random game from where it led."""
    del params
    states = jax.vmap(game.expand)(embedding)
    states, timestep = jax.vmap(env.step, in_axes=(0, 0, None))(states, action, jax.random.key(0))
    output = mctx.RecurrentFnOutput(
        reward=timestep.reward,  # type: ignore[call-arg]
        discount=-timestep.discount,  # type: ignore[call-arg]
        prior_logits=_uniform(legal_of(timestep)),  # type: ignore[call-arg]
        value=_rollout(env, states, timestep, key),  # type: ignore[call-arg]
    )
    return output, jax.vmap(game.compact)(states)


def _rollout(env: Environment, states: State, timestep: TimeStep, key: Array) -> Float[Array, "B"]:
    """What the player to move earns when both sides play at random, until every game is over."""
    start = (states, legal_of(timestep), timestep.last, jnp.zeros(timestep.last.shape), jnp.float32(1), key)
    return jax.lax.while_loop(_playing, functools.partial(_random_ply, env), strip_weak_types(start))[3]


def _playing(carry) -> Bool[Array, ""]:
    return ~carry[2].all()


def _random_ply(env: Environment, carry):
    states, legal, over, total, sign, key = carry
    key, key_move = jax.random.split(key)
    # One number a game picks one of its legal moves: cheaper than noise for every action.
    pick = jax.random.uniform(key_move, over.shape) * legal.sum(axis=-1)
    action = (jnp.cumsum(legal, axis=-1) > pick[:, None]).argmax(axis=-1)
    states, timestep = jax.vmap(env.step, in_axes=(0, 0, None))(states, action, jax.random.key(0))
    total = total + jnp.where(over, 0.0, sign * timestep.reward)
    return strip_weak_types((states, legal_of(timestep), over | timestep.last, total, -sign, key))


def _uniform(legal: Bool[Array, "B A"]) -> Float[Array, "B A"]:
    return jnp.where(legal, 0.0, _NEVER)
