"""The sums over all pairs of points that moment matching spends its time on, with their derivatives.

For every pair (a, b) of outputs moment matching needs

    S = sum_ij W_ij q_ai q_bj (exp(e_ij) - 1), and - |T_a q_a|^2 where a = b,
    e_ij = row' f(x_i) + column' f(x_j) + x_i' across x_j,    f(x) = (1, x, x x')

with points x_i and W = beta_a beta_b' - [a = b] T_a' T_a, and its derivatives in q and in the coefficients
of e. The latter are moments of the points under the weights W_ij q_ai q_bj exp(e_ij), so that one pass over
the N x N terms gives the value and everything that a gradient needs: nothing of size N x N is kept for a
backward pass, and none is made. The pass goes over square blocks of points; blocks without any point are left
out while the program runs. The moments under W_ij q_ai q_bj alone need no pass: W is known by its factors,
which is also more precise where W is large.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from imaginax.numerics.sequential_vmap import sequential_vmap

_BLOCK = 64  # points of a block at most: its exponentials stay in a core's cache
_MAGIC = 1.5 * 2.0**52  # adding it leaves an integer in the low bits of a float64
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
_LEAST = -709.0  # rounds to 2^-1023, whose bits are those of zero


class Points(NamedTuple):
    """The points of Gaussian processes, in what the sums need of them; N is a multiple of the block.

    Attributes:
        features: f(x).
        beta: of every output.
        root: T of every output.
        weights: beta beta' - T' T of every output.
        blocks: number of blocks that hold a point.
    """

    features: Float[Array, "N P"]
    beta: Float[Array, "E N"]
    root: Float[Array, "E R N"]
    weights: Float[Array, "E N N"]
    blocks: Int[Array, ""]


class Exponent(NamedTuple):
    """The coefficients of e, a polynomial of degree 2 in the points, of every pair of outputs."""

    row: Float[Array, "Q P"]
    column: Float[Array, "Q P"]
    across: Float[Array, "Q F F"]


def features(x: Float[Array, "N F"]) -> Float[Array, "N P"]:
    """f(x) = (1, x, x x'), 1 + F + F^2 numbers."""
    return polynomial(jnp.ones_like(x[:, 0]), x, x[:, :, None] * x[:, None])


def polynomial(
    constant: Float[Array, "Q"], linear: Float[Array, "Q F"], quadratic: Float[Array, "Q F F"]
) -> Float[Array, "Q P"]:
    """Coefficients of f(x)."""
    flat = quadratic.reshape(len(quadratic), -1)
    return jnp.concatenate([constant[:, None], linear, flat], axis=1)


def padded(points: int) -> tuple[int, int]:
    """(N, size of a block) for so many points: the least multiple that wastes little."""
    blocks = -(-points // _BLOCK)
    block = -(-points // (4 * blocks)) * 4
    return blocks * block, block


def pairs(outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """(a, b) of all pairs of outputs: first every output with itself, then those with a < b."""
    first, second = np.triu_indices(outputs, 1)
    own = np.arange(outputs)
    return np.concatenate([own, first]), np.concatenate([own, second])


@jax.custom_jvp
def moment_sums(q: Float[Array, "E N"], exponent: Exponent, points: Points) -> Float[Array, "Q"]:
    """S of all `pairs`; differentiable in q and e, once, in both modes."""
    first, _ = pairs(len(q))
    explained = jnp.sum(jnp.square(jnp.einsum("ern,en->er", points.root, q)), axis=1)
    sums = jnp.sum(q[first] * _sums(q, exponent, points).across[..., 0], axis=1)
    return sums.at[: len(q)].add(-explained)


@moment_sums.defjvp
def _pair_sums_jvp(primals, tangents):
    q, exponent, points = primals
    first, second = pairs(len(q))
    sums = _sums(q, exponent, points)
    explained = points.root @ (q[..., None] * _linear(points, exponent))  # T q (1, x)
    back = jnp.einsum("er,ern->en", explained[..., 0], points.root)  # T' T q
    rows, columns = sums.across[..., 0], sums.down
    value = jnp.sum(q[first] * rows, axis=1).at[: len(q)].add(-jnp.sum(q * back, axis=1))
    change = jnp.sum(tangents[0][first] * rows, axis=1) + jnp.sum(tangents[0][second] * columns, axis=1)
    change = change.at[: len(q)].add(-2.0 * jnp.sum(tangents[0] * back, axis=1))
    for slope, dot in zip(_slopes(q, exponent, sums, explained, back, points), tangents[1], strict=True):
        change += jnp.sum((slope * dot).reshape(len(change), -1), axis=1)
    return value, change


class _Sums(NamedTuple):
    """Sums over one of both points, with P_ij = W_ij (exp(e_ij) - 1).

    Attributes:
        across: sum_j P_ij q_bj (1, x_j).
        down: sum_i P_ij q_ai.
    """

    across: Float[Array, "Q N X"]
    down: Float[Array, "Q N"]


def _slopes(
    q: Float[Array, "E N"],
    exponent: Exponent,
    sums: _Sums,
    explained: Float[Array, "E R X"],
    back: Float[Array, "E N"],
    points: Points,
) -> Exponent:
    """dS in the coefficients of e: moments under W_ij q_ai q_bj exp(e_ij)."""
    first, second = pairs(len(q))
    x, terms = _linear(points, exponent), points.beta * q
    means = terms @ x
    rows = q[first] * sums.across[..., 0] + terms[first] * means[second][:, :1]
    columns = q[second] * sums.down + terms[second] * means[first][:, :1]
    own = q * back
    rows, columns = rows.at[: len(q)].add(-own), columns.at[: len(q)].add(-own)
    across = x[:, 1:].T @ (q[first][..., None] * sums.across[..., 1:])
    across += means[first][:, 1:, None] * means[second][:, None, 1:]
    across = across.at[: len(q)].add(-explained[..., 1:].mT @ explained[..., 1:])
    return Exponent(rows @ points.features, columns @ points.features, across)


@sequential_vmap
def _sums(q: Float[Array, "E N"], exponent: Exponent, points: Points) -> _Sums:
    """One pass over all pairs of points."""
    assert len(points.features) == padded(len(points.features))[0], "the points are not padded"
    outputs = len(q)
    left, right = _sides(exponent, points)
    x = _linear(points, exponent)
    own = _own_sums(q[..., None] * x, left[:outputs], right[:outputs], points)
    across, down = _mixed_sums(q, x, left[outputs:], right[outputs:], points)
    return _Sums(jnp.concatenate([own, across]), jnp.concatenate([own[..., 0], down]))


def _own_sums(
    ahead: Float[Array, "E N X"],
    left: Float[Array, "E N Y"],
    right: Float[Array, "E N Y"],
    points: Points,
) -> Float[Array, "E N X"]:
    """Sums across of every output with itself: symmetric, so that half of the blocks give the others."""
    block = padded(len(points.features))[1]

    def add(i: Array, j: Array, sums: Float[Array, "E N X"]) -> Float[Array, "E N X"]:
        start = (jnp.zeros_like(i), i * block, j * block)
        weights = jax.lax.dynamic_slice(points.weights, start, (len(ahead), block, block))
        terms = weights * expm1(_exponents(left, right, start, block))
        sums = _add(sums, jnp.einsum("qij,qjf->qif", terms, _cut(ahead, start[2], block)), start[1])
        mirrored = jnp.einsum("qif,qij->qfj", _cut(ahead, start[1], block), terms).mT
        return _add(sums, jnp.where(i < j, mirrored, 0.0), start[2])

    def column(j: Array, sums: Float[Array, "E N X"]) -> Float[Array, "E N X"]:
        return jax.lax.fori_loop(0, j + 1, lambda i, sums: add(i, j, sums), sums)

    return jax.lax.fori_loop(0, points.blocks, column, jnp.zeros_like(ahead))


def _mixed_sums(
    q: Float[Array, "E N"],
    x: Float[Array, "N X"],
    left: Float[Array, "Q N Y"],
    right: Float[Array, "Q N Y"],
    points: Points,
) -> _Sums:
    """Those of two outputs, whose weights are products of beta."""
    block = padded(len(points.features))[1]
    first, second = (of[len(q) :] for of in pairs(len(q)))
    rows, columns = points.beta[first] * q[first], points.beta[second] * q[second]
    ahead = columns[..., None] * x

    def add(index: Array, sums: _Sums) -> _Sums:
        start = (0, index // points.blocks * block, index % points.blocks * block)
        terms = expm1(_exponents(left, right, start, block))
        across = jnp.einsum("qij,qjf->qif", terms, _cut(ahead, start[2], block))
        down = jnp.einsum("qij,qi->qj", terms, _cut(rows, start[1], block))
        return _Sums(_add(sums.across, across, start[1]), _add(sums.down, down, start[2]))

    sums = _Sums(jnp.zeros_like(ahead), jnp.zeros_like(rows))
    sums = jax.lax.fori_loop(0, points.blocks**2, add, sums)
    return _Sums(points.beta[first][..., None] * sums.across, points.beta[second] * sums.down)


def _exponents(
    left: Float[Array, "Q N Y"], right: Float[Array, "Q N Y"], start: tuple[Any, Any, Any], block: int
) -> Float[Array, "Q n n"]:
    """e of a block."""
    return jnp.einsum("qif,qjf->qij", _cut(left, start[1], block), _cut(right, start[2], block))


def _linear(points: Points, exponent: Exponent) -> Float[Array, "N X"]:
    """(1, x)."""
    return points.features[:, : 1 + exponent.across.shape[-1]]


def _sides(exponent: Exponent, points: Points) -> tuple[Float[Array, "Q N Y"], Float[Array, "Q N Y"]]:
    """e_ij as a product of what belongs to i and what belongs to j."""
    x = _linear(points, exponent)[:, 1:]
    rows, columns = (side @ points.features.T for side in (exponent.row, exponent.column))
    one = jnp.ones_like(rows)[..., None]
    left = jnp.concatenate([x @ exponent.across, rows[..., None], one], axis=-1)
    right = jnp.concatenate([jnp.broadcast_to(x, (len(one), *x.shape)), one, columns[..., None]], axis=-1)
    return left, right


def _add(total: Float[Array, "Q N *F"], part: Float[Array, "Q n *F"], start: Array) -> Float[Array, "Q N *F"]:
    size = part.shape[1]
    return jax.lax.dynamic_update_slice_in_dim(total, _cut(total, start, size) + part, start, axis=1)


def _cut(values: Float[Array, "Q N *F"], start: Array, size: int) -> Float[Array, "Q n *F"]:
    return jax.lax.dynamic_slice_in_dim(values, start, size, axis=1)


def exp(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The exponential function; in float64 on a CPU faster than XLA's, to 4e-16 relative.

    exp(x) = 2^n exp(r) with n the integer next to x / ln 2: a polynomial of degree 12 for exp(r), and n is
    written into the exponent's bits. No branch and no table, so that the compiler vectorises it. It is zero
    below -708.7, where the numbers are no longer normal, and infinite above 709.4.
    """
    if x.dtype != jnp.float64:
        return jnp.exp(x)
    return jax.lax.platform_dependent(x, cpu=_exp_of_doubles, default=jnp.exp)


def _exp_of_doubles(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    power, rest = _powers(jnp.minimum(x, -_LEAST + 1.0))
    return power * (1 + rest)


def expm1(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """exp(x) - 1, to rounding also where x is small; otherwise as `exp`.

    Above 0.85 of the logarithm of the largest number, x counts as that, so that the result is finite.
    """
    x = jnp.minimum(x, 0.85 * math.log(float(jnp.finfo(x.dtype).max)))
    if x.dtype != jnp.float64:
        return jnp.expm1(x)
    return jax.lax.platform_dependent(x, cpu=_expm1_of_doubles, default=jnp.expm1)


def _expm1_of_doubles(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    power, rest = _powers(x)
    return power * rest + (power - 1)


def _powers(x: Float[Array, "*n"]) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """2^n and exp(r) - 1 with x = n ln 2 + r and |r| <= ln 2 / 2."""
    x = jnp.maximum(x, _LEAST)
    n = jnp.round(x * (1 / math.log(2)))
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = jnp.full_like(r, 1 / math.factorial(12))
    for k in range(11, 0, -1):
        series = series * r + 1 / math.factorial(k)
    bits = jax.lax.bitcast_convert_type(n + _MAGIC, jnp.int64)
    return jax.lax.bitcast_convert_type((bits << 52) + (1023 << 52), x.dtype), series * r
