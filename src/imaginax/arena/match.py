"""Matches between two players: all games side by side in one compiled loop, each side beginning half of them.

The games form two halves, one where the first player is to move and one where the second is. In every ply
each player thinks about its own half alone, both halves are stepped, and then the halves change hands, so
no player ever computes a move that is not played.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imaginax.arena.batches import draw, legal_of, select
from imaginax.envs.wrappers import privileged, strong, vectorise
from imaginax.types import ConfigError, Discrete, Environment, Params, Player, PyTree, State, TimeStep


class MatchResult(NamedTuple):
    """How the G games of a match went.

    outcome: for the first player 1 won, 0 drawn, -1 lost; a truncated game is drawn.
    first_began: whether the first player made the first move; the games of an opening's pair lie G/2 apart.
    length: plies played, the opening's included.
    truncated: games that the limit of the environment cut off before their end.
    actions: every move played, -1 after a game's end; None where the match was not recorded.
    """

    outcome: Float[Array, "*#G"]
    first_began: Bool[Array, "*#G"]
    length: Int[Array, "*#G"]
    truncated: Bool[Array, "*#G"]
    actions: Int[Array, "T G"] | None = None


class Score(NamedTuple):
    """A match in numbers, from the first player's view.

    `score` is (wins + draws / 2) / games and [low, high] its Wilson interval, which counts a draw as half a
    win and half a loss: with draws among the results it is wider than it needs to be.
    `beginning` and `replying` are (wins, draws, losses) with either colour.
    """

    wins: int
    draws: int
    losses: int
    score: float
    low: float
    high: float
    beginning: tuple[int, int, int]
    replying: tuple[int, int, int]
    length: float
    truncated: int

    @property
    def games(self) -> int:
        """All games of the match."""
        return self.wins + self.draws + self.losses


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
    record: bool = False,
) -> MatchResult:
    """Plays `games` games between two players; pure, to be jitted with its sizes fixed.

    Args:
        env: one game of two players, as `envs.make` gives it.
        first: the player whose results are counted.
        second: its opponent.
        params: of the first player and of the second.
        key: draws the openings and everything the players do by chance.
        games: an even number; each player begins half of them.
        openings: plies drawn at random from the legal moves before the players take over. Either player
            gets each opening from both sides.
        record: whether to keep the actions.

    Raises:
        ConfigError: for an odd number of games, fewer than two, or a world that is no game of two players.
    """
    if games < 2 or games % 2:
        raise ConfigError(f"games must be even and at least 2, so that both sides begin alike, got {games}")
    if env.spec.players != 2 or not isinstance(env.spec.action, Discrete):
        raise ConfigError(f"{env.spec.name} is no board game of two players")
    if not 0 <= openings < env.spec.max_steps:
        raise ConfigError(f"openings must be a number of plies below {env.spec.max_steps}, got {openings}")
    copies = vectorise(privileged(env), games // 2)
    carry = _start(copies, (first, second), key, openings, record)
    carry = jax.lax.while_loop(
        functools.partial(_unfinished, env.spec.max_steps),
        functools.partial(_ply, copies, (first, second), params),
        carry,
    )
    even = carry.ply % 2 == 0  # then the halves are back where they began
    began, replied = select(even, (carry.mine, carry.yours), (carry.yours, carry.mine))
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), began[-3:], replied[-3:])
    first_began = jnp.arange(games) < games // 2
    actions = jnp.concatenate(carry.actions, axis=1) if record else None
    return MatchResult(both[0], first_began, both[1], both[2], actions)


def _start(
    copies: Environment, players: tuple[Player, Player], key: Array, openings: int, record: bool
) -> _Carry:
    """Both halves after the same openings, which both players have been told of."""
    key_init, key_opening, key = jax.random.split(key, 3)
    state, timestep = copies.init(key_init)
    half = timestep.discount.shape[0]
    game = _Half(
        state,
        timestep,
        first=players[0].init(half),
        second=players[1].init(half),
        outcome=jnp.zeros(half),
        length=jnp.zeros(half, jnp.int32),
        truncated=jnp.zeros(half, bool),
    )
    rows = copies.spec.max_steps if record else 0
    blank = jnp.full((rows, half), -1, jnp.int32)
    opening = functools.partial(_opening_ply, copies, players)
    (game, actions), _ = jax.lax.scan(
        opening, (strong(game), blank), (jnp.arange(openings), jax.random.split(key_opening, openings))
    )
    # Rewards were counted for whoever began: the first player in one half, the second in the other.
    other = game._replace(outcome=-game.outcome)
    mine, yours = (game, other) if openings % 2 == 0 else (other, game)
    return _Carry(mine, yours, (actions, actions), jnp.int32(openings), key)


def _opening_ply(copies: Environment, players, carry: tuple[_Half, Array], at: tuple[Array, Array]):
    """One random ply of the opening; `sign` counts its reward for whoever began."""
    game, actions = carry
    ply, key = at
    key_move, key_step = jax.random.split(key)
    action = draw(legal_of(game.timestep), key_move)
    actions = _record(actions, ply, game.timestep.last, action)
    sign = jnp.where(ply % 2 == 0, 1.0, -1.0)
    return (_play(copies, players, game, action, sign, key_step), actions), None


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
    return strong(after)


def _record(actions: Array, ply: Array, over: Array, action: Array) -> Array:
    """`actions` with one more row; nothing where the match is not recorded (no rows)."""
    if actions.shape[0] == 0:
        return actions
    return actions.at[ply].set(jnp.where(over, -1, action))


def wilson(score: float, games: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a probability estimated by `score` from `games` trials."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (score + z * z / (2 * games)) / (1 + z * z / games)
    spread = z / (1 + z * z / games) * math.sqrt(score * (1 - score) / games + (z / (2 * games)) ** 2)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def summarise(result: MatchResult) -> Score:
    """Counts a match on the host."""
    outcome, began = np.asarray(result.outcome), np.asarray(result.first_began)
    wins, draws, losses = _counts(outcome)
    score = float((outcome.mean() + 1) / 2)
    return Score(
        wins,
        draws,
        losses,
        score,
        *wilson(score, outcome.size),
        beginning=_counts(outcome[began]),
        replying=_counts(outcome[~began]),
        length=float(np.mean(result.length)),
        truncated=int(np.sum(result.truncated)),
    )


def _counts(outcome: np.ndarray) -> tuple[int, int, int]:
    return int((outcome > 0).sum()), int((outcome == 0).sum()), int((outcome < 0).sum())


def replay(env: Environment, actions: Int[Array, " T"], key: Array) -> tuple[State, TimeStep]:
    """The states and time steps [T + 1, ...] of one recorded game, for pictures, records and solvers.

    Args:
        env: the game that was played.
        actions: its moves, -1 after its end, where the last state is repeated.
        key: of `env.init`, which decides nothing that shows on the board of the games here.
    """
    env = privileged(env)
    first = strong(env.init(key))
    _, rest = jax.lax.scan(functools.partial(_replay_step, env), first, actions)
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)


def _replay_step(env: Environment, carry: tuple[State, TimeStep], action: Array):
    played = strong(env.step(carry[0], jnp.maximum(action, 0), jax.random.key(0)))
    carry = select(action >= 0, played, carry)
    return carry, carry
