"""Matches between two players: all games side by side in one compiled loop, each side beginning half of them.

The games form two halves, one where the first player is to move and one where the second is. In every ply
each player thinks about its own half alone, both halves are stepped, and then the halves change hands, so
no player ever computes a move that is not played.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.arena.batches import select
from imaginax.arena.openings import book, deal, pairs
from imaginax.envs.wrappers import privileged, strip_weak_types, vectorise
from imaginax.types import ConfigError, Discrete, Environment, Params, Player, State, TimeStep


class MatchResult(NamedTuple):
    """How the G games of a match went.

    outcome: for the first player 1 won, 0 drawn, -1 lost; a truncated game is drawn.
    first_began: whether the first player made the first move; the two games of an opening lie G/2 apart.
    length: plies played, the opening's included.
    truncated: games that the limit of the environment cut off before their end.
    opening: the number of the opening, the same for both of its games.
    actions: every move played, -1 after a game's end.
    """

    outcome: Float[Array, "*#G"]
    first_began: Bool[Array, "*#G"]
    length: Int[Array, "*#G"]
    truncated: Bool[Array, "*#G"]
    opening: Int[Array, "*#G"]
    actions: Int[Array, "T *#G"]


class _Half(NamedTuple):
    """Half of the games [H]: where they stand, and what both players remember of them."""

    state: State
    timestep: TimeStep
    first: PyTree  # memory of the first player
    second: PyTree
    outcome: Array  # for the first player
    length: Array
    truncated: Array


class _Carry(NamedTuple):
    """`mine` are the games where the first player is to move; `began` of them, that it began them."""

    mine: _Half
    yours: _Half
    actions: tuple[Array, Array]  # [T, H] of the half that the first player began, and of the other
    ply: Array
    key: Array


def play_match(
    env: Environment,
    first: Player,
    second: Player,
    params: tuple[Params, Params],
    key: Array,
    *,
    games: int,
    openings: int = 0,
) -> MatchResult:
    """Plays up to `games` games between two players; pure, to be jitted with its sizes fixed.

    Args:
        env: one game of two players, as `envs.make` gives it.
        first: the player whose results are counted.
        second: its opponent.
        params: of the first player and of the second.
        key: draws the openings and everything the players do by chance.
        games: an even number; each player begins half of them. With openings no more than two for each
            that the game has: G below is the number played.
        openings: plies of the openings, drawn without replacement from `openings.book`. Either player gets
            each opening from both sides.

    Raises:
        ConfigError: for an odd number of games, fewer than two, or a world that is no game of two players.
    """
    if games < 2 or games % 2:
        raise ConfigError(f"games must be even and at least 2, so that both sides begin alike, got {games}")
    if env.spec.players != 2 or not isinstance(env.spec.action, Discrete):
        raise ConfigError(f"{env.spec.name} is no board game of two players")
    if not 0 <= openings < env.spec.max_steps:
        raise ConfigError(f"openings must be a number of plies below {env.spec.max_steps}, got {openings}")
    known = book(env, openings)
    half = pairs(known, games)
    copies = vectorise(privileged(env), half)
    carry, opening = _start(copies, (first, second), key, known, half)
    carry = jax.lax.while_loop(
        functools.partial(_unfinished, env.spec.max_steps),
        functools.partial(_ply, copies, (first, second), params),
        carry,
    )
    even = carry.ply % 2 == 0  # then the halves are back where they began
    began, replied = select(even, (carry.mine, carry.yours), (carry.yours, carry.mine))
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), began[-3:], replied[-3:])
    first_began = jnp.arange(2 * half) < half
    actions = jnp.concatenate(carry.actions, axis=1)
    return MatchResult(both[0], first_began, both[1], both[2], jnp.tile(opening, 2), actions)


def _start(
    copies: Environment, players: tuple[Player, Player], key: Array, known: np.ndarray, half: int
) -> tuple[_Carry, Int[Array, "H"]]:
    """Both halves after the same openings, which both players have been told of; and their numbers."""
    key_init, key_opening, key = jax.random.split(key, 3)
    state, timestep = copies.init(key_init)
    game = _Half(
        state,
        timestep,
        first=players[0].init(half),
        second=players[1].init(half),
        outcome=jnp.zeros(half),
        length=jnp.zeros(half, jnp.int32),
        truncated=jnp.zeros(half, bool),
    )
    moves, number = deal(known, half, key_opening)
    opening = functools.partial(_opening_ply, copies, players)
    game, _ = jax.lax.scan(opening, strip_weak_types(game), moves.T)
    plies = moves.shape[1]
    blank = jnp.full((copies.spec.max_steps, half), -1, jnp.int32)
    actions = blank.at[:plies].set(moves.T)
    # Openings end no game, so that nothing has been counted for either player yet.
    return _Carry(game, game, (actions, actions), jnp.int32(plies), key), number


def _opening_ply(copies: Environment, players, game: _Half, action: Int[Array, "H"]):
    """One ply of every opening."""
    return _play(copies, players, game, action, 1.0, jax.random.key(0)), None


def _unfinished(max_steps: int, carry: _Carry) -> Bool[Array, ""]:
    over = carry.mine.timestep.last.all() & carry.yours.timestep.last.all()
    return ~over & (carry.ply < max_steps)


def _ply(copies: Environment, players: tuple[Player, Player], params, carry: _Carry) -> _Carry:
    """Each player moves in its half of the games; then the halves change hands."""
    key, key_first, key_second, key_mine, key_yours = jax.random.split(carry.key, 5)
    mine, yours = carry.mine, carry.yours
    sides = (
        (params[0], mine.first, mine.timestep, key_first),
        (params[1], yours.second, yours.timestep, key_second),
    )
    (action, memory), (reply, other_memory) = _moves(players, sides)
    even = carry.ply % 2 == 0
    began, replied = jnp.where(even, action, reply), jnp.where(even, reply, action)
    over = select(even, (mine.timestep.last, yours.timestep.last), (yours.timestep.last, mine.timestep.last))
    actions = (
        _record(carry.actions[0], carry.ply, over[0], began),
        _record(carry.actions[1], carry.ply, over[1], replied),
    )
    mine = _play(copies, players, mine._replace(first=memory), action, 1.0, key_mine)
    yours = _play(copies, players, yours._replace(second=other_memory), reply, -1.0, key_yours)
    return _Carry(yours, mine, actions, carry.ply + 1, key)


def _moves(players, sides):
    """(action, memory) of both players, each in its half of the games.

    One player with two sets of parameters, as when two networks of a run meet, is compiled once.
    """
    if players[0] is not players[1]:
        return [player.move(*side)[:2] for player, side in zip(players, sides, strict=True)]
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *sides)
    found = jax.lax.map(lambda side: players[0].move(*side)[:2], both)
    return [jax.tree.map(lambda leaf, i=i: leaf[i], found) for i in range(2)]


def _play(copies: Environment, players, game: _Half, action: Array, sign, key: Array) -> _Half:
    """One action in every game that still goes on, counted for the first player by `sign`."""
    over = game.timestep.last
    state, timestep = select(over, (game.state, game.timestep), copies.step(game.state, action, key))
    cut = timestep.truncated & ~over
    reward = jnp.where(over | cut, 0.0, sign * jnp.sign(timestep.reward))
    after = _Half(
        state,
        timestep,
        first=players[0].observe(game.first, action),
        second=players[1].observe(game.second, action),
        outcome=game.outcome + reward,
        length=game.length + ~over,
        truncated=game.truncated | cut,
    )
    return strip_weak_types(after)


def _record(actions: Array, ply: Array, over: Array, action: Array) -> Array:
    """`actions` with one more row."""
    return actions.at[ply].set(jnp.where(over, -1, action))
