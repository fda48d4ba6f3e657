"""The saturating cost of PILCO and its exact mean and variance (Deisenroth & Rasmussen 2011, eqs. 24-25).

    c(t) = 1 - exp(-(t - target)' (t - target) / (2 width^2))

of a point t, such as the tip of a pendulum: 0 at the target, 1 far from it.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def saturating_moments(
    mean: Float[Array, "K"],
    covariance: Float[Array, "K K"],
    target: Float[Array, "K"],
    width: float,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and variance of the cost of a point t ~ N(mean, covariance).

    With W = I / width^2 and e(W) = |I + S W|^-1/2 exp(-(m - target)' W (I + S W)^-1 (m - target) / 2),

        E[c] = 1 - e(W),    Var[c] = e(2 W) - e(W)^2
    """
    offset = mean - target
    once = _expectation(offset, covariance / width**2, width)
    twice = _expectation(offset * jnp.sqrt(2.0), 2 * covariance / width**2, width)
    return 1 - once, jnp.maximum(twice - once**2, 0.0)


def _expectation(offset: Float[Array, "K"], scaled: Float[Array, "K K"], width: float) -> Float[Array, ""]:
    """E(W) of a covariance in units of the width; K is small, so that elimination is written out."""
    matrix, left = jnp.eye(len(offset), dtype=offset.dtype) + scaled, offset / width
    determinant = quadratic = jnp.zeros_like(left[0])
    determinant += 1.0
    while len(left):
        pivot, column = matrix[0, 0], matrix[1:, 0]
        determinant *= pivot
        quadratic += left[0] ** 2 / pivot
        left = left[1:] - column * left[0] / pivot
        matrix = matrix[1:, 1:] - jnp.outer(column, column) / pivot
    return jnp.exp(-quadratic / 2) / jnp.sqrt(determinant)
