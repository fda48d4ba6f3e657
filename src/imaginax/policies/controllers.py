"""PILCO's policies with the moments of their controls at Gaussian beliefs (Deisenroth & Rasmussen 2011).

A preliminary policy p, linear or the mean of a Gaussian process of the features, is squashed into the bounds
(`numerics.saturation`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.models.gp.moments import Moments, spread
from imaginax.numerics.cholesky import factorise, solve_and_inverse
from imaginax.numerics.gaussian import Gaussian, Joint, linear
from imaginax.numerics.saturation import squashed_moments
from imaginax.types import Box


class LinearPolicy(NamedTuple):
    """p = weights x + offset."""

    weights: Float[Array, "A F"]
    offset: Float[Array, "A"]


class RBFPolicy(NamedTuple):
    """The mean of a Gaussian process of C observations, which are the parameters (PILCO's released `congp`).

    p_a(x) = k_a(x, c) (k_a(c, c) + 0.01^2 I)^-1 t_a, with k_a(x, y) = exp(-(x - y)' L_a^-2 (x - y) / 2).
    Targets t are controls at the centres, so that a search moves them, and not the weights of
    overlapping kernels, most of which cancel.
    """

    centres: Float[Array, "C F"]
    targets: Float[Array, "A C"]
    log_lengthscales: Float[Array, "A F"]


class Kernels(NamedTuple):
    """p_a = sum_i w_ai k_a(x, c_i): an `RBFPolicy` whose weights are worked out."""

    centres: Float[Array, "C F"]
    weights: Float[Array, "A C"]
    log_lengthscales: Float[Array, "A F"]


Policy = LinearPolicy | RBFPolicy
Prepared = LinearPolicy | Kernels

_NOISE = 0.01  # of the targets, as in the released code


def prepare(policy: Policy) -> Prepared:
    """The policy with what does not depend on the features."""
    if isinstance(policy, LinearPolicy):
        return policy
    weights = jax.vmap(_weights, (None, 0, 0))(*policy)
    return Kernels(policy.centres, weights, policy.log_lengthscales)


def _weights(
    centres: Float[Array, "C F"], targets: Float[Array, "C"], log_lengthscales: Float[Array, "F"]
) -> Float[Array, "C"]:
    scaled = centres * jnp.exp(-log_lengthscales)
    squares = jnp.sum((scaled[:, None] - scaled) ** 2, axis=-1)
    factor = factorise(jnp.exp(-squares / 2) + _NOISE**2 * jnp.eye(len(centres)))
    return solve_and_inverse(factor.cholesky, targets)[0]


def preliminary(policy: Prepared, features: Float[Array, "F"]) -> Float[Array, "A"]:
    """P at known features."""
    if isinstance(policy, LinearPolicy):
        return policy.weights @ features + policy.offset
    scaled = (features - policy.centres)[None] * jnp.exp(-policy.log_lengthscales)[:, None]
    return jnp.sum(policy.weights * jnp.exp(-jnp.sum(scaled**2, axis=-1) / 2), axis=-1)


def preliminary_moments(
    policy: Prepared, mean: Float[Array, "F"], covariance: Float[Array, "F F"]
) -> Moments:
    """Mean, covariance and gain of p at uncertain features; those of a Gaussian process's mean."""
    if isinstance(policy, LinearPolicy):
        joint = linear(Gaussian(mean, covariance), policy.weights, policy.offset)
        return Moments(joint.mean, joint.covariance, policy.weights.T)
    centred, precision = policy.centres - mean, jnp.exp(-2 * policy.log_lengthscales)
    spreads, logarithms = spread(covariance, precision)
    scaled = centred * precision[:, None]
    solved = scaled - (scaled @ spreads) * precision[:, None]
    terms = policy.weights * jnp.exp(-logarithms[:, None] / 2 - jnp.sum(centred * solved, axis=-1) / 2)
    values = jnp.sum(terms, axis=1)
    products = _products(policy.weights, centred, precision, covariance)
    return Moments(values, products - values[:, None] * values, jnp.einsum("ac,acf->fa", terms, solved))


def _products(weights: Array, centred: Array, precision: Array, covariance: Array) -> Float[Array, "A A"]:
    """E[p_a p_b]: |R|^-1/2 w_a' Q w_b (`models.gp.moments`)."""
    controls = len(weights)
    first, second = np.triu_indices(controls)
    inner, logarithms = spread(covariance, precision[first] + precision[second])
    own = -0.5 * jnp.einsum("cf,af->ac", centred**2, precision)
    z = (centred * precision[first][:, None])[:, :, None] + (centred * precision[second][:, None])[:, None]
    exponent = jnp.einsum("qijf,qfg,qijg->qij", z, inner, z) / 2 - logarithms[:, None, None] / 2
    exponent += own[first][:, :, None] + own[second][:, None]
    sums = jnp.einsum("qi,qij,qj->q", weights[first], jnp.exp(exponent), weights[second])
    place = np.zeros((controls, controls), int)
    place[first, second] = place[second, first] = np.arange(len(first))
    return sums[place]


def joint(policy: Prepared, seen: Joint, space: Box) -> Joint:
    """The joint distribution of features and the policy's controls, where the features are normal."""
    wanted = preliminary_moments(policy, seen.mean, seen.covariance)
    control = squashed_moments(Gaussian(wanted.mean, wanted.covariance), space)
    gain = wanted.gain * control.slope
    across = seen.covariance @ gain
    covariance = jnp.block([[seen.covariance, across], [across.T, control.covariance]])
    cross = jnp.concatenate([seen.cross, seen.cross @ gain], axis=1)
    return Joint(jnp.concatenate([seen.mean, control.mean]), covariance, cross)


def random_policy(
    kind: str, key: Array, features: Gaussian, controls: int, centres: int, size: float
) -> Policy:
    """Where policy search starts: random weights or targets, and centres where features are thought to be.

    Args:
        kind: `rbf` or `linear`.
        key: consumed.
        features: what is known of them.
        controls: A.
        centres: C, of an `rbf` policy.
        size: standard deviation of weights and targets.
    """
    key_centres, key_weights = jax.random.split(key)
    width = len(features.mean)
    if kind == "linear":
        return LinearPolicy(size * jax.random.normal(key_weights, (controls, width)), jnp.zeros(controls))
    deviation = jnp.sqrt(jnp.diagonal(features.covariance) + 1e-6)
    return RBFPolicy(
        features.mean + deviation * jax.random.normal(key_centres, (centres, width)),
        size * jax.random.normal(key_weights, (controls, centres)),
        jnp.broadcast_to(jnp.log(deviation + 1.0), (controls, width)),
    )
