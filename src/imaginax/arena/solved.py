"""Perfect play where a game is small enough for a table: tic-tac-toe."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from imaginax.arena.batches import draw, legal_of, shares
from imaginax.types import ConfigError, Environment, Player, SearchSummary, TimeStep

_CELLS = 9
_POWERS = 3 ** np.arange(_CELLS)
_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
Board = tuple[int, ...]  # of each cell 0 empty, 1 of the player to move, 2 of the other


def make_perfect(env: Environment) -> Player:
    """A player that never gives away half a point, and picks at random among the moves that keep the value.

    Raises:
        ConfigError: for another game than tic-tac-toe.
    """
    if env.spec.name != "tic_tac_toe":
        raise ConfigError(f"opponent 'perfect' knows tic_tac_toe only, not {env.spec.name}")
    values = jnp.asarray(tic_tac_toe_values())

    def move(params, memory, timestep: TimeStep, key: Array):
        del params
        planes = jax.vmap(env.game.planes)(timestep.observation)  # type: ignore[union-attr]
        q = values_of_moves(values, planes, legal_of(timestep))
        best = q >= q.max(axis=-1, keepdims=True)
        action = draw(best, key)
        return action, memory, SearchSummary(shares(best), q.max(-1), action[:, None])

    return Player("perfect", lambda batch: (), move)


def values_of_moves(
    values: Float[Array, "P"], planes: Array, legal: Bool[Array, "B 9"]
) -> Float[Array, "B 9"]:
    """The value of every move for the player who makes it, -inf where it is illegal.

    Args:
        values: `tic_tac_toe_values()`.
        planes: [B 3 3 2], one's own marks and the other's.
        legal: moves.
    """
    marks = planes.reshape(-1, _CELLS, 2).astype(jnp.int32)
    # After the move the sides are exchanged: one's own marks are the other's.
    code = (marks @ jnp.array([2, 1])) @ jnp.asarray(_POWERS)
    after = code[:, None] + 2 * jnp.asarray(_POWERS)
    return jnp.where(legal, -values[jnp.minimum(after, 3**_CELLS - 1)], -jnp.inf)


def tic_tac_toe_values() -> np.ndarray:
    """The value [3^9] of every position that can be reached, for the player to move; 0 for the rest.

    A position's index is the sum of its cells (0 empty, 1 mine, 2 the other's) times powers of three.
    """
    values = np.zeros(3**_CELLS, np.float32)
    known: dict[Board, int] = {}
    _solve((0,) * _CELLS, known)
    for board, value in known.items():
        values[int(np.dot(board, _POWERS))] = value
    return values


def _solve(board: Board, known: dict[Board, int]) -> int:
    if board not in known:
        if any(all(board[cell] == 2 for cell in line) for line in _LINES):
            known[board] = -1
        elif 0 not in board:
            known[board] = 0
        else:
            known[board] = max(
                -_solve(_after(board, cell), known) for cell in range(_CELLS) if not board[cell]
            )
    return known[board]


def _after(board: Board, cell: int) -> Board:
    played = (*board[:cell], 1, *board[cell + 1 :])
    return tuple((0, 2, 1)[mark] for mark in played)
