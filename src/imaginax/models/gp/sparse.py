"""Sparse Gaussian processes for long runs: FITC (Snelson & Ghahramani 2006), as PILCO uses it.

M inducing inputs u stand for N rows of data. With Q = K_fu K_uu^-1 K_uf and G = diag(K_ff - Q) + s I, the
targets are taken to be y ~ N(0, Q + G), which costs O(N M^2). With A = K_uu + K_uf G^-1 K_fu,

    beta = A^-1 K_uf G^-1 y                 in the place of (K + s I)^-1 y
    inverse = K_uu^-1 - A^-1                in the place of (K + s I)^-1

make mean(x) = k_u(x)' beta and variance(x) = k(x, x) - k_u(x)' inverse k_u(x): the formulas of an exact
process whose data lie at the inducing inputs, so that whatever predicts from a `Posterior`, or propagates
Gaussian beliefs through one, serves both. All outputs share the inducing inputs.

The latter is T' T with T = (I + R R')^-1/2 R L^-1, where L is the Cholesky factor of K_uu and R' R the
matrix L^-1 K_uf G^-1 K_fu L^-T.

K_uu has no noise on its diagonal, and is nearly singular where length-scales are long. A ridge bounds its
inverse, without which variances, differences of large numbers, are not even positive. PILCO's code adds 1e-6;
here it is the root of the rounding error, relative to the signal variance: what it changes and what rounding
changes are then of one size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imaginax.models.gp import exact as gp
from imaginax.models.gp import kernels
from imaginax.models.gp.exact import Data, Hyperparameters, Posterior
from imaginax.numerics.cholesky import Factor, factorise, solve_lower, triangular_inverse


class Inducing(NamedTuple):
    """Inducing inputs, of which the first `count` are in use."""

    inputs: Float[Array, "M F"]
    count: Int[Array, ""] | int


class _Projection(NamedTuple):
    """One output's data as the inducing inputs see them; padding contributes nothing.

    Attributes:
        factor: of K_uu, the identity on padding.
        outer: the factor's inverse.
        inner: of I + V G^-1 V'.
        scaled: V G^-1/2.
        noise: diagonal of G.
        target: V G^-1 y.
    """

    factor: Factor
    outer: Float[Array, "M M"]
    inner: Factor
    scaled: Float[Array, "M N"]
    noise: Float[Array, "N"]
    target: Float[Array, "M"]


def choose(data: Data, inducing: int, key: Array) -> Inducing:
    """A random subset of the rows in use; all of them, if there are no more than `inducing`."""
    data = gp.clean(data)
    used = gp.in_use(data)
    order = jnp.argsort(jnp.where(used, jax.random.uniform(key, used.shape), jnp.inf))
    rows = jnp.resize(order, (inducing,)) if inducing > len(order) else order[:inducing]
    count = jnp.minimum(jnp.asarray(data.count, jnp.int32), min(inducing, len(order)))
    inputs = jnp.where((jnp.arange(inducing) < count)[:, None], data.inputs[rows], 0.0)
    return Inducing(inputs, count)


def log_likelihood(hyperparameters: Hyperparameters, inducing: Inducing, data: Data) -> Float[Array, "E"]:
    """Log density of the targets under N(0, Q + G), for each output; minus infinity if K_uu has no factor."""
    data = gp.clean(data)
    return jax.vmap(_log_likelihood, (0, None, None, 1))(hyperparameters, inducing, data, data.targets)


def _log_likelihood(
    hyperparameters: Hyperparameters, inducing: Inducing, data: Data, y: Float[Array, "N"]
) -> Float[Array, ""]:
    """By the matrix inversion and determinant lemmas, in terms of M x M factors."""
    seen = _project(hyperparameters, inducing, data, y)
    explained = triangular_inverse(seen.inner.cholesky) @ seen.target
    fit = jnp.sum(jnp.square(y) / seen.noise) - explained @ explained
    logarithm = jnp.sum(jnp.log(seen.noise)) + 2.0 * jnp.sum(jnp.log(jnp.diagonal(seen.inner.cholesky)))
    constant = math.log(2.0 * math.pi) * jnp.asarray(data.count, y.dtype)
    failed = seen.factor.failed | seen.inner.failed
    return jnp.where(failed, -jnp.inf, -0.5 * (fit + logarithm + constant))


def posterior(hyperparameters: Hyperparameters, inducing: Inducing, data: Data) -> Posterior:
    """The sparse processes given data, in the form of exact ones at the inducing inputs."""
    rows, data = data.count, gp.clean(data)
    used = _used(inducing)
    inputs = jnp.where(used[:, None], inducing.inputs, 0.0)
    inducing = Inducing(inputs, inducing.count)
    solve = jax.vmap(_solve, (0, None, None, 1))
    beta, inverse, root, cholesky, jitter, failed = solve(hyperparameters, inducing, data, data.targets)
    lengthscales, variance = gp.squared_exponential(hyperparameters.kernel)
    return Posterior(
        inputs,
        beta,
        inverse,
        root,
        lengthscales,
        variance,
        jnp.exp(hyperparameters.log_noise),
        hyperparameters.kernel,
        cholesky,
        jnp.zeros((len(beta), 0), beta.dtype),
        jnp.asarray(inducing.count, jnp.int32),
        jnp.asarray(rows - data.count, jnp.int32),
        jitter,
        failed,
    )


def _used(inducing: Inducing) -> Bool[Array, "M"]:
    return jnp.arange(len(inducing.inputs)) < inducing.count


def _project(
    hyperparameters: Hyperparameters, inducing: Inducing, data: Data, y: Float[Array, "N"]
) -> _Projection:
    """With V = L^-1 K_uf and L the factor of K_uu, so that Q = V' V."""
    kernel, used, rows = hyperparameters.kernel, _used(inducing), gp.in_use(data)
    at_inducing = kernels.cross(kernel, inducing.inputs, inducing.inputs)
    at_inducing = jnp.where(used[:, None] & used, at_inducing, 0.0)
    ridge = math.sqrt(jnp.finfo(y.dtype).eps) * kernels.diagonal(kernel, inducing.inputs)
    at_inducing = at_inducing + jnp.diag(jnp.where(used, ridge, 1.0))
    factor = factorise(at_inducing.astype(y.dtype))
    between = kernels.cross(kernel, inducing.inputs, data.inputs)
    between = jnp.where(used[:, None] & rows, between, 0.0)
    outer = triangular_inverse(factor.cholesky)
    projected = outer @ between
    left = jnp.maximum(kernels.diagonal(kernel, data.inputs) - jnp.sum(jnp.square(projected), 0), 0.0)
    noise = jnp.where(rows, left + jnp.exp(hyperparameters.log_noise), 1.0)
    identity = jnp.eye(len(used), dtype=y.dtype)
    scaled = projected / jnp.sqrt(noise)
    inner = factorise(identity + scaled @ scaled.T)
    return _Projection(factor, outer, inner, scaled, noise, projected @ (y / noise))


def _solve(hyperparameters: Hyperparameters, inducing: Inducing, data: Data, y: Float[Array, "N"]):
    """Beta, inverse, its root, factor of K_uu, jitter and failure: A = L (I + V G^-1 V') L'."""
    used = _used(inducing)
    seen = _project(hyperparameters, inducing, data, y)
    identity = jnp.eye(len(used), dtype=y.dtype)
    outer, inner = seen.outer, triangular_inverse(seen.inner.cholesky)
    failed = seen.factor.failed | seen.inner.failed
    beta = outer.T @ (inner.T @ (inner @ seen.target))
    right = jnp.linalg.qr(seen.scaled.T, mode="r")
    right = jnp.pad(right, ((0, len(used) - len(right)), (0, 0)))  # as many rows as columns, if data are few
    root = solve_lower(factorise(identity + right @ right.T).cholesky, right) @ outer
    kept = used & ~failed
    beta, root = jnp.where(kept, beta, 0.0), jnp.where(kept, root, 0.0)
    jitter = jnp.maximum(seen.factor.jitter, seen.inner.jitter)
    return beta, root.T @ root, root, seen.factor.cholesky, jitter, failed
