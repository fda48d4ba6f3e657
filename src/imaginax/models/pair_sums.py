"""The sums over all pairs of points that moment matching spends its time on, with their derivatives.

For every pair (a, b) of outputs, with Lambda = L^-2 and D = Lambda_a + Lambda_b, moment matching needs

    S = sum_ij W_ij exp(k_a(x_i) + k_b(x_j) + z_ij' M z_ij / 2)
    z_ij = Lambda_a (x_i - m) + Lambda_b (x_j - m)

and its derivatives. All of them are second moments of (z, 1) under the weights P_ij = W_ij exp(..):

    dS = (sum P z)' (I - M D)' dm + <sum P z z', dM> / 2

so that one pass over the N x N terms gives the value and everything that a gradient needs: nothing of size
N x N is kept for a backward pass, and none is made. The pass goes over square blocks of points; blocks
without any point are left out while the program runs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from imaginax.one_by_one import one_by_one

_BLOCK = 64  # points of a block at most: its exponentials stay in a core's cache
_MAGIC = 1.5 * 2.0**52  # adding it leaves an integer in the low bits of a float64
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
_LEAST = -700.0  # exp of it is 1e-304


class Points(NamedTuple):
    """The points of a Gaussian process, in what the sums need of them; N is a multiple of the block.

    Attributes:
        inputs: x.
        precision: Lambda of both outputs of every pair, as (first, second).
        offset: log signal variances of them.
        weights: W of every pair.
        blocks: number of blocks that hold a point.
    """

    inputs: Float[Array, "N F"]
    precision: tuple[Float[Array, "Q F"], Float[Array, "Q F"]]
    offset: tuple[Float[Array, "Q"], Float[Array, "Q"]]
    weights: Float[Array, "Q N N"]
    blocks: Int[Array, ""]


def padded(points: int) -> tuple[int, int]:
    """(N, size of a block) for so many points: the least multiple that wastes little."""
    blocks = -(-points // _BLOCK)
    block = -(-points // (4 * blocks)) * 4
    return blocks * block, block


@jax.custom_jvp
def pair_sums(mean: Float[Array, "F"], spread: Float[Array, "Q F F"], points: Points) -> Float[Array, "Q"]:
    """S of every pair; differentiable in the mean m and the spread M, once, in both modes."""
    return _second_moments(mean, spread, points)[:, -1, -1]


@pair_sums.defjvp
def _pair_sums_jvp(primals, tangents):
    mean, spread, points = primals
    mean_dot, spread_dot, _ = tangents
    moments = _second_moments(mean, spread, points)
    total, first, second = moments[:, -1, -1], moments[:, :-1, -1], moments[:, :-1, :-1]
    both = points.precision[0] + points.precision[1]
    slope = first - both * jnp.einsum("qfg,qg->qf", spread, first)
    return total, slope @ mean_dot + jnp.einsum("qfg,qfg->q", second, spread_dot) / 2


@one_by_one
def _second_moments(
    mean: Float[Array, "F"], spread: Float[Array, "Q F F"], points: Points
) -> Float[Array, "Q F+1 F+1"]:
    """sum_ij P_ij (z, 1)(z, 1)' of every pair."""
    size, block = padded(points.inputs.shape[0])
    assert size == points.inputs.shape[0], "the points are not padded"
    centred = points.inputs - mean
    rows, log_rows = _side(centred, points.precision[0], points.offset[0], spread)
    columns, log_columns = _side(centred, points.precision[1], points.offset[1], spread)
    one = jnp.ones_like(log_rows)[..., None]
    left = jnp.concatenate([rows @ spread, log_rows[..., None], one], axis=-1)
    right = jnp.concatenate([columns, one, log_columns[..., None]], axis=-1)
    ahead = jnp.concatenate([columns, one], axis=-1)

    def add(index: Array, sums: _Sums) -> _Sums:
        i, j = index // points.blocks * block, index % points.blocks * block
        exponent = jnp.einsum("qif,qjf->qij", _cut(left, i, block), _cut(right, j, block))
        weights = jax.lax.dynamic_slice(points.weights, (0, i, j), exponent.shape) * exp(exponent)
        across = jnp.einsum("qij,qjf->qif", weights, _cut(ahead, j, block))
        down = jnp.einsum("qij,qi->qj", weights, one[:, :block, 0])
        return _Sums(_add(sums.across, across, i), _add(sums.down, down, j))

    sums = jax.lax.fori_loop(0, points.blocks**2, add, _Sums(jnp.zeros_like(ahead), jnp.zeros_like(log_rows)))
    behind = jnp.concatenate([rows, 0 * one], axis=-1)
    mixed = behind.mT @ sums.across
    own = (behind.mT * sums.across[:, None, :, -1]) @ behind + (ahead.mT * sums.down[:, None]) @ ahead
    return own + mixed + mixed.mT


class _Sums(NamedTuple):
    """What the terms add up to: P (z_b, 1) for every row, and P for every column."""

    across: Float[Array, "Q N F+1"]
    down: Float[Array, "Q N"]


def _add(total: Float[Array, "Q N *F"], part: Float[Array, "Q n *F"], start: Array) -> Float[Array, "Q N *F"]:
    size = part.shape[1]
    return jax.lax.dynamic_update_slice_in_dim(total, _cut(total, start, size) + part, start, axis=1)


def _side(
    centred: Float[Array, "N F"],
    precision: Float[Array, "Q F"],
    offset: Float[Array, "Q"],
    spread: Float[Array, "Q F F"],
) -> tuple[Float[Array, "Q N F"], Float[Array, "Q N"]]:
    """Lambda (x - m), and what a point alone adds to the exponent: k + z' M z / 2 with its part of z."""
    scaled = centred * precision[:, None]
    quadratic = scaled @ spread - centred
    return scaled, offset[:, None] + jnp.sum(scaled * quadratic, axis=-1) / 2


def _cut(values: Float[Array, "Q N *F"], start: Array, size: int) -> Float[Array, "Q n *F"]:
    return jax.lax.dynamic_slice_in_dim(values, start, size, axis=1)


def exp(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The exponential function; in float64 on a CPU faster than XLA's, to 4e-16 relative.

    exp(x) = 2^n exp(r) with n the integer next to x / ln 2: a polynomial of degree 12 for exp(r), and n is
    written into the exponent's bits. No branch and no table, so that the compiler vectorises it. Below -700
    it stays at 1e-304.
    """
    if x.dtype != jnp.float64:
        return jnp.exp(x)
    return jax.lax.platform_dependent(x, cpu=_exp_of_doubles, default=jnp.exp)


def _exp_of_doubles(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    x = jnp.maximum(x, _LEAST)
    n = jnp.round(x * (1 / math.log(2)))
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = jnp.full_like(r, 1 / math.factorial(12))
    for k in range(11, -1, -1):
        series = series * r + 1 / math.factorial(k)
    bits = jax.lax.bitcast_convert_type(n + _MAGIC, jnp.int64)
    return series * jax.lax.bitcast_convert_type((bits << 52) + (1023 << 52), x.dtype)
