"""Controls that keep their bounds, and their moments where the control that is asked for is normal.

A control p ~ N(m, S) is asked for, and u = f(p) acts. Environments clip; PILCO's policies are squashed.

    clip      u = min(max(p, low), high)
    squash    u = centre + half range (9 sin p + sin 3p) / 8    (PILCO's gSat)

The moments of both are exact. Any x that is jointly normal with p has cov(x, u) = cov(x, p) E[f'(p)], by
Stein's lemma.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from imaginax.numerics.gaussian import Gaussian, linear, trigonometric
from imaginax.types import Box

_NODES = 24  # of Gauss-Legendre: relative errors below 1e-7 up to deviations of twice the range
_CERTAIN = 1e-6  # deviations below this share of the range count as none


class Saturated(NamedTuple):
    """Moments of the controls that act.

    Attributes:
        mean: E[u].
        covariance: of u, symmetric.
        slope: E[du / dp] of each control; for a clipped one the probability that it is within its bounds.
    """

    mean: Float[Array, "A"]
    covariance: Float[Array, "A A"]
    slope: Float[Array, "A"]


def clip(control: Float[Array, "*B A"], space: Box) -> Float[Array, "*B A"]:
    """The control within its bounds; on a bound its derivative is that from the inside, 1."""
    return jnp.where(control < space.low, space.low, jnp.where(control > space.high, space.high, control))


def clipped_moments(asked: Gaussian, space: Box) -> Saturated:
    """The moments of clipped controls; differentiable once, also where nothing is uncertain.

    With z standard normal, phi and Phi its density and distribution, and a and b the bounds in deviations s
    from the mean,

        E[u] = m + s (E[max(a - z, 0)] - E[max(z - b, 0)]),    E[max(z - b, 0)] = phi(b) - b Phi(-b)

    and, by Price's theorem, d cov(u_i, u_j) / d S_ij is the probability that both are within their bounds.
    Its derivative in turn is the density at the corners of the box (Plackett). Integrated from independence,
    with S_ij = s_i s_j sin(alpha),

        cov(u_i, u_j) = S_ij P_i P_j + int_0^alpha (S_ij - s_i s_j sin t) corners(t) dt
        corners(t)    = sum over h in {a_i, b_i}, k in {a_j, b_j} of
                        +-exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos(t)^2)) / (2 pi)

    where a corner counts positively if both of its bounds are lower or both are upper ones.
    """
    mean, covariance = asked
    variance = jnp.diagonal(covariance)
    certain = variance <= (_CERTAIN * (space.high - space.low)) ** 2
    deviation = jnp.sqrt(jnp.where(certain, 1.0, variance))
    low, high = (space.low - mean) / deviation, (space.high - mean) / deviation
    applied = mean + deviation * (_beyond(-low) - _beyond(high))
    inside = jnp.asarray((mean >= space.low) & (mean <= space.high), mean.dtype)
    slope = jnp.where(certain, inside, norm.cdf(high) - norm.cdf(low))
    independent = covariance * slope[:, None] * slope
    return Saturated(
        jnp.where(certain, clip(mean, space), applied),
        independent + jnp.where(certain | certain[:, None], 0.0, _corners(covariance, deviation, low, high)),
        slope,
    )


def _beyond(bound: Float[Array, "A"]) -> Float[Array, "A"]:
    """E[max(z - bound, 0)]."""
    return norm.pdf(bound) - bound * norm.cdf(-bound)


def _corners(
    covariance: Float[Array, "A A"],
    deviation: Float[Array, "A"],
    low: Float[Array, "A"],
    high: Float[Array, "A"],
) -> Float[Array, "A A"]:
    """The integral of `clipped_moments`, which ends where its integrand is 0."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    scale = deviation[:, None] * deviation
    end = jax.lax.stop_gradient(jnp.arcsin(jnp.clip(covariance / scale, -1.0, 1.0)))
    angle = end[..., None] * jnp.asarray((nodes + 1) / 2, end.dtype)
    sine, cosine = jnp.sin(angle), jnp.cos(angle)

    def density(first: Float[Array, "A"], second: Float[Array, "A"]) -> Float[Array, "A A N"]:
        h, k = first[:, None, None], second[None, :, None]
        return jnp.exp((h * k * sine - (h**2 + k**2) / 2) / cosine**2) / (2 * np.pi)

    total = density(low, low) + density(high, high) - density(low, high) - density(high, low)
    values = (covariance[..., None] - scale[..., None] * sine) * total
    return end / 2 * (values @ jnp.asarray(weights, end.dtype))


def squash(control: Float[Array, "*B A"], space: Box) -> Float[Array, "*B A"]:
    """The control squashed into its bounds."""
    centre, half = _range(space)
    return centre + half * (9 * jnp.sin(control) + jnp.sin(3 * control)) / 8


def squashed_moments(asked: Gaussian, space: Box) -> Saturated:
    """The moments of squashed controls."""
    controls, (centre, half) = len(asked.mean), _range(space)
    eye = np.eye(controls)
    both = linear(asked, jnp.asarray(np.concatenate([eye, 3 * eye])))
    waves = trigonometric(Gaussian(both.mean, both.covariance), range(2 * controls))
    mix = np.zeros((controls, 4 * controls))  # of sin p, cos p, ..., sin 3 p, cos 3 p, ...
    mix[:, : 2 * controls : 2], mix[:, 2 * controls :: 2] = 9 / 8 * eye, 1 / 8 * eye
    found = linear(Gaussian(waves.mean, waves.covariance), half * jnp.asarray(mix), centre)
    cosine = waves.mean[1::2]
    slope = half * (9 * cosine[:controls] + 3 * cosine[controls:]) / 8
    return Saturated(found.mean, found.covariance, slope)


def _range(space: Box) -> tuple[float, float]:
    """The middle of the bounds and half of their distance."""
    return (space.low + space.high) / 2, (space.high - space.low) / 2
