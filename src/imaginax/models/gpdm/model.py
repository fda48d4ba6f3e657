"""Gaussian process dynamical models (Wang, Fleet, Hertzmann: NIPS 2005; PAMI 30(2), 2008).

Frames Y [N D] of a motion are explained by a path X [N Z] in few latent dimensions. A Gaussian process maps
positions to frames, another maps each position to the next; both are integrated out:

    -log p = D/2 log|K_Y| + 1/2 tr(K_Y^-1 Y W^2 Y') - N log|W| + ||w||^2 / (2 kappa^2) + sum log beta
           + lambda (Z/2 log|K_X| + 1/2 tr(K_X^-1 X_out X_out') + 1/2 ||x_1||^2) + sum log alpha

up to constants, priors 1/alpha, 1/beta and a normal one of W included. lambda = 1 is the MAP estimate,
lambda = D/Z the balanced GPDM. A second-order model has the prior 1/2 ||x_2 - x_1||^2 as well, as in the code
released by the authors. Without dynamics, and with a standard normal prior on every position, this is
Lawrence's GPLVM.

Frames that are missing keep their positions in the dynamics and have no part in the terms of Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.models.gpdm import kernels
from imaginax.models.gpdm.config import GPDMConfig
from imaginax.models.gpdm.data import MotionData
from imaginax.models.gpdm.kernels import Factor, Hyperparameters
from imaginax.types import ConfigError

# the authors' first values, and Lawrence's of a smooth RBF dynamics (k_X without its linear term)
FIRST_BETA = (1.0, np.e)
FIRST_ALPHA = (0.9, 1.0, 0.1, np.e)
FIXED_ALPHA = (1.0, 0.2, 0.01, 1e6)


class GPDMParams(NamedTuple):
    """Positions of all frames, hyperparameters as logarithms, and the scales of the frames' dimensions."""

    x: Float[Array, "N Z"]
    log: Hyperparameters
    w: Float[Array, "D"]


def initialise(config: GPDMConfig, data: MotionData) -> GPDMParams:
    """The authors' first values, and whitened principal components, interpolated where frames are missing.

    Raises:
        ConfigError: if there are fewer principal components than latent dimensions.
    """
    if config.latent > min(data.frames.shape):
        raise ConfigError(
            f"model.latent ({config.latent}) exceeds the principal components of {data.frames.shape} frames"
        )
    scores = whitened_scores(data.frames, config.latent)
    everywhere = jnp.arange(len(data.observed) + len(data.missing)).astype(scores.dtype)
    places = data.observed.astype(scores.dtype)
    path = jax.vmap(lambda column: jnp.interp(everywhere, places, column), 1, 1)(scores)
    alpha = FIXED_ALPHA if config.dynamics == "fixed" else FIRST_ALPHA
    log = Hyperparameters(*(jnp.log(jnp.asarray(first, scores.dtype)) for first in (alpha, FIRST_BETA)))
    return GPDMParams(path, log, jnp.ones(data.frames.shape[1], scores.dtype))


def whitened_scores(frames: Float[Array, "O D"], latent: int) -> Float[Array, "O Z"]:
    """The first principal components of centred frames, each of unit variance.

    The largest entry of every component's direction is positive, whatever the linear algebra chose.
    """
    u, _, directions = jnp.linalg.svd(frames, full_matrices=False)
    largest = jnp.take_along_axis(directions, jnp.argmax(jnp.abs(directions), axis=1)[:, None], axis=1)
    return (u * jnp.sign(largest)[:, 0])[:, :latent] * jnp.sqrt(len(frames) - 1.0).astype(frames.dtype)


# -------------------------------------------------------------- the posterior


def energy(config: GPDMConfig, params: GPDMParams, data: MotionData) -> Float[Array, ""]:
    """-log p(X, alpha, beta, W | Y) up to a constant; see the module's docstring."""
    dimensions = data.frames.shape[1]
    weight = dimensions / config.latent if config.balanced else 1.0
    priors = jnp.sum(params.log.beta)
    if config.dynamics == "learned":
        priors += jnp.sum(params.log.alpha)
    return observation_energy(config, params, data) + weight * dynamics_energy(config, params, data) + priors


def observation_energy(config: GPDMConfig, params: GPDMParams, data: MotionData) -> Float[Array, ""]:
    """The terms of Y and W: D/2 log|K_Y| + 1/2 tr(K_Y^-1 Y W^2 Y') - N log|W| + ||w||^2 / (2 kappa^2)."""
    rows = len(data.frames)
    covariance = kernels.observation_covariance(params.x[data.observed], params.log.beta)
    scales = rows * jnp.sum(jnp.log(params.w)) - jnp.sum(params.w**2) / (2 * config.kappa2)
    return kernels.gaussian_energy(covariance, data.frames * params.w) - scales


def dynamics_energy(config: GPDMConfig, params: GPDMParams, data: MotionData) -> Float[Array, ""]:
    """The terms of X, without lambda: Z/2 log|K_X| + 1/2 tr(K_X^-1 X_out X_out') + 1/2 ||x_1||^2."""
    if config.dynamics == "none":
        return jnp.sum(params.x**2) / 2
    inputs, outputs = dynamics_pairs(config, params, data)
    first = params.x[data.starts]
    start = jnp.sum(first**2)
    if config.second_order:
        start += jnp.sum((params.x[data.starts + 1] - first) ** 2)
    covariance = dynamics_covariance(config, params, inputs)
    return kernels.gaussian_energy(covariance, outputs) + start / 2


def observation_factor(params: GPDMParams, data: MotionData) -> Factor:
    """Cholesky factor of K_Y at the observed frames."""
    return kernels.factor(kernels.observation_covariance(params.x[data.observed], params.log.beta))


def dynamics_pairs(config: GPDMConfig, params: GPDMParams, data: MotionData) -> tuple[Array, Array]:
    """Inputs [M F] and outputs [M Z] of the dynamics."""
    return kernels.dynamics_pairs(params.x, data.steps, inputs=config.inputs, outputs=config.outputs)


def dynamics_covariance(config: GPDMConfig, params: GPDMParams, inputs: Float[Array, "M F"]) -> Array:
    """K_X [M M]; fixed hyperparameters have no gradient."""
    alpha = params.log.alpha if config.dynamics == "learned" else jax.lax.stop_gradient(params.log.alpha)
    return kernels.dynamics_covariance(inputs, alpha, linear=config.linear)


def best_scales(config: GPDMConfig, params: GPDMParams, data: MotionData) -> Float[Array, "D"]:
    """w_d = sqrt(N / (y_d' K_Y^-1 y_d + 1 / kappa^2)): the minimum of the energy over W."""
    whitened = kernels.whiten(observation_factor(params, data), data.frames)
    return jnp.sqrt(len(data.frames) / (jnp.sum(whitened**2, axis=0) + 1 / config.kappa2))


# -------------------------------------------------------------- predictions


def decode(
    params: GPDMParams, data: MotionData, x: Float[Array, "M Z"]
) -> tuple[Float[Array, "M D"], Float[Array, "M"]]:
    """Frames at any positions: their mean, and the variance k - k'K_Y^-1 k, times w_d^-2 that of dimension d.

    It is the variance of the motion, without the noise 1 / beta_2.
    """
    f = observation_factor(params, data)
    cross = kernels.observation_kernel(params.x[data.observed], x, params.log.beta)
    mean = data.mean + cross.T @ kernels.solve(f, data.frames)
    return mean, 1.0 - jnp.sum(kernels.whiten(f, cross) ** 2, axis=0)


def reconstruct(params: GPDMParams, data: MotionData) -> Float[Array, "N D"]:
    """All frames as the model explains them, the missing ones too."""
    return decode(params, data, params.x)[0]


def simulate(
    config: GPDMConfig, params: GPDMParams, data: MotionData, start: Float[Array, "2 Z"], *, steps: int
) -> Float[Array, "T Z"]:
    """Mean prediction: `steps` positions that follow `start`, each the mean given the one before.

    Args:
        config: of the model, which needs dynamics.
        params: of the model.
        data: it was fitted to.
        start: two positions in a row, x_0 and x_1; a first-order model only looks at the second.
        steps: T.
    """
    inputs, outputs = dynamics_pairs(config, params, data)
    weights = kernels.solve(kernels.factor(dynamics_covariance(config, params, inputs)), outputs)

    def step(pair: Array, _: None) -> tuple[Array, Array]:
        before, current = pair[:1], pair[1:]
        z = kernels.dynamics_input(current, before, config.inputs)
        kernel = kernels.dynamics_kernel(z, inputs, params.log.alpha, linear=config.linear)
        following = kernel @ weights
        if config.outputs == "dx":
            following = following + current
        return jnp.concatenate([current, following]), following[0]

    return jax.lax.scan(step, start, length=steps)[1]


def bridge(
    config: GPDMConfig, params: GPDMParams, data: MotionData, gaps: Sequence[tuple[int, int]]
) -> GPDMParams:
    """With positions of missing frames predicted from the two before them (a first order needs but one).

    Args:
        config: of the model.
        params: fitted to the pieces between the gaps.
        data: of these pieces.
        gaps: (first, last + 1) of every run of missing frames.
    """
    x = params.x
    for first, end in gaps:
        start = x[jnp.array([max(first - 2, 0), first - 1])]
        path = simulate(config, params._replace(x=x), data, start, steps=end - first)
        x = x.at[first:end].set(path)
    return params._replace(x=x)
