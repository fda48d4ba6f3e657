"""The loss of MuZero's model over K imagined steps (Schrittwieser et al. 2020, arXiv 1911.08265, Eq. 1).

    l = sum_{k=0..K} l^r(u_{t+k}, r^k) + l^v(z_{t+k}, v^k) + l^p(pi_{t+k}, p^k)

    s^0 = h(o_t),    r^k, s^k = g(s^{k-1}, a_{t+k}),    p^k, v^k = f(s^k)

Appendix G: the losses of the K imagined steps count 1 / K each, those of the first state 1, and the gradient
that enters the dynamics is halved, so that both parts weigh alike however long the unroll is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from imaginax.models.muzero.scalars import Scalar
from imaginax.types import Belief, Metrics, Params


class Weights(NamedTuple):
    """Weights of the losses; those of the policy are 1."""

    value: float = 1.0
    reward: float = 1.0


class Networks(NamedTuple):
    """The three networks as functions of their parameters.

    init:      key -> params
    represent: (params, network inputs [B ...]) -> hidden states
    advance:   (params, hidden states, actions [B]) -> (hidden states, reward outputs [B C])
    predict:   (params, hidden states) -> (logits [B A], value outputs [B C])
    scalar:    how outputs stand for values and rewards
    """

    init: Callable[[Array], Params]
    represent: Callable[[Params, Array], Belief]
    advance: Callable[[Params, Belief, Array], tuple[Belief, Array]]
    predict: Callable[[Params, Belief], tuple[Array, Array]]
    scalar: Scalar


class Targets(NamedTuple):
    """What policy and value should be at P positions of B rows; weights are 1 where that is known, else 0.

    Attributes:
        actions: actions of the target policy pi, W of them at each position.
        shares: pi of these actions; 0 for all others.
        policy_weight: whether the policy has a target.
        value: targets z of the value, for whoever moves.
        value_weight: whether the value has a target.
    """

    actions: Int[Array, "B P W"]
    shares: Float[Array, "B P W"]
    policy_weight: Float[Array, "B P"]
    value: Float[Array, "B P"]
    value_weight: Float[Array, "B P"]


class Unroll(NamedTuple):
    """What the loss learns from: B positions and the K steps after each of them.

    Attributes:
        observation: network inputs of the first positions, [B ...].
        action: actions, for K steps.
        reward: targets u of the reward of these steps, for whoever made them.
        reward_weight: 1 where the reward has a target, else 0.
        targets: targets at K + 1 positions.
        importance: weights of the rows, which correct for how replay drew them.
    """

    observation: PyTree
    action: Int[Array, "B K"]
    reward: Float[Array, "B K"]
    reward_weight: Float[Array, "B K"]
    targets: Targets
    importance: Float[Array, "B"]


def scale_gradient(x: Float[Array, "*B"], scale: float) -> Float[Array, "*B"]:
    """x, with `scale` times its gradient."""
    return scale * x + jax.lax.stop_gradient((1 - scale) * x)


def muzero_loss(
    networks: Networks, weights: Weights, params: Params, data: Unroll
) -> tuple[Float[Array, ""], Metrics, None]:
    """The mean over rows of importance times the loss of a row.

    Args:
        networks: the model's.
        weights: weights of the losses of value and reward.
        params: parameters of the networks.
        data: positions and targets.

    Returns:
        The loss; its parts without importance; nothing inferred.
    """
    steps = data.action.shape[1]
    state = networks.represent(params, data.observation)
    first = _prediction_losses(networks, params, state, jax.tree.map(lambda x: x[:, 0], data.targets))

    def unrolled(state: Array, at: tuple[Any, ...]) -> tuple[Array, tuple[Array, ...]]:
        targets, action, reward, reward_weight = at
        state, outputs = networks.advance(params, scale_gradient(state, 0.5), action)
        of_reward = reward_weight * networks.scalar.loss(outputs, reward)
        return state, (of_reward, *_prediction_losses(networks, params, state, targets))

    later = jax.tree.map(lambda x: jnp.moveaxis(x[:, 1:], 1, 0), data.targets)
    during = [jnp.moveaxis(x, 1, 0) for x in (data.action, data.reward, data.reward_weight)]
    _, (reward, policy, value) = jax.lax.scan(unrolled, state, (later, *during))
    reward, policy, value = reward.sum(0), first[0] + policy.sum(0) / steps, first[1] + value.sum(0) / steps
    row = policy + weights.value * value + weights.reward * reward / steps
    loss = jnp.mean(data.importance * row)
    parts = {"policy_loss": policy, "value_loss": value, "reward_loss": reward / steps}
    return loss, {"loss": loss} | {name: jnp.mean(part) for name, part in parts.items()}, None


def _prediction_losses(
    networks: Networks, params: Params, state: Array, targets: Targets
) -> tuple[Float[Array, "B"], Float[Array, "B"]]:
    """Losses of policy and value at one position of each row, 0 where there is no target."""
    logits, outputs = networks.predict(params, state)
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), targets.actions, axis=1)
    policy = -jnp.sum(targets.shares * log_p, axis=1)
    value = networks.scalar.loss(outputs, targets.value)
    return targets.policy_weight * policy, targets.value_weight * value
