"""Exact Gaussian processes, one for each output, on data of fixed capacity.

With K the kernel's matrix of the inputs, s the noise variance and y the targets of one output (Rasmussen &
Williams 2006, chapter 2),

    beta = (K + s I)^-1 y        mean(x) = k(x)' beta        variance(x) = k(x, x) - k(x)' (K + s I)^-1 k(x)

Data have a fixed number of rows, of which the first `count` are in use. The others are padding and change
nothing. One compiled program therefore serves data that grow. A row in use that holds a number which is not
finite is left out, and counted.

Everything follows the dtype of its inputs. float64 is the caller's choice, with `jax.enable_x64(True)`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imaginax.models.gp import kernels
from imaginax.models.gp.config import KernelName
from imaginax.models.gp.kernels import Kernel, SquaredExponential
from imaginax.numerics.cholesky import (
    factorise,
    gram,
    log_density,
    solve_lower,
    solve_transposed,
    triangular_inverse,
)
from imaginax.numerics.sharding import shard_along


class Data(NamedTuple):
    """Rows of inputs and targets, of which the first `count` are in use."""

    inputs: Float[Array, "N F"]
    targets: Float[Array, "N E"]
    count: Int[Array, ""] | int


class Hyperparameters(NamedTuple):
    """What the marginal likelihood chooses; every leaf has a leading axis E, one process an output.

    `log_noise` is the logarithm of the noise's variance.
    """

    kernel: Kernel
    log_noise: Float[Array, "*E"]


class Posterior(NamedTuple):
    """The processes given the data, ready to predict.

    Rows behind the first `count` are padding, where beta and inverse are zero.

    Attributes:
        inputs: of the data, or the inducing inputs of a sparse process.
        beta: (K + s I)^-1 y.
        inverse: (K + s I)^-1. A sparse process has here what takes its place in the same formulas.
        root: T with T' T = inverse, so that what the data explain of a variance, |T k(x)|^2, is a sum of
            squares; L^-1 in an exact process.
        lengthscales: of the squared exponential kernel; not a number with any other kernel.
        variance: signal variance of that kernel; not a number with any other.
        noise: noise variance.
        kernel: the kernel's parameters.
        cholesky: lower factor of K + s I, the identity on padding.
        targets: of the data; no columns in a sparse process.
        count: rows in use.
        left_out: rows of the data that were left out because a number in them is not finite.
        jitter: variance that had to be added to the diagonal; 0 in a sound fit.
        failed: whether there was no factor in spite of it. Then beta and inverse are zero: the prior is left.
    """

    inputs: Float[Array, "N F"]
    beta: Float[Array, "E N"]
    inverse: Float[Array, "E N N"]
    root: Float[Array, "E N N"]
    lengthscales: Float[Array, "E F"]
    variance: Float[Array, "E"]
    noise: Float[Array, "E"]
    kernel: Kernel
    cholesky: Float[Array, "E N N"]
    targets: Float[Array, "E R"]
    count: Int[Array, ""]
    left_out: Int[Array, ""]
    jitter: Float[Array, "E"]
    failed: Bool[Array, "E"]


class Marginals(NamedTuple):
    """Predictions at single points: of the function, and the variance of a noisy observation of it."""

    mean: Float[Array, "M E"]
    variance: Float[Array, "M E"]
    noisy_variance: Float[Array, "M E"]


def initial(
    names: tuple[KernelName, ...], outputs: int, features: int, dtype: Any = jnp.float32
) -> Hyperparameters:
    """Before any data: length-scales and signal variance 1, noise variance 0.01."""
    zeros = jnp.zeros((outputs, features), dtype)
    kernel = kernels.make_kernel(kernels.terms(names), zeros, zeros[:, 0])
    return Hyperparameters(kernel, jnp.full(outputs, math.log(0.01), dtype))


class GaussianProcess(nn.Module):
    """The processes as a Flax module; its only parameter is their `Hyperparameters`."""

    outputs: int
    kernels: tuple[KernelName, ...] = ("se",)

    @nn.compact
    def hyperparameters(self, features: int, dtype: Any = jnp.float32) -> Hyperparameters:
        """The parameters themselves."""
        start = lambda key: initial(self.kernels, self.outputs, features, dtype)  # noqa: E731
        return self.param("hyperparameters", start)

    def __call__(self, data: Data) -> Float[Array, "E"]:
        """Log marginal likelihood of each output."""
        return log_likelihood(self.hyperparameters(data.inputs.shape[1], data.inputs.dtype), data)

    def posterior(self, data: Data) -> Posterior:
        """The processes given data."""
        return posterior(self.hyperparameters(data.inputs.shape[1], data.inputs.dtype), data)


def in_use(data: Data) -> Bool[Array, "N"]:
    """Which rows are no padding."""
    return jnp.arange(len(data.inputs)) < data.count


def covariance(hyperparameters: Hyperparameters, data: Data) -> Float[Array, "N N"]:
    """K + s I of one output, with the identity in the rows of padding. Devices share its rows."""
    used = in_use(data)
    matrix = kernels.cross(hyperparameters.kernel, shard_along(data.inputs, 0), data.inputs)
    matrix = jnp.where(used[:, None] & used, matrix, 0.0)
    return matrix + jnp.diag(jnp.where(used, jnp.exp(hyperparameters.log_noise), 1.0))


def log_likelihood(hyperparameters: Hyperparameters, data: Data) -> Float[Array, "E"]:
    """Log marginal likelihood log p(y | X) of each output; minus infinity where K has no Cholesky factor.

    -y' (K + s I)^-1 y / 2 - log |K + s I| / 2 - n log(2 pi) / 2, with n rows in use.
    """
    data = clean(data)
    return jax.vmap(output_log_likelihood, (0, None, 1))(hyperparameters, data, data.targets)


def output_log_likelihood(
    hyperparameters: Hyperparameters, data: Data, y: Float[Array, "N"]
) -> Float[Array, ""]:
    """Of one output with targets y; the data are clean."""
    constant = 0.5 * math.log(2.0 * math.pi) * jnp.asarray(data.count, y.dtype)
    return log_density(covariance(hyperparameters, data), y) - constant


def clean(data: Data) -> Data:
    """The rows in use whose numbers are all finite, in order; zeros behind them, whatever was there."""
    finite = jnp.isfinite(data.inputs).all(1) & jnp.isfinite(data.targets).all(1)
    usable = in_use(data) & finite
    order, count = jnp.argsort(~usable, stable=True), jnp.sum(usable, dtype=jnp.int32)
    kept = (jnp.arange(len(order)) < count)[:, None]
    inputs, targets = (jnp.where(kept, rows[order], 0.0) for rows in (data.inputs, data.targets))
    return Data(inputs, targets, count)


def posterior(hyperparameters: Hyperparameters, data: Data) -> Posterior:
    """The processes given data."""
    rows, data = data.count, clean(data)
    solve = jax.vmap(_solve, (0, None, 1))
    beta, inverse, root, cholesky, jitter, failed = solve(hyperparameters, data, data.targets)
    lengthscales, variance = squared_exponential(hyperparameters.kernel)
    return Posterior(
        data.inputs,
        beta,
        inverse,
        root,
        lengthscales,
        variance,
        jnp.exp(hyperparameters.log_noise),
        hyperparameters.kernel,
        cholesky,
        data.targets.T,
        jnp.asarray(data.count, jnp.int32),
        jnp.asarray(rows - data.count, jnp.int32),
        jitter,
        failed,
    )


def _solve(hyperparameters: Hyperparameters, data: Data, y: Float[Array, "N"]):
    """Beta, inverse, its root, Cholesky factor, jitter and failure of one output."""
    used = in_use(data)
    factor = factorise(covariance(hyperparameters, data))
    root = triangular_inverse(factor.cholesky)
    root = jnp.where(used[:, None] & used & ~factor.failed, root, 0.0)
    return root.T @ (root @ y), gram(root), root, factor.cholesky, factor.jitter, factor.failed


def squared_exponential(kernel: Kernel) -> tuple[Float[Array, "E F"], Float[Array, "E"]]:
    """Length-scales and variance of a kernel that is one squared exponential, otherwise not a number."""
    first = kernel[0]
    if len(kernel) == 1 and isinstance(first, SquaredExponential):
        return jnp.exp(first.log_lengthscales), jnp.exp(first.log_variance)
    nothing = jnp.full_like(first.log_lengthscales, jnp.nan)
    return nothing, nothing[:, 0]


def predict(posterior: Posterior, points: Float[Array, "M F"]) -> Marginals:
    """Mean and variances at each point alone. Rounding cannot make a variance negative: 0 is the least."""
    values = jax.vmap(kernels.cross, (0, None, None))(posterior.kernel, points, posterior.inputs)
    mean = jnp.einsum("emn,en->me", values, posterior.beta)
    prior = jax.vmap(kernels.diagonal, (0, None))(posterior.kernel, points)
    explained = jnp.sum(jnp.square(values @ posterior.root.mT), axis=-1)
    variance = jnp.maximum(prior - explained, 0.0).T
    return Marginals(mean, variance, variance + posterior.noise)


def append(
    posterior: Posterior,
    x: Float[Array, "F"],
    y: Float[Array, "E"],
    *,
    when_full: Literal["drop_oldest", "refuse"] = "drop_oldest",
) -> Posterior:
    """The processes given one more row, with the same hyperparameters.

    A rank-one update, O(N^2), that equals a refit to rounding: with l = L^-1 k(x), u = L^-T l and the pivot
    d^2 = k(x, x) + s - l' l, the new row of the factor is [l', d], and with v = (-u, 1)

        (K + s I)^-1 <- (K + s I)^-1 + v v' / d^2        beta <- beta + v (y - u' y_old) / d^2

    When no row is free, the oldest one leaves and everything is computed anew, O(N^3); or the posterior
    stays as it is. A row with a number that is not finite is left out, and counted in `left_out`.

    Raises:
        ValueError: for a sparse process, which does not keep its rows.
    """
    if posterior.targets.shape[1] != len(posterior.inputs):
        raise ValueError("only an exact Gaussian process can append a row; fit the sparse one anew")
    full = posterior.count >= len(posterior.inputs)
    finite = jnp.isfinite(x).all() & jnp.isfinite(y).all()
    if when_full == "refuse":
        grown, kept = _grow(posterior, x, y), finite & ~full
    else:
        grown, kept = jax.lax.cond(full, _replace_oldest, _grow, posterior, x, y), finite
    same = posterior._replace(left_out=posterior.left_out + ~finite)
    return jax.tree.map(lambda new, old: jnp.where(kept, new, old), grown, same)


def _replace_oldest(posterior_: Posterior, x: Float[Array, "F"], y: Float[Array, "E"]) -> Posterior:
    """A refit without the first row and with a new last one."""
    inputs = jnp.concatenate([posterior_.inputs[1:], x[None]])
    targets = jnp.concatenate([posterior_.targets.T[1:], y[None]])
    hyperparameters = Hyperparameters(posterior_.kernel, jnp.log(posterior_.noise))
    refitted = posterior(hyperparameters, Data(inputs, targets, posterior_.count))
    return refitted._replace(left_out=posterior_.left_out)


def _grow(posterior: Posterior, x: Float[Array, "F"], y: Float[Array, "E"]) -> Posterior:
    """The rank-one update; without meaning if no row is free."""
    place = posterior.count
    targets = posterior.targets.at[:, place].set(y)
    values = jax.vmap(kernels.cross, (0, None, None))(posterior.kernel, posterior.inputs, x[None])[..., 0]
    values = jnp.where(jnp.arange(len(posterior.inputs)) < place, values, 0.0)
    own = jax.vmap(kernels.diagonal, (0, None))(posterior.kernel, x[None])[:, 0]
    own = own + posterior.noise + posterior.jitter
    cholesky, v, pivot, added = jax.vmap(_next_row, (0, 0, 0, None))(posterior.cholesky, values, own, place)
    v = jnp.where(posterior.failed[:, None], 0.0, v)
    residual = jnp.sum(v * targets, axis=-1)
    row = v / jnp.sqrt(pivot)[:, None]
    return posterior._replace(
        inputs=posterior.inputs.at[place].set(x),
        beta=posterior.beta + v * (residual / pivot)[:, None],
        inverse=posterior.inverse + row[:, :, None] * row[:, None],
        root=posterior.root.at[:, place].set(row),
        cholesky=cholesky,
        targets=targets,
        count=place + 1,
        jitter=jnp.maximum(posterior.jitter, added),
    )


def _next_row(cholesky: Float[Array, "N N"], values: Float[Array, "N"], own: Float[Array, ""], place):
    """Of one output: the factor with one more row, v, the pivot, and what had to be added to it."""
    row = solve_lower(cholesky, values[:, None])
    u = solve_transposed(cholesky, row)[:, 0]
    row = row[:, 0]
    exact = own - row @ row
    pivot = jnp.maximum(exact, 10.0 * jnp.finfo(own.dtype).eps * own)
    here = jnp.arange(len(values)) == place
    row = jnp.where(here, jnp.sqrt(pivot), row)
    return cholesky.at[place].set(row), jnp.where(here, 1.0, -u), pivot, pivot - exact
