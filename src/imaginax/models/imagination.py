"""Roll-outs in a world model's imagination: returns of given plans, and a policy in the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from imaginax.numerics.sharding import shard_along
from imaginax.types import Belief, Params, Prediction, WorldModel


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


# ------------------------------------------------ with a policy in the loop


class Imagined(NamedTuple):
    """A roll-out of H steps, time first: action t is chosen at belief t and leads to belief t + 1.

    Attributes:
        beliefs: [H+1 B ...]; the first are those from which it began.
        actions: [H B ...], as drawn.
        log_prob: [H B]; log density of the actions, which count as constants: its gradient is that of
            REINFORCE.
        entropy: [H B]; of the policy at the first H beliefs.
        prediction: [H B]; rewards, discounts, and what else the model says of each step and where it led.
    """

    beliefs: Belief
    actions: PyTree
    log_prob: Float[Array, "H B"]
    entropy: Float[Array, "H B"]
    prediction: Prediction


def imagine(
    model: WorldModel,
    params: Params,
    beliefs: Belief,
    policy: Callable[[Belief], Any],
    horizon: int,
    key: Array,
) -> Imagined:
    """What follows when the policy acts in the model: Dreamer's imagination, World Models' dream.

    Gradients pass through the model's steps, and through the actions as far as draws from the policy are
    differentiable; what must not learn is stopped by the caller, in `params`, in `beliefs` or in the policy.

    Args:
        model: predicts.
        params: its parameters.
        beliefs: [B ...], from which it begins; `starts` makes them of what `WorldModel.loss` inferred.
        policy: belief [B ...] -> distribution over actions, with `sample`, `log_prob` and `entropy`.
        horizon: H, steps.
        key: consumed.
    """

    def step(belief: Belief, key: Array) -> tuple[Belief, tuple]:
        key_action, key_predict = jax.random.split(key)
        distribution = policy(belief)
        action = distribution.sample(seed=key_action)
        log_prob = distribution.log_prob(jax.lax.stop_gradient(action))
        following, prediction = model.predict(params, belief, action, key_predict)
        return following, (following, action, log_prob, distribution.entropy(), prediction)

    _, (led_to, *rest) = jax.lax.scan(step, beliefs, jax.random.split(key, horizon))
    joined = jax.tree.map(lambda first, others: jnp.concatenate([first[None], others]), beliefs, led_to)
    return Imagined(joined, *rest)


def starts(beliefs: Belief) -> Belief:
    """Beliefs [B T ...] of sequences, one after the other: [B*T ...]."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), beliefs)
