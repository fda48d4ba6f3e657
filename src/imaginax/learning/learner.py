"""What learning carries, and one step down a gradient: the same for every system that learns by gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from imaginax.types import Metrics

Loss = Callable[..., tuple[Float[Array, ""], Metrics, Any]]


class Learner(NamedTuple):
    """Parameters, the state of their optimiser, and the number of updates made."""

    params: PyTree
    optimiser: PyTree
    updates: Int[Array, ""]


def init_learner(params: PyTree, optimiser: optax.GradientTransformation) -> Learner:
    """A learner before its first update."""
    return Learner(params, optimiser.init(params), jnp.zeros((), jnp.int32))


def gradient_step(
    loss: Loss, optimiser: optax.GradientTransformation, learner: Learner, *arguments: Any
) -> tuple[Learner, Metrics, Any]:
    """One step of the optimiser down the gradient of `loss(params, *arguments)`.

    Args:
        loss: (params, *arguments) -> (scalar, metrics, what it inferred), as `WorldModel.loss`.
        optimiser: that of the learner's state.
        learner: before the step.
        *arguments: data and key, handed on to the loss.

    Returns:
        The learner after the step; the loss's metrics with `gradient_norm`, the norm of the gradient as the
        optimiser gets it; what the loss inferred.
    """

    def scalar(params: PyTree) -> tuple[Float[Array, ""], tuple[Metrics, Any]]:
        value, metrics, inferred = loss(params, *arguments)
        return value, (metrics, inferred)

    gradient, (metrics, inferred) = jax.grad(scalar, has_aux=True)(learner.params)
    change, state = optimiser.update(gradient, learner.optimiser, learner.params)
    params = optax.apply_updates(learner.params, change)
    metrics = metrics | {"gradient_norm": optax.tree.norm(gradient)}
    return Learner(params, state, learner.updates + 1), metrics, inferred
