"""The return of candidate plans in a world model's imagination."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.numerics.sharding import shard_along
from imaginax.types import Belief, Params, WorldModel


def imagined_returns(
    model: WorldModel, params: Params, belief: Belief, plans: Float[Array, "B C H A"], key: Array
) -> Float[Array, "B C"]:
    """Sum of predicted rewards of every plan, from its problem's belief.

    Rewards after a predicted end of the episode do not count, whatever they are. A plan whose return is not a
    number gets minus infinity, so that it never ranks above another. Over several devices problems are split,
    or, where there are too few, candidates.
    """
    plans = shard_along(plans, 0, 1)
    batch, candidates, horizon, _ = plans.shape
    belief = jax.tree.map(lambda x: jnp.repeat(x, candidates, axis=0), belief)
    actions = jnp.moveaxis(plans.reshape(batch * candidates, horizon, -1), 1, 0)

    def imagine(carry, step):
        belief, alive, total = carry
        action, key = step
        belief, prediction = model.predict(params, belief, action, key)
        over = alive == 0  # where a product would still be NaN if the model has no number
        total = jnp.where(over, total, total + alive * prediction.reward)
        return (belief, jnp.where(over, alive, alive * prediction.discount), total), None

    ones = jnp.ones(batch * candidates, plans.dtype)
    keys = jax.random.split(key, horizon)
    (_, _, total), _ = jax.lax.scan(imagine, (belief, ones, 0.0 * ones), (actions, keys))
    return jnp.where(jnp.isnan(total), -jnp.inf, total).reshape(batch, candidates)
