"""Who wins a game of Go that has ended: area scoring.

pgx fills the empty regions point by point after every move, in as many steps as the longest way through one.
Here regions are found in few steps, and only where a game has ended.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imaginax.types import State


def rewards(before: State, action: Array, after: State, size: int, komi: float) -> Float[Array, "2"]:
    """What a move brings both players, as pgx gives it.

    Args:
        before: the state in which it is made.
        action: the move; an illegal one loses.
        after: the state after it.
        size: of the board.
        komi: points for White.
    """
    from pgx._src.games import go

    beside = jax.vmap(go._adj_ixs, in_axes=(0, None))(jnp.arange(size * size), size)
    ended = after.terminated & ~before.terminated
    black, white = area(jnp.sign(after._x.board), beside, ended)
    outcome = jnp.where(black - komi > white, jnp.array([1.0, -1.0]), jnp.array([-1.0, 1.0]))
    outcome = jnp.where(ended, outcome[after._player_order], 0.0)
    lost = jnp.where(jnp.arange(2) == before.current_player, -1.0, 1.0)
    return jnp.where(before.legal_action_mask[action], outcome, lost)


def area(
    stones: Int[Array, "P"], beside: Int[Array, "P 4"], wanted: Bool[Array, ""]
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Points of Black and of White: their stones, and the empty regions that touch no stone of the other.

    Args:
        stones: 1 Black's, -1 White's, 0 empty.
        beside: the points beside each, -1 off the board.
        wanted: where it is False the answer has no meaning, and nothing is waited for.
    """
    points, empty = stones.size, stones == 0
    region = _regions(empty, beside, wanted)

    def of(colour: int) -> Array:
        touched = empty & ((beside >= 0) & (stones[beside] == -colour)).any(1)
        lost = jax.ops.segment_max(touched.astype(jnp.int32), region, points) > 0
        return jnp.sum(stones == colour) + jnp.sum(empty & ~lost[region])

    return of(1), of(-1)


def _regions(empty: Bool[Array, "P"], beside: Int[Array, "P 4"], wanted: Bool[Array, ""]) -> Int[Array, "P"]:
    """The lowest point of every empty point's region; of a stone itself.

    Each point takes the lowest label beside it, then that label's own, until none changes: the way that a
    label has gone doubles with every step.
    """
    here = jnp.arange(empty.size)
    joined = (beside >= 0) & empty[beside] & empty[:, None]

    def lower(carry):
        label, _ = carry
        nearby = jnp.where(joined, label[beside], label[:, None]).min(1)
        lowest = jnp.minimum(nearby, label)
        lowest = lowest[lowest]
        return lowest, (lowest != label).any()

    return jax.lax.while_loop(lambda carry: carry[1], lower, (here, wanted))[0]
