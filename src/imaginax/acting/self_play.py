"""Moves in board games from a search: exploring in self-play, at full strength in a match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_tree_search, sample_by_visits
from imaginax.types import Environment, Player, Thought, TimeStep, WorldModel


class SelfPlayCarry(NamedTuple):
    """What self-play remembers of N games.

    Attributes:
        search: what the search keeps between moves.
        ply: moves made in each game.
        played: games that were played in each place before; -1 until the first begins.
        opening: moves at the start of each game that are drawn at random.
    """

    search: PyTree
    ply: Int[Array, "N"]
    played: Int[Array, "N"]
    opening: Int[Array, "N"]


class SelfPlay(NamedTuple):
    """How a system plays against itself.

    init: number of games -> carry
    act:  (params, carry, time step of the `privileged` game [N], key) -> (carry, action [N], extras), with
          the target `policy` [N, A], the `value` [N] of the search for the player to move, its estimates
          `q` [N, A] of the moves and `played` (`SelfPlayCarry`) as extras
    """

    init: Callable[[int], SelfPlayCarry]
    act: Callable[..., tuple[SelfPlayCarry, Array, dict[str, Any]]]


def make_self_play(
    model: WorldModel, config: SearchConfig, env: Environment, *, sampled_plies: int, opening_plies: int = 0
) -> SelfPlay:
    """Both sides move by a search with noise at its root.

    With PUCT the first `sampled_plies` moves of a game are drawn in proportion to visits (temperature 1) and
    later ones are the most visited (Silver et al. 2017, Methods, "Self-play"); a Gumbel search draws its
    moves itself (Danihelka et al. 2022). With `opening_plies` a game begins with 0 to so many moves, their
    number and they themselves drawn uniformly; what is learned from their positions is what the search found.
    """
    search = make_tree_search(model, config, env)

    def init(games: int) -> SelfPlayCarry:
        zeros = jnp.zeros(games, jnp.int32)
        return SelfPlayCarry(search.init(games), zeros, zeros - 1, zeros)

    def act(params, carry: SelfPlayCarry, timestep: TimeStep, key: Array):
        key_encode, key_search, key_move, key_opening = jax.random.split(key, 4)
        kept = search.reset(carry.search, timestep.first)
        ply = jnp.where(timestep.first, 0, carry.ply)
        played = carry.played + timestep.first
        belief = model.encode(params, timestep.observation, key_encode)
        found, kept = search.run(params, belief, kept, key_search, timestep.legal, explore=True)
        action = found.action
        if config.policy == "puct":
            temperature = jnp.where(ply < sampled_plies, 1.0, 0.0)
            action = sample_by_visits(found.visits, temperature, key_move)
        opening = carry.opening
        if opening_plies:
            action, opening = _random_opening(timestep, action, ply, opening, opening_plies, key_opening)
        extras = {"policy": found.policy, "value": found.value, "q": found.q, "played": played}
        return SelfPlayCarry(search.advance(kept, action), ply + 1, played, opening), action, extras

    return SelfPlay(init, act)


def _random_opening(
    timestep: TimeStep, action: Array, ply: Array, opening: Array, most: int, key: Array
) -> tuple[Array, Array]:
    """The moves, random ones where a game is still in its opening; and how long its opening is."""
    key_length, key_move = jax.random.split(key)
    lengths = jax.random.randint(key_length, opening.shape, 0, most + 1)
    opening = jnp.where(timestep.first, lengths, opening)
    anything = sample_by_visits(jnp.asarray(timestep.legal), 1.0, key_move)
    return jnp.where(ply < opening, anything, action), opening


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
        name: of the player.
        model: what is searched in.
        config: how.
        env: the `privileged` game.
        simulations: a move, if not as in `config`.
    """
    if simulations is not None:
        config = config.with_simulations(simulations)
    search = make_tree_search(model, config, env)

    def move(params, memory: PyTree, timestep: TimeStep, key: Array):
        key_encode, key_search = jax.random.split(key)
        memory = search.reset(memory, timestep.first)
        belief = model.encode(params, timestep.observation, key_encode)
        found, memory = search.run(params, belief, memory, key_search, timestep.legal, explore=False)
        return found.action, memory, Thought(found.policy, found.value, found.line)

    return Player(name, search.init, move, search.advance)
