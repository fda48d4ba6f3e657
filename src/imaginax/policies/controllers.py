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

from imaginax.models.gp.moments import Moments, Resolved, resolve
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
    single = resolve(covariance, precision)
    solved = centred @ (precision[:, :, None] * single.shrinkage)
    exponent = single.log_determinant[:, None] + jnp.sum(centred * solved, axis=-1)
    terms = policy.weights * jnp.exp(-exponent / 2)
    gain = jnp.einsum("ac,acf->fa", terms, solved)
    return Moments(terms.sum(1), _covariance(terms, centred, precision, covariance, single), gain)


def _covariance(
    terms: Float[Array, "A C"],
    centred: Float[Array, "C F"],
    precision: Float[Array, "A F"],
    covariance: Float[Array, "F F"],
    single: Resolved,
) -> Float[Array, "A A"]:
    """sum_ij t_ai t_bj (exp(e_ij) - 1), with e of `models.gp.moments`, from the mean instead of the middle.

    The product of the means is not in it and need not be subtracted: where the features are nearly certain,
    nothing cancels.
    """
    controls = len(terms)
    first, second = np.triu_indices(controls)
    a, b = precision[first], precision[second]
    double = resolve(covariance, a + b)
    left = a[:, :, None] * (double.spread - single.spread[first]) * a[:, None]
    right = b[:, :, None] * (double.spread - single.spread[second]) * b[:, None]
    across = a[:, :, None] * double.spread * b[:, None]
    logarithms = single.log_determinant
    constant = logarithms[first] + logarithms[second] - double.log_determinant
    rows, columns = (jnp.einsum("if,qfg,ig->qi", centred, side, centred) for side in (left, right))
    exponent = (constant[:, None, None] + rows[:, :, None] + columns[:, None]) / 2
    exponent += jnp.einsum("if,qfg,jg->qij", centred, across, centred)
    sums = jnp.einsum("qi,qij,qj->q", terms[first], jnp.expm1(exponent), terms[second])
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
