"""Decisions from a tree search: exploring in self-play, at full strength in a match.

Self-play has one player, or two who move in turn. The model is any that offers value and policy: the rules of
a `privileged` environment, whose observation is its state, or a learned model that encodes observations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from imaginax.data.self_play import SelfPlayExtras
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import SearchResult, make_tree_search, sample_by_visits
from imaginax.types import Discrete, Environment, Player, SearchSummary, TimeStep, WorldModel


class SelfPlayCarry(NamedTuple):
    """What self-play remembers of N environments.

    Attributes:
        search: carry of the tree search.
        ply: actions so far in each episode.
        episode: episodes that were played in each environment before; -1 until the first begins.
        opening: random actions at the start of each episode.
    """

    search: PyTree
    ply: Int[Array, "N"]
    episode: Int[Array, "N"]
    opening: Int[Array, "N"]


class SelfPlay(NamedTuple):
    """How a system plays against itself, or alone.

    init:    number of environments -> carry
    act:     (params of the model, carry, time step [N], key, temperature=1.0)
             -> (carry, action [N], SelfPlayExtras)
    exploit: the same without noise, random openings and sampled actions; it has no temperature
    """

    init: Callable[[int], SelfPlayCarry]
    act: Callable[..., tuple[SelfPlayCarry, Array, SelfPlayExtras]]
    exploit: Callable[..., tuple[SelfPlayCarry, Array, SelfPlayExtras]]


def make_self_play(
    model: WorldModel, config: SearchConfig, env: Environment, *, sampled_plies: int, opening_plies: int = 0
) -> SelfPlay:
    """Every action comes from a search with noise at its root.

    With PUCT the first `sampled_plies` actions of an episode are sampled in proportion to visits^(1 /
    temperature) and later ones are the most visited (Silver et al. 2017, Methods, "Self-play"); a Gumbel
    search samples its actions itself (Danihelka et al. 2022). With `opening_plies` an episode begins with 0
    to so many random actions, their number and they themselves uniform; the extras are those of the search
    there too.

    Args:
        model: model that is searched; it encodes what `env` shows.
        config: how to search.
        env: one environment that does not reset itself.
        sampled_plies: actions of an episode that are sampled (puct).
        opening_plies: maximum number of random actions at the start of an episode.
    """
    assert isinstance(env.spec.action, Discrete), "a tree search has discrete actions"
    search, num_actions = make_tree_search(model, config, env), env.spec.action.size

    def init(num_envs: int) -> SelfPlayCarry:
        zeros = jnp.zeros(num_envs, jnp.int32)
        return SelfPlayCarry(search.init(num_envs), zeros, zeros - 1, zeros)

    def searched(params, carry: SelfPlayCarry, timestep: TimeStep, key: Array, *, explore: bool):
        key_encode, key_search = jax.random.split(key)
        trees = search.reset(carry.search, timestep.first)
        ply = jnp.where(timestep.first, 0, carry.ply)
        belief = model.encode(params, timestep.observation, key_encode)
        found, trees = search.run(params, belief, trees, key_search, timestep.legal, explore=explore)
        episode = carry.episode + timestep.first
        return found, SelfPlayCarry(trees, ply, episode, carry.opening)

    def finish(found: SearchResult, carry: SelfPlayCarry, action: Array, at_random: Array | bool = False):
        at_random = jnp.broadcast_to(at_random, action.shape)
        extras = SelfPlayExtras(found.policy, found.value, found.q, carry.episode, at_random)
        return carry._replace(search=search.advance(carry.search, action), ply=carry.ply + 1), action, extras

    def act(params, carry, timestep: TimeStep, key: Array, temperature: float | Array = 1.0):
        key_search, key_move, key_opening = jax.random.split(key, 3)
        found, carry = searched(params, carry, timestep, key_search, explore=True)
        action, at_random = found.action, False
        if config.policy == "puct":
            warm = jnp.where(carry.ply < sampled_plies, temperature, 0.0)
            action = sample_by_visits(found.visits, warm, key_move)
        if opening_plies:
            key_length, key_any = jax.random.split(key_opening)
            lengths = jax.random.randint(key_length, carry.opening.shape, 0, opening_plies + 1)
            carry = carry._replace(opening=jnp.where(timestep.first, lengths, carry.opening))
            anything = sample_by_visits(_legal(timestep, num_actions), 1.0, key_any)
            at_random = carry.ply < carry.opening
            action = jnp.where(at_random, anything, action)
        return finish(found, carry, action, at_random)

    def exploit(params, carry, timestep: TimeStep, key: Array):
        found, carry = searched(params, carry, timestep, key, explore=False)
        return finish(found, carry, found.action)

    return SelfPlay(init, act, exploit)


def _legal(timestep: TimeStep, num_actions: int) -> Bool[Array, "N A"]:
    if timestep.legal is None:
        return jnp.ones((*timestep.first.shape, num_actions), bool)
    return jnp.asarray(timestep.legal)


def make_player(
    name: str,
    model: WorldModel,
    config: SearchConfig,
    env: Environment,
    *,
    simulations: int | None = None,
) -> Player:
    """A side that makes the move its search prefers, without noise; its params are the model's.

    Args:
        name: name of the player.
        model: model that is searched.
        config: how to search.
        env: one `privileged` game.
        simulations: simulations for one move, if not as in `config`.
    """
    if simulations is not None:
        config = config.with_simulations(simulations)
    search = make_tree_search(model, config, env)

    def move(params, memory: PyTree, timestep: TimeStep, key: Array):
        key_encode, key_search = jax.random.split(key)
        memory = search.reset(memory, timestep.first)
        belief = model.encode(params, timestep.observation, key_encode)
        found, memory = search.run(params, belief, memory, key_search, timestep.legal, explore=False)
        return found.action, memory, SearchSummary(found.policy, found.value, found.line)

    return Player(name, search.init, move, search.advance)
