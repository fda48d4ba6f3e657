"""Legal moves of Go: no suicide, no retaking of a ko, and no earlier position of the whole board again.

pgx has the first two rules, in n^4 steps for n^2 points; here all three share one search for liberties.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from imaginax.types import State


def legal(state: State, size: int) -> Bool[Array, "A"]:
    """The moves that the player to move may make; the last is to pass, which is always legal."""
    from pgx._src.games import go

    x, points = state._x, size * size
    beside = jax.vmap(go._adj_ixs, in_axes=(0, None))(jnp.arange(points), size)
    atari, liberty = _liberties(x.board, beside)
    owner = jnp.sign(x.board) * jnp.where(x.color == 0, 1, -1)
    lives = (owner == 0) | ((owner > 0) & ~atari) | ((owner < 0) & atari)  # a stone beside it has a liberty
    free = (owner == 0) & ((beside >= 0) & lives[beside]).any(-1) & (jnp.arange(points) != x.ko)
    taken_by = jnp.where(atari & (owner < 0), liberty, points)
    return jnp.append(free & ~_repeats(x, taken_by), True)


def _liberties(board: Int[Array, "P"], beside: Int[Array, "P 4"]) -> tuple[Bool[Array, "P"], Int[Array, "P"]]:
    """Of every stone, whether its chain has one liberty, and which that is.

    It is the one if the first and the last empty point beside the chain are the same.
    """
    points = board.size
    chain = jnp.abs(board)  # pgx's numbers of chains; 0 of empty points
    free = (beside >= 0) & (board[beside] == 0)
    first = jax.ops.segment_min(jnp.where(free, beside, points).min(1), chain, points + 1)[chain]
    last = jax.ops.segment_max(jnp.where(free, beside, -1).max(1), chain, points + 1)[chain]
    return first == last, first


def _repeats(x, taken_by: Int[Array, "P"]) -> Bool[Array, "P"]:
    """Points where a stone would repeat an earlier position, whoever is to move (positional superko).

    Works on the hashes that pgx keeps: a move changes that of its own point and of all stones that it takes.

    Args:
        x: pgx's inner state.
        taken_by: of every stone the point where a move takes it; P if there is none.
    """
    from pgx._src.games import go

    points = taken_by.size
    keys = go.ZOBRIST_BOARD[:, :points]
    own, other = jnp.where(x.color == 0, keys[1], keys[-1]), jnp.where(x.color == 0, keys[-1], keys[1])
    after = go._compute_hash(x) ^ keys[0] ^ own ^ _xor_by(taken_by, keys[0] ^ other)
    after = jax.lax.optimization_barrier(after)  # XLA would compute it again for every earlier position
    old = x.hash_history
    return ((after[:, None, 0] == old[None, :, 0]) & (after[:, None, 1] == old[None, :, 1])).any(-1)


def _xor_by(label: Int[Array, "P"], keys: Array) -> Array:
    """Exclusive or of the keys [P 2] with every label below P.

    A running one over the keys in the order of their labels, read at both ends of each.
    """
    running = jax.lax.associative_scan(jnp.bitwise_xor, keys[jnp.argsort(label)])
    running = jnp.concatenate([jnp.zeros_like(keys[:1]), running])
    count = jnp.cumsum(jax.ops.segment_sum(jnp.ones_like(label), label, label.size))
    begin = jnp.concatenate([jnp.zeros_like(count[:1]), count[:-1]])
    return running[count] ^ running[begin]
