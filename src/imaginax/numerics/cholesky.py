"""Cholesky factors of covariance matrices, and what Gaussian processes need of them.

A matrix without a usable factor gets more and more variance on its diagonal until it has one. How much, and
whether even that failed, is reported. Nothing here returns NaN without saying so.

On a CPU the matrices of a batch are factorised and solved one after the other (`numerics.sequential_vmap`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from imaginax.numerics.sequential_vmap import sequential_vmap

MOST_JITTER = 1e-3  # of the mean of the diagonal
SMALLEST = 128  # rows of a triangle that is worth halving


@sequential_vmap
def cholesky(matrix: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """The lower factor of a symmetric matrix, of which the lower triangle is read; NaN if it has none."""
    return jax.lax.linalg.cholesky(matrix, symmetrize_input=False)


@sequential_vmap
def solve_lower(lower: Float[Array, "N N"], right: Float[Array, "N M"]) -> Float[Array, "N M"]:
    """L^-1 right."""
    return jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True)


@sequential_vmap
def solve_transposed(lower: Float[Array, "N N"], right: Float[Array, "N M"]) -> Float[Array, "N M"]:
    """L^-T right."""
    return jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True, transpose_a=True)


class Factor(NamedTuple):
    """A lower Cholesky factor.

    Attributes:
        cholesky: the factor; the identity where it failed.
        jitter: what was added to the diagonal.
        failed: whether there was none.
    """

    cholesky: Float[Array, "N N"]
    jitter: Float[Array, ""]
    failed: Bool[Array, ""]


class _Attempt(NamedTuple):
    cholesky: Float[Array, "N N"]
    relative: Float[Array, ""]  # jitter over the mean of the diagonal
    usable: Bool[Array, ""]


@jax.custom_jvp
def factorise(matrix: Float[Array, "N N"]) -> Factor:
    """The factor of matrix + jitter I, with the least jitter of 0, 10, 100, ... rounding errors that works.

    A factor is usable if its smallest squared pivot is above the rounding error of the matrix' diagonal.
    The factor has a derivative, in which the jitter is a constant.
    """
    precision = jnp.finfo(matrix.dtype).eps
    scale = jnp.mean(jnp.diagonal(matrix))

    def attempt(relative: Float[Array, ""]) -> _Attempt:
        shifted = matrix + (relative * scale) * jnp.eye(len(matrix), dtype=matrix.dtype)
        lower = cholesky(shifted)
        pivots = jnp.diagonal(lower)
        # A comparison with NaN is false: a matrix that is not a number has no usable factor.
        return _Attempt(lower, relative, jnp.min(jnp.square(pivots)) > precision * scale)

    def again(last: _Attempt) -> _Attempt:
        return attempt(jnp.maximum(10.0 * last.relative, 10.0 * precision).astype(matrix.dtype))

    def hopeful(last: _Attempt) -> Bool[Array, ""]:
        return ~last.usable & (last.relative < 0.5 * MOST_JITTER) & jnp.isfinite(scale)

    last = jax.lax.while_loop(hopeful, again, attempt(jnp.zeros((), matrix.dtype)))
    identity = jnp.eye(len(matrix), dtype=matrix.dtype)
    lower = jnp.where(last.usable, last.cholesky, identity)
    jitter = jnp.where(last.relative > 0.0, last.relative * scale, 0.0)
    return Factor(lower, jitter, ~last.usable)


@factorise.defjvp
def _factorise_tangent(primals, tangents):
    """dL = L Phi(L^-1 dC L^-T), where Phi keeps the lower triangle and half of the diagonal."""
    factor = factorise(*primals)
    inverse = triangular_inverse(factor.cholesky)
    middle = jnp.tril(inverse @ tangents[0] @ inverse.T)
    middle = middle - 0.5 * jnp.diag(jnp.diagonal(middle))
    nothing: Any = np.zeros((), jax.dtypes.float0)
    return factor, Factor(factor.cholesky @ middle, jnp.zeros_like(factor.jitter), nothing)


def inverse_of(cholesky: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """(L L')^-1, by the inverse of L, so that it is positive semi-definite up to rounding.

    By halves, which spares the products with the zeros of triangular matrices: 1.4 N^3 operations for large
    N, where a full triangular solve and a full product are 3 N^3.
    """
    return gram(triangular_inverse(cholesky))


def solve_and_inverse(
    cholesky: Float[Array, "N N"], y: Float[Array, "N *M"]
) -> tuple[Float[Array, "N *M"], Float[Array, "N N"]]:
    """(L L')^-1 y = L^-T (L^-1 y), and (L L')^-1."""
    lower = triangular_inverse(cholesky)
    return lower.T @ (lower @ y), gram(lower)


@jax.custom_jvp
def triangular_inverse(lower: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """L^-1; differentiable, once in both modes."""
    return _triangular_inverse(lower)


@triangular_inverse.defjvp
def _triangular_inverse_tangent(primals, tangents):
    """-L^-1 dL L^-1."""
    inverse = triangular_inverse(*primals)
    return inverse, -inverse @ tangents[0] @ inverse


def _triangular_inverse(lower: Float[Array, "N N"], levels: int = 2) -> Float[Array, "N N"]:
    """L^-1 of [[A, 0], [C, B]] is [[A^-1, 0], [-B^-1 C A^-1, B^-1]]."""
    size = len(lower)
    if not levels or size < SMALLEST:
        return solve_lower(lower, jnp.eye(size, dtype=lower.dtype))
    half = size // 2
    first = _triangular_inverse(lower[:half, :half], levels - 1)
    second = _triangular_inverse(lower[half:, half:], levels - 1)
    between = -second @ (lower[half:, :half] @ first)
    return jnp.block([[first, jnp.zeros((half, size - half), lower.dtype)], [between, second]])


def gram(lower: Float[Array, "N N"], levels: int = 2) -> Float[Array, "N N"]:
    """T' T of a lower triangle T = [[A, 0], [C, B]], which is [[A' A + C' C, C' B], [B' C, B' B]]."""
    size = len(lower)
    if not levels or size < SMALLEST:
        return lower.T @ lower
    half = size // 2
    first, between, second = lower[:half, :half], lower[half:, :half], lower[half:, half:]
    corner = between.T @ second
    upper_left = gram(first, levels - 1) + between.T @ between
    return jnp.block([[upper_left, corner], [corner.T, gram(second, levels - 1)]])


@jax.custom_jvp
def log_density(matrix: Float[Array, "N N"], y: Float[Array, "N"]) -> Float[Array, ""]:
    """-y' C^-1 y / 2 - log |C| / 2 of a covariance matrix C; minus infinity where it has no factor.

    Its derivative is written out, tr((beta beta' - C^-1) dC) / 2 - beta' dy with beta = C^-1 y, so that the
    gradient costs one inverse and nothing is differentiated through the factorisation.
    """
    factor = factorise(matrix)
    half = solve_lower(factor.cholesky, y[:, None])[:, 0]
    value = -0.5 * half @ half - jnp.sum(jnp.log(jnp.diagonal(factor.cholesky)))
    return jnp.where(factor.failed, -jnp.inf, value)


@log_density.defjvp
def _log_density_tangent(primals, tangents):
    """Value and derivative from one factor; the derivative is zero where there is none."""
    (matrix, y), (matrix_tangent, y_tangent) = primals, tangents
    factor = factorise(matrix)
    inverse = inverse_of(factor.cholesky)
    beta = jnp.where(factor.failed, 0.0, inverse @ y)
    value = -0.5 * y @ beta - jnp.sum(jnp.log(jnp.diagonal(factor.cholesky)))
    weights = jnp.where(factor.failed, 0.0, 0.5 * (jnp.outer(beta, beta) - inverse))
    tangent = jnp.sum(weights * matrix_tangent) - beta @ y_tangent
    return jnp.where(factor.failed, -jnp.inf, value), tangent
