"""Kernels of Gaussian process dynamical models, and which frames are inputs and outputs of the dynamics.

    k_Y(x, x') = exp(-beta_1 / 2 ||x - x'||^2) + 1 / beta_2
    k_X(z, z') = alpha_1 z'z + alpha_3 exp(-alpha_2 / 2 ||z - z'||^2) + 1 / alpha_4

The amplitude of k_Y is absorbed by the scales W. The last terms are noise: they stand on the diagonal alone.
All hyperparameters are kept as logarithms. What is computed has the type of its inputs; float64 is what the
likelihood of a long sequence needs.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from imaginax.numerics.cholesky import cholesky, solve_lower, solve_transposed
from imaginax.numerics.sharding import shard_along

JITTER = 10.0  # multiples of the type's rounding that are added to the mean of a covariance's diagonal


class Hyperparameters(NamedTuple):
    """Logarithms of a model's hyperparameters.

    alpha: of k_X: linear amplitude, inverse squared length, amplitude, precision of the noise.
    beta: of k_Y: inverse squared length, precision of the noise.
    """

    alpha: Float[Array, "4"]
    beta: Float[Array, "2"]


class Factor(NamedTuple):
    """The Cholesky factor of a covariance K, and log|K|. Both are NaN where K is not positive definite."""

    lower: Float[Array, "N N"]
    log_determinant: Float[Array, ""]


def squared_distances(a: Float[Array, "N F"], b: Float[Array, "M F"]) -> Float[Array, "N M"]:
    """||a_i - b_j||^2, never below zero."""
    squares = jnp.sum(a**2, axis=1)[:, None] + jnp.sum(b**2, axis=1)[None, :]
    return jnp.maximum(squares - 2 * a @ b.T, 0.0)


def observation_kernel(
    x: Float[Array, "N Z"], other: Float[Array, "M Z"], log_beta: Float[Array, "2"]
) -> Float[Array, "N M"]:
    """k_Y without its noise, between two sets of latent positions."""
    return jnp.exp(-0.5 * jnp.exp(log_beta[0]) * squared_distances(x, other))


def dynamics_kernel(
    z: Float[Array, "N F"], other: Float[Array, "M F"], log_alpha: Float[Array, "4"], *, linear: bool = True
) -> Float[Array, "N M"]:
    """k_X without its noise, between two sets of inputs of the dynamics; `linear=False` drops alpha_1."""
    amplitude, inverse, smooth = jnp.exp(log_alpha[0]), jnp.exp(log_alpha[1]), jnp.exp(log_alpha[2])
    kernel = smooth * jnp.exp(-0.5 * inverse * squared_distances(z, other))
    return kernel + amplitude * z @ other.T if linear else kernel


def observation_covariance(x: Float[Array, "N Z"], log_beta: Float[Array, "2"]) -> Float[Array, "N N"]:
    """K_Y: k_Y and its noise."""
    return observation_kernel(x, x, log_beta) + jnp.exp(-log_beta[1]) * jnp.eye(len(x), dtype=x.dtype)


def dynamics_covariance(
    z: Float[Array, "N F"], log_alpha: Float[Array, "4"], *, linear: bool = True
) -> Float[Array, "N N"]:
    """K_X: k_X and its noise."""
    kernel = dynamics_kernel(z, z, log_alpha, linear=linear)
    return kernel + jnp.exp(-log_alpha[3]) * jnp.eye(len(z), dtype=z.dtype)


def factor(covariance: Float[Array, "N N"]) -> Factor:
    """Cholesky factor and log determinant, with a jitter of ten roundings of the mean variance."""
    jitter = JITTER * jnp.finfo(covariance.dtype).eps * jnp.mean(jnp.diagonal(covariance))
    lower = cholesky(covariance + jitter * jnp.eye(len(covariance), dtype=covariance.dtype))
    return Factor(lower, 2 * jnp.sum(jnp.log(jnp.diagonal(lower))))


def solve(f: Factor, right: Float[Array, "N D"]) -> Float[Array, "N D"]:
    """K^-1 right."""
    return solve_transposed(f.lower, solve_lower(f.lower, right))


def whiten(f: Factor, right: Float[Array, "N D"]) -> Float[Array, "N D"]:
    """L^-1 right, whose squared columns are right' K^-1 right."""
    return jax.scipy.linalg.solve_triangular(f.lower, right, lower=True)  # differentiable


@jax.custom_vjp
def gaussian_energy(covariance: Float[Array, "N N"], outputs: Float[Array, "N D"]) -> Float[Array, ""]:
    """D/2 log|K| + 1/2 tr(K^-1 Y Y'): minus the log density of D columns under N(0, K), without the 2 pi.

    Its gradients are written out, D/2 K^-1 - 1/2 K^-1 Y Y' K^-1 and K^-1 Y, which one Cholesky factor serves.
    """
    return _gaussian_energy(covariance, outputs)[0]


def _gaussian_energy(covariance: Array, outputs: Array) -> tuple[Array, tuple[Factor, Array]]:
    f = factor(covariance)
    outputs = shard_along(outputs, 1)
    solved = solve(f, outputs)
    value = outputs.shape[1] / 2 * f.log_determinant + jnp.sum(solved * outputs) / 2
    return value, (f, solved)


def _gaussian_energy_gradient(kept: tuple[Factor, Array], upstream: Array) -> tuple[Array, Array]:
    f, solved = kept
    inverse = solve(f, jnp.eye(len(f.lower), dtype=f.lower.dtype))
    of_covariance = solved.shape[1] / 2 * inverse - solved @ solved.T / 2
    return upstream * of_covariance, upstream * solved


gaussian_energy.defvjp(_gaussian_energy, _gaussian_energy_gradient)


def dynamics_input(
    current: Float[Array, "M Z"], before: Float[Array, "M Z"], inputs: str
) -> Float[Array, "M F"]:
    """What the dynamics see at a frame: "x" is [x_t], "xx" [x_t, x_t-1] and "xv" [x_t, x_t - x_t-1]."""
    if inputs == "x":
        return current
    return jnp.concatenate([current, before if inputs == "xx" else current - before], axis=1)


def dynamics_pairs(
    x: Float[Array, "N Z"], at: Int[Array, "M"], *, inputs: str, outputs: str
) -> tuple[Float[Array, "M F"], Float[Array, "M Z"]]:
    """Inputs and outputs of the dynamics at the frames `at`.

    Args:
        x: latent positions of all frames.
        at: the frames t from which a step leads to t + 1, both of one sequence.
        inputs: see `dynamics_input`; the second order needs t - 1 of the same sequence as well.
        outputs: "x" predicts x_t+1, "dx" the difference x_t+1 - x_t.
    """
    current, following = x[at], x[at + 1]
    before = x[jnp.maximum(at - 1, 0)]
    return dynamics_input(current, before, inputs), following - current if outputs == "dx" else following
