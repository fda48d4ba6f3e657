"""Exact moment matching: a Gaussian process at a normally distributed input (Deisenroth & Rasmussen 2011).

For an input x ~ N(m, s) and independent posteriors f_a with squared-exponential kernels, the mean and
covariance of f(x) and its covariance with x have closed forms (Girard et al. 2003; PILCO, eqs. 10-23). With
D_a = L_a^-2, J_a = (I + s D_a)^-1, K_a = D_a J_a = (s + L_a^2)^-1, beta in units of the signal and A the
inverse of its covariance matrix in units of the signal's variance,

    q_ai  = |J_a|^1/2 exp(-(x_i - m)' K_a (x_i - m) / 2)                  E[k_a(x, x_i)] / sf_a^2
    M_a   = sf_a sum_i beta_ai q_ai
    V_a   = sf_a sum_i beta_ai q_ai K_a (x_i - m)                         cov(x, f_a) = s V_a
    S_ab  = sf_a sf_b sum_ij beta_ai beta_bj q_ai q_bj (exp(e_ij) - 1)
    S_aa += sf_a^2 (1 - sum_ij A_ij q_ai q_aj exp(e_ij))

where q_ai q_bj exp(e_ij) is E[k_a(x, x_i) k_b(x, x_j)] / (sf_a sf_b)^2. The variance is that of the function:
it has no noise in it.

beta is as large as the ratio of signal to noise, A as its square, and sums over them cancel: rounding of one
term of a sum over pairs counts A times. What the sums have in common is therefore not in them. exp(e) - 1 is
small where s is: the means' product need not be subtracted. The ones that A has left add up to squares,

    sum_ij A_ij q_ai q_aj = |T q_a|^2,   T' T = A    (T = L^-1 of the Cholesky factor in an exact process)

And e_ij is a polynomial whose coefficients are small where s is, and finite where s is large. With x_i and
x_j from the middle of the data, mu = m - middle and M(D) = (s^-1 + D)^-1 = (I + s D)^-1 s,

    e_ij   = c + row' x_i + column' x_j + (x_i' left x_i + x_j' right x_j) / 2 + x_i' across x_j
    across = D_a M(D_a + D_b) D_b
    left   = D_a (M(D_a + D_b) - M(D_a)) D_a,      right  = D_b (M(D_a + D_b) - M(D_b)) D_b
    row    = -across J_a mu,                       column = -across' J_b mu
    2 c    = log |I + s D_a| + log |I + s D_b| - log |I + s (D_a + D_b)| - (row + column)' mu

A certain input (s = 0) has e = 0: the variances are those of the posterior at a point, and the means have no
covariance, exactly. What rounding leaves of an eigenvalue below zero becomes zero.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from imaginax.models.gp.exact import Posterior
from imaginax.models.gp.moment_sums import (
    Exponent,
    Points,
    exp,
    features,
    moment_sums,
    padded,
    pairs,
    polynomial,
)
from imaginax.numerics.sequential_vmap import sequential_vmap


class Moments(NamedTuple):
    """What is known of E outputs at an uncertain input of F numbers.

    Attributes:
        mean: M.
        covariance: S, symmetric.
        gain: V = s^-1 cov(x, f), also where s is singular.
    """

    mean: Float[Array, "E"]
    covariance: Float[Array, "E E"]
    gain: Float[Array, "F E"]


class Prepared(NamedTuple):
    """A posterior with what moment matching uses again and again; constants, as far as gradients go.

    Attributes:
        middle: mean of the inputs.
        precision: L^-2 of every output.
        signal: standard deviations of the signals.
        inputs: from the middle, padded.
        points: them, and beta and T in units of the signal.
    """

    middle: Float[Array, "F"]
    precision: Float[Array, "E F"]
    signal: Float[Array, "E"]
    inputs: Float[Array, "N F"]
    points: Points


def prepare(posterior: Posterior) -> Prepared:
    """Everything of a posterior that does not depend on where it is asked. No gradient flows into it."""
    posterior = jax.lax.stop_gradient(posterior)
    count = len(posterior.inputs)
    size, block = padded(count)
    used = (jnp.arange(count) < posterior.count)[:, None]
    middle = jnp.sum(jnp.where(used, posterior.inputs, 0.0), axis=0) / jnp.maximum(posterior.count, 1)
    inputs = _padded(jnp.where(used, posterior.inputs - middle, 0.0), size, axis=0)
    signal = jnp.sqrt(posterior.variance)
    beta = _padded(posterior.beta * signal[:, None], size)
    root = _padded(posterior.root * signal[:, None, None], size)
    inverse = _padded(_padded(posterior.inverse, size), size, axis=-2)
    weights = beta[:, :, None] * beta[:, None] - posterior.variance[:, None, None] * inverse
    points = Points(features(inputs), beta, root, weights, -(-posterior.count // block))
    return Prepared(middle, posterior.lengthscales**-2, signal, inputs, points)


def _padded(values: Array, size: int, axis: int = -1) -> Array:
    """With zeros behind, up to `size` along an axis."""
    widths = [(0, 0)] * values.ndim
    widths[axis] = (0, size - values.shape[axis])
    return jnp.pad(values, widths)


def match(gp: Prepared, mean: Float[Array, "F"], covariance: Float[Array, "F F"]) -> Moments:
    """The moments at x ~ N(mean, covariance); every pair of outputs is computed once.

    Differentiable once in the mean and the covariance, in both modes. The covariance may be singular, or
    zero: then the mean and the variances are those of the posterior at one point.
    """
    outputs = len(gp.precision)
    first, second = pairs(outputs)
    precision = jnp.concatenate([gp.precision, gp.precision[first] + gp.precision[second]])
    resolved = resolve(covariance, precision)
    single, double = (Resolved(*(x[part] for x in resolved)) for part in np.s_[:outputs, outputs:])
    q, solved = _expected_kernels(gp, mean, single)
    sums = moment_sums(q, _exponent(gp, mean - gp.middle, single, double), gp.points)
    sums = sums.at[:outputs].add(1.0)
    place = np.zeros((outputs, outputs), int)
    place[first, second] = place[second, first] = np.arange(len(first))
    terms, scale = gp.points.beta * q, gp.signal
    values, gain = jnp.sum(terms, axis=1), jnp.einsum("en,enf->fe", terms, solved)
    return Moments(scale * values, scale[:, None] * semidefinite(sums[place]) * scale, scale * gain)


@jax.custom_jvp
def semidefinite(matrix: Float[Array, "E E"]) -> Float[Array, "E E"]:
    """The nearest positive semi-definite matrix, for one that rounding alone keeps from being it.

    A matrix that has a Cholesky factor stays as it is. The derivative is that of the identity.
    """
    return _semidefinite(matrix)


@semidefinite.defjvp
def _semidefinite_jvp(primals, tangents):
    return semidefinite(*primals), tangents[0]


@sequential_vmap
def _semidefinite(matrix: Float[Array, "E E"]) -> Float[Array, "E E"]:
    def nearest(matrix: Float[Array, "E E"]) -> Float[Array, "E E"]:
        values, vectors = jnp.linalg.eigh(matrix)
        root = vectors * jnp.sqrt(jnp.maximum(values, 0.0))
        return root @ root.T

    factor = jax.lax.linalg.cholesky(matrix, symmetrize_input=False)
    return jax.lax.cond(jnp.isfinite(factor).all(), lambda matrix: matrix, nearest, matrix)


def at_point(gp: Prepared, mean: Float[Array, "F"]) -> Float[Array, "E"]:
    """The posterior mean at an input that is known."""
    distances = ((gp.inputs - (mean - gp.middle)) ** 2) @ gp.precision.T
    return gp.signal * jnp.einsum("en,ne->e", gp.points.beta, exp(-distances / 2))


def _expected_kernels(
    gp: Prepared, mean: Float[Array, "F"], resolved: Resolved
) -> tuple[Float[Array, "E N"], Float[Array, "E N F"]]:
    """q and K (x - m)."""
    centred = gp.inputs - (mean - gp.middle)
    solved = centred @ (gp.precision[:, :, None] * resolved.shrinkage)
    exponent = resolved.log_determinant[:, None] + jnp.sum(centred * solved, axis=-1)
    return exp(-exponent / 2), solved


def _exponent(gp: Prepared, mean: Float[Array, "F"], single: Resolved, double: Resolved) -> Exponent:
    """The coefficients of e, for a mean from the middle of the data."""
    first, second = pairs(len(gp.precision))
    a, b = gp.precision[first], gp.precision[second]
    across = a[:, :, None] * double.spread * b[:, None]
    moved = single.shrinkage @ mean
    row = -jnp.einsum("qfg,qg->qf", across, moved[first])
    column = -jnp.einsum("qgf,qg->qf", across, moved[second])
    left = a[:, :, None] * (double.spread - single.spread[first]) * a[:, None]
    right = b[:, :, None] * (double.spread - single.spread[second]) * b[:, None]
    logarithms = single.log_determinant
    constant = logarithms[first] + logarithms[second] - double.log_determinant - (row + column) @ mean
    rows = polynomial(constant / 2, row, left / 2)
    return Exponent(rows, polynomial(jnp.zeros_like(constant), column, right / 2), across)


class Resolved(NamedTuple):
    """What follows from a covariance s and a diagonal matrix of precisions D.

    Attributes:
        spread: (s^-1 + D)^-1, also where s is singular.
        shrinkage: J = (I + s D)^-1.
        log_determinant: log |I + s D|.
    """

    spread: Float[Array, "Q F F"]
    shrinkage: Float[Array, "Q F F"]
    log_determinant: Float[Array, "Q"]


@jax.custom_jvp
def resolve(covariance: Float[Array, "F F"], precision: Float[Array, "Q F"]) -> Resolved:
    """By the Cholesky factor of I + D^1/2 s D^1/2, whose eigenvalues are at least 1.

    Its inverse G gives J = D^-1/2 G D^1/2 and (s^-1 + D)^-1 = J s. Nothing is subtracted, so that neither a
    small nor a large s loses digits.
    """
    root = jnp.sqrt(jnp.maximum(precision, math.sqrt(jnp.finfo(precision.dtype).tiny)))
    identity = jnp.eye(len(covariance), dtype=covariance.dtype)
    factor = jnp.linalg.cholesky(root[:, :, None] * covariance * root[:, None] + identity)
    half = jax.lax.linalg.triangular_solve(
        factor, jnp.broadcast_to(identity, factor.shape), left_side=True, lower=True
    )
    shrinkage = (half.mT @ half) * root[:, None] / root[:, :, None]
    inner = shrinkage @ covariance
    logarithms = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
    return Resolved((inner + inner.mT) / 2, shrinkage, 2 * jnp.sum(logarithms, axis=-1))


def _resolve_jvp(primals, tangents):
    """Derivatives in the covariance, and in the precision where one is asked for.

    With M = (s^-1 + D)^-1: dM = J ds J' - M dD M, dJ = -J ds D J - M dD J, and that of the logarithm is
    tr(D J ds + M dD).
    """
    covariance, precision = primals
    resolved = resolve(covariance, precision)
    shrinkage, inner = resolved.shrinkage, resolved.spread
    slopes = [jnp.zeros_like(part) for part in resolved]
    if not isinstance(tangents[0], SymbolicZero):
        moved, sloped = shrinkage @ tangents[0], precision[:, :, None] * shrinkage
        logarithm = jnp.einsum("qfg,fg->q", sloped, tangents[0])
        slopes = [moved @ shrinkage.mT, -moved @ sloped, logarithm]
    if not isinstance(tangents[1], SymbolicZero):
        weighted = inner * tangents[1][:, None]
        logarithm = jnp.trace(weighted, axis1=-2, axis2=-1)
        slopes = [slopes[0] - weighted @ inner, slopes[1] - weighted @ shrinkage, slopes[2] + logarithm]
    return resolved, Resolved(*slopes)


resolve.defjvp(_resolve_jvp, symbolic_zeros=True)
