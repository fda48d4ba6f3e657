"""AlphaGo Zero's and AlphaZero's loss: (z - v)^2 - pi . log p + c |theta|^2 (Silver et al. 2017, Eq. 1)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree


def policy_value_loss(
    logits: Float[Array, "B A"],
    value: Float[Array, "B"],
    *,
    actions: Int[Array, "B K"],
    shares: Float[Array, "B K"],
    target: Float[Array, "B"],
    policy_weight: Float[Array, "B"],
    value_weight: Float[Array, "B"],
    scale: float = 1.0,
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """Cross-entropy and squared error, each a weighted mean over the rows.

    Args:
        logits: logits of the network's policy p.
        value: the network's value v.
        actions: actions of the target policy pi, the best first.
        shares: pi of these actions; 0 for all others.
        target: z, what v should be.
        policy_weight: weights of the rows in the cross-entropy; 0 for rows without a meaning.
        value_weight: weights of the rows in the squared error; 0 for those without a target as well.
        scale: factor of the squared error; 1 in the papers.

    Returns:
        The loss without the penalty on weights, and its parts: `policy_loss`, `value_loss`, the entropy of
        the target, below which `policy_loss` cannot fall, and how often p's favourite is the target's.
    """
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), actions, axis=1)
    cross_entropy = -jnp.sum(shares * log_p, axis=1)
    entropy = -jnp.sum(shares * jnp.log(jnp.maximum(shares, 1e-12)), axis=1)
    agrees = jnp.argmax(logits, axis=1) == actions[:, 0]
    policy_loss = _mean(cross_entropy, policy_weight)
    value_loss = _mean((target - value) ** 2, value_weight)
    metrics = {
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "target_entropy": _mean(entropy, policy_weight),
        "policy_accuracy": _mean(agrees, policy_weight),
    }
    return policy_loss + scale * value_loss, metrics


def squared_norm(params: PyTree) -> Float[Array, ""]:
    """|theta|^2 over all parameters, those of batch normalisation included."""
    return jnp.sum(jnp.stack([jnp.sum(leaf.astype(jnp.float32) ** 2) for leaf in jax.tree.leaves(params)]))


def _mean(x: Array, weight: Array) -> Array:
    return jnp.sum(x * weight) / jnp.maximum(jnp.sum(weight), 1.0)
