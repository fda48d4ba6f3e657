"""Returns of imagined or real stretches of experience; time is the first axis.

Rewards, discounts and values may be counted from a state or from an action: `lambda_returns` pairs each
reward with the discount and the value of what follows it, and leaves to its caller whether a state's value
includes the reward that came with it (Dreamer and DreamerV2: yes; DreamerV3 and most of the field: no).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def lambda_returns(
    rewards: Float[Array, "H *B"],
    discounts: Float[Array, "H *B"],
    next_values: Float[Array, "H *B"],
    *,
    decay: float,
) -> Float[Array, "H *B"]:
    """R_t = r_t + d_t ((1 - lambda) v_t + lambda R_{t+1}), whose last step takes the whole value.

    That is the exponentially weighted average of all n-step returns (Sutton & Barto 2018, section 12.1;
    Dreamer, arXiv 1912.01603, Eq. 6).

    Args:
        rewards: r_t.
        discounts: d_t of what follows the reward, 0 after an end.
        next_values: v_t, the value of what follows the reward.
        decay: lambda, 0 for one-step returns, 1 for the sum of all rewards and the last value.
    """

    def back(following: Array, step: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        reward, discount, value = step
        here = reward + discount * ((1 - decay) * value + decay * following)
        return here, here

    return jax.lax.scan(back, next_values[-1], (rewards, discounts, next_values), reverse=True)[1]


def reaching(discounts: Float[Array, "H *B"]) -> Float[Array, "H *B"]:
    """The weight of each step: the product of the discounts before it, 1 at the first.

    What is imagined past a likely end counts as little as it is likely to be reached, the step that ends the
    episode itself in full.
    """
    before = jnp.concatenate([jnp.ones_like(discounts[:1]), discounts[:-1]])
    return jnp.cumprod(before, axis=0)
