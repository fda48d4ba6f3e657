"""AlphaGo Zero's and AlphaZero's loss: (z - v)^2 - pi . log p + c |theta|^2 (Silver et al. 2017, Eq. 1)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from imaginax.data.self_play import Batch
from imaginax.types import Metrics


def policy_value_loss(
    logits: Float[Array, "B A"],
    value: Float[Array, "B"],
    batch: Batch,
    *,
    value_weight: float = 1.0,
) -> tuple[Float[Array, ""], Metrics]:
    """Mean cross-entropy and squared error over the rows that have a meaning.

    Args:
        logits: of the network's policy p.
        value: v, in [-1, 1].
        batch: targets; games that were cut off have no outcome and do not count in the squared error.
        value_weight: of the squared error; 1 in the papers.

    Returns:
        The loss without the penalty on weights, and its parts: `policy_loss`, `value_loss`, the entropy of
        the target, below which `policy_loss` cannot fall, and how often p's favourite is the target's.
    """
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), batch.actions, axis=1)
    cross_entropy = -jnp.sum(batch.shares * log_p, axis=1)
    entropy = -jnp.sum(batch.shares * jnp.log(jnp.maximum(batch.shares, 1e-12)), axis=1)
    agrees = jnp.argmax(logits, axis=1) == batch.actions[:, 0]
    policy_loss = _mean(cross_entropy, batch.valid)
    value_loss = _mean((batch.outcome - value) ** 2, batch.decided)
    metrics = {
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "target_entropy": _mean(entropy, batch.valid),
        "policy_accuracy": _mean(agrees, batch.valid),
    }
    return policy_loss + value_weight * value_loss, metrics


def squared_norm(params: PyTree) -> Float[Array, ""]:
    """|theta|^2 over all parameters, those of batch normalisation included."""
    return jnp.sum(jnp.stack([jnp.sum(leaf.astype(jnp.float32) ** 2) for leaf in jax.tree.leaves(params)]))


def _mean(x: Array, weight: Array) -> Array:
    return jnp.sum(x * weight) / jnp.maximum(jnp.sum(weight), 1.0)
