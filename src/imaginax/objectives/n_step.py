"""Returns of n steps, of one player or between two who move in turn."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


def n_step_return(
    reward: Float[Array, "B T"],
    value: Float[Array, "B T"],
    player: Int[Array, "B T"],
    last: Bool[Array, "B T"],
    truncated: Bool[Array, "B T"],
    *,
    discount: float = 1.0,
    steps: int | None = None,
) -> tuple[Float[Array, "B"], Bool[Array, "B"]]:
    """What the player of step 0 gains in the next n steps of the episode, and what is expected after them.

        z = sum_{k < n} discount^k s_k r_k + discount^n s_n v_n,    s_k = 1 or -1: is it the same player?

    MuZero's target (Schrittwieser et al. 2020, Eq. 4) where one player moves; AlphaZero's, the outcome of the
    game, without `steps`. Rewards and values after the end of the episode do not count.

    Args:
        reward: reward of the player who moves in a step.
        value: expected return of that player before the step, as a search found it.
        player: player who moves.
        last: the episode ends with the step; true at least once in every row unless `steps` is given.
        truncated: it ends because it was cut off.
        discount: discount of a step.
        steps: n, at most T - 1; None for all steps of the episode and no bootstrap.

    Returns:
        z, and whether it is defined: a truncated end within the n steps leaves the rest unknown.

    Raises:
        ValueError: if step n is not among the T steps.
    """
    length = reward.shape[1]
    if steps is not None and not 1 <= steps < length:
        raise ValueError(f"steps must lie in [1, {length - 1}], got {steps}")
    ended = last.any(axis=1)
    final = jnp.where(ended, jnp.argmax(last, axis=1), length)
    n = length if steps is None else steps
    powers = jnp.asarray(discount ** np.arange(length + 1), jnp.float32)
    k = jnp.arange(length)
    sign = jnp.where(player == player[:, :1], 1.0, -1.0)
    counts = (k <= final[:, None]) & (k < n)
    total = jnp.sum(jnp.where(counts, powers[:length] * sign * reward, 0.0), axis=1)
    within = final < n
    if steps is not None:
        total = total + jnp.where(within, 0.0, powers[n] * sign[:, n] * value[:, n])
    cut = jnp.take_along_axis(truncated, jnp.minimum(final, length - 1)[:, None], axis=1)[:, 0]
    return total, ~(within & cut)
