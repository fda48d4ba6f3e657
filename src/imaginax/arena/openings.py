"""How the games of a match begin: different positions, each of them played from both sides.

Players that do nothing by chance play the same game from the same position, however often they are asked.
A match therefore draws its openings without replacement, and a position that several orders of moves reach
counts once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from imaginax.arena.replay import replay
from imaginax.types import ConfigError, Environment

MAXIMUM = (
    1024  # openings kept after every ply, of twice as many moves looked at; where there are more, any of them
)
_BATCH = 256  # positions looked at side by side


def book(env: Environment, plies: int) -> Int[np.ndarray, "P T"]:
    """Moves to different positions in which the game goes on: all there are, or `MAXIMUM` of them.

    Positions are the same if a network sees them alike. Without plies there is one, the initial position.
    It runs where it is called, also while a program that calls it is traced.

    Args:
        env: the game.
        plies: moves from the initial position.

    Raises:
        ConfigError: if no game goes on for so long.
    """
    if not plies:
        return np.zeros((1, 0), np.int32)
    planes = None if env.game is None else env.game.planes
    return _book(Environment(env.spec, env.init, env.step), planes, plies)


def pairs(known: Int[np.ndarray, "P T"], games: int) -> int:
    """How many openings `games` games begin with, two games each: no more than there are.

    From the initial position as many pairs are played as asked for: whether they differ is up to the players.
    """
    return games // 2 if known.shape[1] == 0 else min(games // 2, len(known))


def deal(known: Int[np.ndarray, "P T"], count: int, key: Array) -> tuple[Int[Array, "N T"], Int[Array, "N"]]:
    """`count` openings drawn without replacement (copies of the only one without plies); their numbers."""
    if known.shape[1] == 0:
        return jnp.zeros((count, 0), jnp.int32), jnp.zeros(count, jnp.int32)
    number = jax.random.permutation(key, len(known))[:count].astype(jnp.int32)
    return jnp.asarray(known)[number], number


@functools.lru_cache(maxsize=16)
def _book(env: Environment, planes: Callable | None, plies: int) -> Int[np.ndarray, "P T"]:
    """Ply by ply, from the positions after the one before."""
    rng = np.random.default_rng(0)

    @jax.jit
    def look(moves: Int[Array, "B T"]):
        states, timesteps = jax.vmap(lambda row: replay(env, row, jax.random.key(0)))(moves)
        state, timestep = jax.tree.map(lambda leaf: leaf[:, -1], (states, timesteps))
        return state if planes is None else jax.vmap(planes)(state), timestep.legal, timestep.last

    # It may be asked for while a program is traced, under a guard against transfers.
    with jax.ensure_compile_time_eval(), jax.transfer_guard("allow"):
        moves = np.full((1, plies), -1, np.int32)
        _, legal, _ = _looked_at(look, moves)
        for ply in range(plies):
            position, action = np.nonzero(legal)
            drawn = np.sort(rng.permutation(len(position))[: 2 * MAXIMUM])
            moves = moves[position[drawn]]
            moves[:, ply] = action[drawn]
            moves, legal = _different(moves, *_looked_at(look, moves))
            kept = np.sort(rng.permutation(len(moves))[:MAXIMUM])
            moves, legal = moves[kept], legal[kept]
            if not len(moves):
                raise ConfigError(
                    f"openings of {plies} plies: no game of {env.spec.name} goes on for so long"
                )
    moves.setflags(write=False)
    return moves


def _looked_at(look: Callable, moves: Int[np.ndarray, "P T"]):
    """(hashable positions, legal moves, whether the game is over), in batches of one size."""
    seen, legal, last = [], [], []
    for start in range(0, len(moves), _BATCH):
        batch = moves[start : start + _BATCH]
        filled = np.concatenate([batch, np.repeat(batch[-1:], _BATCH - len(batch), axis=0)])
        found = [np.asarray(leaf)[: len(batch)] for leaf in jax.tree.leaves(look(filled))]
        seen += [b"".join(leaf[i].tobytes() for leaf in found[:-2]) for i in range(len(batch))]
        legal.append(found[-2])
        last.append(found[-1])
    return seen, np.concatenate(legal), np.concatenate(last)


def _different(
    moves: Int[np.ndarray, "P T"], seen: list[bytes], legal: Bool[np.ndarray, "P A"], last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Moves to the positions where the game goes on, each position once, and the legal moves there."""
    first: dict[bytes, int] = {}
    for i, position in enumerate(seen):
        first.setdefault(position, i)
    kept = [i for i in first.values() if not last[i]]
    return moves[kept], legal[kept]
