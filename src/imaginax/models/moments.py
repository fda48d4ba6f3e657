"""Exact moment matching: a Gaussian process at a normally distributed input (Deisenroth & Rasmussen 2011).

For an input x ~ N(m, s) and independent posteriors f_a with squared-exponential kernels, the mean and
covariance of f(x) and its covariance with x have closed forms (Girard et al. 2003; PILCO, eqs. 10-23):

    M_a   = c_a sum_i beta_ai exp(-nu_i' (s + L_a^2)^-1 nu_i / 2),  c_a = sf_a^2 |I + L_a^-1 s L_a^-1|^-1/2
    V_a   = c_a sum_i beta_ai exp(..) (s + L_a^2)^-1 nu_i,          cov(x, f_a) = s V_a
    S_ab  = |R|^-1/2 beta_a' Q beta_b - M_a M_b,                    R = s (L_a^-2 + L_b^-2) + I
    S_aa += sf_a^2 - |R|^-1/2 tr((K_a + sn_a^2 I)^-1 Q)

with nu_i = x_i - m. The variance is that of the function: it has no noise in it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from imaginax.models.gp import Posterior
from imaginax.models.pair_sums import Points, exp, padded, pair_sums


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
        inputs: x, padded.
        precision: L^-2 of every output.
        variance: signal variances.
        weights: beta, padded.
        points: of all pairs of outputs a <= b.
    """

    inputs: Float[Array, "N F"]
    precision: Float[Array, "E F"]
    variance: Float[Array, "E"]
    weights: Float[Array, "E N"]
    points: Points


def prepare(posterior: Posterior) -> Prepared:
    """Everything of a posterior that does not depend on where it is asked. No gradient flows into it."""
    posterior = jax.lax.stop_gradient(posterior)
    outputs, count = posterior.beta.shape
    first, second = np.triu_indices(outputs)
    extra = padded(count)[0] - count
    inputs = jnp.pad(posterior.inputs, ((0, extra), (0, 0)))
    beta = jnp.pad(posterior.beta, ((0, 0), (0, extra)))
    inverse = jnp.pad(posterior.inverse, ((0, 0), (0, extra), (0, extra)))
    precision = posterior.lengthscales**-2
    own = jnp.asarray(first == second, beta.dtype)[:, None, None]
    points = Points(
        inputs=inputs,
        precision=(precision[first], precision[second]),
        offset=(jnp.log(posterior.variance)[first], jnp.log(posterior.variance)[second]),
        weights=beta[first][:, :, None] * beta[second][:, None, :] - own * inverse[first],
        blocks=_blocks(jnp.diagonal(inverse[0])),
    )
    return Prepared(inputs, precision, posterior.variance, beta, points)


def _blocks(diagonal: Float[Array, "N"]) -> Int[Array, ""]:
    """Blocks up to the last point; padding has a zero inverse."""
    block = padded(diagonal.shape[0])[1]
    last = jnp.max(jnp.where(diagonal != 0, jnp.arange(1, diagonal.shape[0] + 1), 0))
    return -(-last // block)


def match(gp: Prepared, mean: Float[Array, "F"], covariance: Float[Array, "F F"]) -> Moments:
    """The moments at x ~ N(mean, covariance); every pair of outputs is computed once.

    Differentiable once in the mean and the covariance, in both modes. The covariance may be singular, or
    zero: then the mean and the variances are those of the posterior at one point.
    """
    outputs = gp.precision.shape[0]
    first, second = np.triu_indices(outputs)
    precision = jnp.concatenate([gp.precision, gp.precision[first] + gp.precision[second]])
    spreads, log_determinants = spread(covariance, precision)
    values, gain = _means(gp, mean, spreads[:outputs], log_determinants[:outputs])
    sums = pair_sums(mean, spreads[outputs:], gp.points) * jnp.exp(-log_determinants[outputs:] / 2)
    sums += jnp.asarray(first == second) * gp.variance[first] - values[first] * values[second]
    place = np.zeros((outputs, outputs), int)
    place[first, second] = place[second, first] = np.arange(len(first))
    return Moments(values, sums[place], gain)


def at_point(gp: Prepared, mean: Float[Array, "F"]) -> Float[Array, "E"]:
    """The posterior mean at an input that is known."""
    centred = gp.inputs - mean
    distances = (centred**2) @ gp.precision.T
    return gp.variance * jnp.einsum("en,ne->e", gp.weights, exp(-distances / 2))


def _means(
    gp: Prepared,
    mean: Float[Array, "F"],
    spreads: Float[Array, "E F F"],
    log_determinants: Float[Array, "E"],
) -> tuple[Float[Array, "E"], Float[Array, "F E"]]:
    """M and V, with (s + L^2)^-1 = L^-2 - L^-2 spread L^-2."""
    centred = gp.inputs - mean
    scaled = centred * gp.precision[:, None]
    solved = scaled - (scaled @ spreads) * gp.precision[:, None]
    log_scale = jnp.log(gp.variance) - log_determinants / 2
    terms = gp.weights * exp(log_scale[:, None] - jnp.sum(centred * solved, axis=-1) / 2)
    return jnp.sum(terms, axis=1), jnp.einsum("en,enf->fe", terms, solved)


@jax.custom_jvp
def spread(
    covariance: Float[Array, "F F"], precision: Float[Array, "Q F"]
) -> tuple[Float[Array, "Q F F"], Float[Array, "Q"]]:
    """(s^-1 + D)^-1 = (I + s D)^-1 s and log |I + s D| for diagonal matrices D; s may be singular.

    Both come from the Cholesky factor of I + D^1/2 s D^1/2, whose eigenvalues are at least 1.
    """
    root = jnp.sqrt(precision)
    scaled = root[:, :, None] * covariance * root[:, None, :]
    factor = jnp.linalg.cholesky(scaled + jnp.eye(len(covariance), dtype=covariance.dtype))
    half = jax.lax.linalg.triangular_solve(factor, scaled, left_side=True, lower=True)
    # s~ - s~ (I + s~)^-1 s~ = (I + s~)^-1 s~, symmetric as it stands
    inner = (scaled - half.mT @ half) / (root[:, :, None] * root[:, None, :])
    logarithms = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
    return inner, 2 * jnp.sum(logarithms, axis=-1)


@spread.defjvp
def _spread_jvp(primals, tangents):
    covariance, precision = primals
    inner, log_determinant = spread(covariance, precision)
    # with B = I - spread D: d spread = B ds B' and d log|I + s D| = tr(D B ds)
    left = jnp.eye(len(covariance), dtype=inner.dtype) - inner * precision[:, None, :]
    changed = left @ tangents[0] @ left.mT
    slope = precision[:, :, None] * left
    return (inner, log_determinant), (changed, jnp.einsum("qfg,fg->q", slope, tangents[0]))
