"""Normal distributions of states, and the exact moments of their linear and trigonometric functions.

A `Gaussian` is what is known of one state; functions here are of one, `jax.vmap` batches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Gaussian(NamedTuple):
    """Mean and covariance of a state of D numbers."""

    mean: Float[Array, "*B D"]
    covariance: Float[Array, "*B D D"]


class Joint(NamedTuple):
    """A function y of a normally distributed x: its moments, and its covariance with x.

    Attributes:
        mean: of y.
        covariance: of y, symmetric.
        cross: cov(x, y).
    """

    mean: Float[Array, "F"]
    covariance: Float[Array, "F F"]
    cross: Float[Array, "D F"]


def certain(mean: Float[Array, "*B D"]) -> Gaussian:
    """A state that is known exactly."""
    return Gaussian(mean, jnp.zeros((*mean.shape, mean.shape[-1]), mean.dtype))


def packed_size(size: int) -> int:
    """n of `pack`, for a state of `size` = D numbers."""
    return size + size * (size + 1) // 2


def pack(belief: Gaussian) -> Float[Array, "n"]:
    """The mean and the lower triangle of the covariance, n = D + D (D + 1) / 2 numbers."""
    return jnp.concatenate([belief.mean, belief.covariance[np.tril_indices(len(belief.mean))]])


def unpack(packed: Float[Array, "n"], size: int) -> Gaussian:
    """What `pack` packed, of `size` = D."""
    rows, columns = np.tril_indices(size)
    place = np.zeros((size, size), int)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return Gaussian(packed[:size], packed[size:][place])


def linear(belief: Gaussian, matrix: Float[Array, "F D"], offset: Array | float = 0.0) -> Joint:
    """y = matrix x + offset."""
    cross = belief.covariance @ matrix.T
    return Joint(matrix @ belief.mean + offset, matrix @ cross, cross)


def trigonometric(belief: Gaussian, angles: Sequence[int]) -> Joint:
    """y = (every number of x that is no angle, then sine and cosine of each angle).

    These are PILCO's gTrig: exact mean, covariance and input-output covariance. With the means m, variances
    v, c = cov(i, j) and e = exp(-(v_i + v_j) / 2),

        cov(sin i, sin j) = e/2 [(exp(c) - 1) cos(m_i - m_j) - (exp(-c) - 1) cos(m_i + m_j)]
        cov(cos i, cos j) = e/2 [(exp(c) - 1) cos(m_i - m_j) + (exp(-c) - 1) cos(m_i + m_j)]
        cov(sin i, cos j) = e/2 [(exp(c) - 1) sin(m_i - m_j) + (exp(-c) - 1) sin(m_i + m_j)]

    and cov(x, sin j) = cov(x, angle j) E[cos j], cov(x, cos j) = -cov(x, angle j) E[sin j].

    Args:
        belief: of x.
        angles: which numbers of x are angles, in radians.
    """
    mean, covariance = belief
    others = [i for i in range(mean.shape[0]) if i not in angles]
    if not angles:
        return Joint(mean, covariance, covariance)
    at = np.asarray(angles)
    size = 2 * len(angles)
    damping = jnp.exp(-jnp.diagonal(covariance)[at] / 2)
    sine, cosine = damping * jnp.sin(mean[at]), damping * jnp.cos(mean[at])
    of_angles = covariance[:, at]
    cross = jnp.stack([of_angles * cosine, -of_angles * sine], axis=-1).reshape(-1, size)
    block = _trigonometric_block(mean[at], of_angles[at])
    kept = covariance[np.ix_(others, others)]
    both = cross[np.asarray(others, int)]
    return Joint(
        jnp.concatenate([mean[np.asarray(others, int)], jnp.stack([sine, cosine], -1).reshape(-1)]),
        jnp.block([[kept, both], [both.T, block]]),
        jnp.concatenate([covariance[:, np.asarray(others, int)], cross], axis=1),
    )


def _trigonometric_block(mean: Float[Array, "K"], covariance: Float[Array, "K K"]) -> Float[Array, "2*K 2*K"]:
    """Covariance of (sin 1, cos 1, sin 2, cos 2, ...)."""
    size = 2 * mean.shape[0]
    variance = jnp.diagonal(covariance)
    damping = -(variance[:, None] + variance) / 2
    alike, unlike = _damped_expm1(covariance, damping) / 2, _damped_expm1(-covariance, damping) / 2
    difference, total = mean[:, None] - mean, mean[:, None] + mean
    sin_sin = alike * jnp.cos(difference) - unlike * jnp.cos(total)
    cos_cos = alike * jnp.cos(difference) + unlike * jnp.cos(total)
    sin_cos = alike * jnp.sin(difference) + unlike * jnp.sin(total)
    rows = jnp.stack([jnp.stack([sin_sin, sin_cos], -1), jnp.stack([sin_cos.T, cos_cos], -1)], axis=1)
    return rows.reshape(size, size)  # [angle, sin or cos, angle, sin or cos]


def _damped_expm1(x: Float[Array, "K K"], damping: Float[Array, "K K"]) -> Float[Array, "K K"]:
    """(exp(x) - 1) exp(damping), where damping <= -|x|: finite also where exp(x) is not."""
    above, below = jnp.where(x > 0, x, 0), jnp.where(x > 0, 0, x)
    return jnp.where(
        x > 0, -jnp.expm1(-above) * jnp.exp(above + damping), jnp.expm1(below) * jnp.exp(damping)
    )
