"""Covariance functions of Gaussian processes, with one length-scale for each input (ARD).

    SquaredExponential   v exp(-d^2 / 2)
    Matern32             v (1 + sqrt(3) d) exp(-sqrt(3) d)
    Matern52             v (1 + sqrt(5) d + 5/3 d^2) exp(-sqrt(5) d)
    Linear               sum_f x_f x'_f / l_f^2

with d^2 = sum_f (x_f - x'_f)^2 / l_f^2 (Rasmussen & Williams 2006, chapter 4). A kernel is a tuple of such
terms and stands for their sum; the type of each says which function it is, so that a kernel is a pytree of
arrays that describes itself. Positive numbers are kept as logarithms.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.gp.config import check_kernels


class SquaredExponential(NamedTuple):
    """Infinitely smooth functions."""

    log_lengthscales: Float[Array, "*E F"]
    log_variance: Float[Array, "*E"]


class Matern32(NamedTuple):
    """Functions that are once differentiable."""

    log_lengthscales: Float[Array, "*E F"]
    log_variance: Float[Array, "*E"]


class Matern52(NamedTuple):
    """Functions that are twice differentiable."""

    log_lengthscales: Float[Array, "*E F"]
    log_variance: Float[Array, "*E"]


class Linear(NamedTuple):
    """Linear functions through the origin; the slope along input f has standard deviation 1 / l_f."""

    log_lengthscales: Float[Array, "*E F"]


Term = SquaredExponential | Matern32 | Matern52 | Linear
Kernel = tuple[Term, ...]
TERMS: dict[str, type[Term]] = {
    "se": SquaredExponential,
    "matern32": Matern32,
    "matern52": Matern52,
    "linear": Linear,
}


def terms(names: tuple[str, ...]) -> tuple[type[Term], ...]:
    """The named terms.

    Raises:
        ConfigError: if there is no name, or one that is not known.
    """
    check_kernels(names)
    return tuple(TERMS[name] for name in names)


def make_kernel(
    terms: tuple[type[Term], ...], log_lengthscales: Float[Array, "*E F"], log_variance: Float[Array, "*E"]
) -> Kernel:
    """The sum of terms that have these length-scales and, together, this variance.

    The variance is shared out equally. A linear term gets such length-scales that its variance is its share
    at a point one length-scale from the origin along every input.
    """
    share = log_variance - math.log(len(terms))
    slope = log_lengthscales + 0.5 * (math.log(log_lengthscales.shape[-1]) - share[..., None])

    def make(term: Any) -> Term:
        return term(slope) if term is Linear else term(log_lengthscales, share)

    return tuple(make(term) for term in terms)


def cross(kernel: Kernel, x: Float[Array, "N F"], z: Float[Array, "M F"]) -> Float[Array, "N M"]:
    """Covariances between the function's values at two sets of points."""
    return functools.reduce(jnp.add, (_term(term, x, z) for term in kernel))


def diagonal(kernel: Kernel, x: Float[Array, "N F"]) -> Float[Array, "N"]:
    """Variances of the function's values, which are `cross(kernel, x, x)` on its diagonal."""
    return functools.reduce(jnp.add, (_variance(term, x) for term in kernel))


def _term(term: Term, x: Float[Array, "N F"], z: Float[Array, "M F"]) -> Float[Array, "N M"]:
    scale = jnp.exp(-term.log_lengthscales)
    if isinstance(term, Linear):
        return (x * scale) @ (z * scale).T
    squares = squared_distances(x * scale, z * scale)
    if isinstance(term, SquaredExponential):
        return jnp.exp(term.log_variance - 0.5 * squares)
    # So small a number moves no distance; it keeps the root's derivative finite where two points coincide.
    distance = jnp.sqrt(squares + 1e-30)
    if isinstance(term, Matern32):
        distance = math.sqrt(3.0) * distance
        return (1.0 + distance) * jnp.exp(term.log_variance - distance)
    polynomial = 1.0 + math.sqrt(5.0) * distance + 5.0 / 3.0 * squares
    return polynomial * jnp.exp(term.log_variance - math.sqrt(5.0) * distance)


def _variance(term: Term, x: Float[Array, "N F"]) -> Float[Array, "N"]:
    if isinstance(term, Linear):
        return jnp.sum(jnp.square(x * jnp.exp(-term.log_lengthscales)), axis=-1)
    return jnp.broadcast_to(jnp.exp(term.log_variance), x.shape[:1])


@jax.custom_jvp
def squared_distances(x: Float[Array, "N F"], z: Float[Array, "M F"]) -> Float[Array, "N M"]:
    """|x_i - z_j|^2, from the differences themselves, so that close points lose no digits.

    The derivative is written as matrix products, and nothing of size N M F is ever formed.
    """
    columns = (jnp.square(x[:, f, None] - z[:, f]) for f in range(x.shape[1]))
    return functools.reduce(jnp.add, columns)


@squared_distances.defjvp
def _squared_distances_tangent(primals, tangents):
    """2 (x_i - z_j)' (dx_i - dz_j), multiplied out about the middle of z, where its terms are small."""
    (x, z), (dx, dz) = primals, tangents
    origin = z.mean(0)
    a, b = x - origin, z - origin
    rows, columns = jnp.sum(a * dx, -1), jnp.sum(b * dz, -1)
    return squared_distances(x, z), 2.0 * (rows[:, None] + columns - dx @ b.T - a @ dz.T)
