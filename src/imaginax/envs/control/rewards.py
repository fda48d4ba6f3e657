"""The shapes from which the control suite composes its rewards (Tassa et al. 2018, arXiv 1801.00690, 2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

AT_MARGIN = 0.1  # what is left of the reward one margin outside of the bounds

Falloff = Callable[[Array], Array]


def tolerance(
    x: Float[Array, "*b"],
    lower: float = 0.0,
    upper: float = 0.0,
    *,
    margin: float = 0.0,
    falloff: Falloff | None = None,
) -> Float[Array, "*b"]:
    """1 within the bounds, and outside `falloff` of the distance to them in units of `margin`.

    Without a margin it is 0 outside; the default falloff is `gaussian`.
    """
    outside = jnp.maximum(jnp.maximum(lower - x, x - upper), 0.0)
    if not margin:
        return jnp.where(outside > 0, 0.0, 1.0)
    return (falloff or gaussian)(outside / margin)


def gaussian(distance: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Bell-shaped; 0.1 at distance 1."""
    return jnp.exp(math.log(AT_MARGIN) * distance**2)


def linear(distance: Float[Array, "*b"], at_margin: float = 0.0) -> Float[Array, "*b"]:
    """Falls straight to `at_margin` at distance 1, and on to 0."""
    return jnp.maximum(1 - (1 - at_margin) * distance, 0.0)


def half_linear(distance: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Falls straight: 1/2 at distance 1, 0 at 2."""
    return linear(distance, 0.5)


def quadratic(distance: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """An inverted parabola: 0 from distance 1."""
    return jnp.maximum(1 - distance**2, 0.0)
