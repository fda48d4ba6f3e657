"""How a belief of particles moves through a probabilistic ensemble (Chua et al. 2018, section 5.1).

    E      expectation: the ensemble's mean, without noise, one particle
    DS     distribution sampling: every particle draws from one Gaussian with the mixture's moments
    MM     moment matching: as DS, then the particles' predictions are redrawn from their own Gaussian fit
    TS1    trajectory sampling: every particle is handed a new member at each step
    TSinf  trajectory sampling: every particle keeps its member for the whole horizon

Members are paired with particles so that each of K members moves exactly P / K particles of every
candidate; inputs are regrouped as [K, B P / K, F], so that no particle is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.ensemble.config import Propagation

# Inputs [K, M, F] of K members to the mean and the variance (or None: no noise) of each.
MemberPredictions = Callable[
    [Float[Array, "K M F"]], tuple[Float[Array, "K M D"], Float[Array, "K M D"] | None]
]


def propagate(
    predict: MemberPredictions, members: int, mode: Propagation, inputs: Float[Array, "B P F"], key: Array
) -> Float[Array, "B P D"]:
    """One prediction for each particle, under one of the five propagation methods."""
    if mode == "TSinf":
        return _by_member(predict, members, inputs, key)
    if mode == "TS1":
        return _by_shuffled_member(predict, members, inputs, key)
    mean, variance = mixture_moments(predict, members, inputs)
    if mode == "E":
        return mean
    key_sample, key_refit = jax.random.split(key)
    prediction = _draw(mean, variance, key_sample)
    if mode == "DS":
        return prediction
    mean, variance = prediction.mean(1, keepdims=True), prediction.var(1, keepdims=True)
    return _draw(jnp.broadcast_to(mean, prediction.shape), variance, key_refit)


def mixture_moments(
    predict: MemberPredictions, members: int, inputs: Float[Array, "B P F"]
) -> tuple[Float[Array, "B P D"], Float[Array, "B P D"]]:
    """Mean and variance of the uniform mixture of members: E[var] + Var[mean]."""
    batch, particles, features = inputs.shape
    rows = inputs.reshape(1, batch * particles, features)
    means, variances = predict(jnp.broadcast_to(rows, (members, *rows.shape[1:])))
    mean, variance = means.mean(0), means.var(0)
    if variances is not None:
        variance = variance + variances.mean(0)
    return mean.reshape(batch, particles, -1), variance.reshape(batch, particles, -1)


def _by_member(
    predict: MemberPredictions, members: int, inputs: Float[Array, "B P F"], key: Array
) -> Float[Array, "B P D"]:
    """Particle p is moved by member p // (P / K)."""
    batch, particles, features = inputs.shape
    share = particles // members
    grouped = inputs.reshape(batch, members, share, features).swapaxes(0, 1)
    mean, variance = predict(grouped.reshape(members, batch * share, features))
    drawn = mean if variance is None else _draw(mean, variance, key)
    return drawn.reshape(members, batch, share, -1).swapaxes(0, 1).reshape(batch, particles, -1)


def _by_shuffled_member(
    predict: MemberPredictions, members: int, inputs: Float[Array, "B P F"], key: Array
) -> Float[Array, "B P D"]:
    """As `_by_member`, after a permutation of the particles of its own for every candidate."""
    key_order, key_draw = jax.random.split(key)
    order = jnp.argsort(jax.random.uniform(key_order, inputs.shape[:2]), axis=1)
    shuffled = jnp.take_along_axis(inputs, order[..., None], axis=1)
    prediction = _by_member(predict, members, shuffled, key_draw)
    return jnp.take_along_axis(prediction, jnp.argsort(order, axis=1)[..., None], axis=1)


def _draw(mean: Float[Array, "..."], variance: Float[Array, "..."], key: Array) -> Float[Array, "..."]:
    return mean + jnp.sqrt(variance) * jax.random.normal(key, mean.shape)
