"""New motion from a fitted GPDM: whole trajectories, and how likely a new sequence is.

Given the positions X that were learned, a new path X* has a Gaussian density at every step but not as a
whole, since each position is the input of the next. With A = K_X between old and new inputs,

    -log p(X* | X) = Z/2 log|K*| + 1/2 tr(K*^-1 Q Q')
    K* = K_X(X*, X*) - A' K_X^-1 A,   Q = X*_out - A' K_X^-1 X_out,

which Hamiltonian Monte Carlo samples. New frames have the same form in K_Y.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.gpdm import kernels
from imaginax.models.gpdm.config import GPDMConfig
from imaginax.models.gpdm.data import MotionData
from imaginax.models.gpdm.model import (
    GPDMParams,
    dynamics_covariance,
    dynamics_pairs,
    observation_factor,
)
from imaginax.numerics.config import HMCConfig
from imaginax.numerics.hmc import Chain, sample
from imaginax.numerics.scg import minimise

LOG_2PI = 1.8378770664093453


def path_energy(
    config: GPDMConfig, params: GPDMParams, data: MotionData, path: Float[Array, "T Z"]
) -> Float[Array, ""]:
    """-log p(X* | X) up to a constant, of a path given its first position (second order: two)."""
    inputs, outputs = dynamics_pairs(config, params, data)
    f = kernels.factor(dynamics_covariance(config, params, inputs))
    at = jnp.arange(1 if config.second_order else 0, len(path) - 1)
    new_inputs, new_outputs = kernels.dynamics_pairs(path, at, inputs=config.inputs, outputs=config.outputs)
    cross = kernels.dynamics_kernel(inputs, new_inputs, params.log.alpha, linear=config.linear)
    covariance = kernels.dynamics_covariance(new_inputs, params.log.alpha, linear=config.linear)
    return _conditional(f, cross, covariance, outputs, new_outputs)


def frames_energy(
    params: GPDMParams, data: MotionData, frames: Float[Array, "T D"], path: Float[Array, "T Z"]
) -> Float[Array, ""]:
    """-log p(Y* | X*, X, Y) up to a constant, of new frames whose mean is not subtracted."""
    f = observation_factor(params, data)
    cross = kernels.observation_kernel(params.x[data.observed], path, params.log.beta)
    covariance = kernels.observation_covariance(path, params.log.beta)
    scaled, new = data.frames * params.w, (frames - data.mean) * params.w
    return _conditional(f, cross, covariance, scaled, new) - len(frames) * jnp.sum(jnp.log(params.w))


def _conditional(f: kernels.Factor, cross: Array, covariance: Array, outputs: Array, new: Array) -> Array:
    """Minus the log density of new outputs given the old ones, under one Gaussian process."""
    whitened = kernels.whiten(f, cross)
    mean = whitened.T @ kernels.whiten(f, outputs)
    return kernels.gaussian_energy(covariance - whitened.T @ whitened, new - mean)


def sample_paths(
    config: GPDMConfig,
    params: GPDMParams,
    data: MotionData,
    start: Float[Array, "T Z"],
    hmc: HMCConfig,
    key: Array,
) -> Chain:
    """Paths drawn from p(X* | X) by Hamiltonian Monte Carlo.

    Args:
        config: of the model, which needs dynamics.
        params: of the model.
        data: it was fitted to.
        start: where the chain begins, such as the mean prediction. Its first position stays (of a second
            order: the first two).
        hmc: how.
        key: consumed.

    Returns:
        The chain, with draws [S T Z].
    """
    held = 2 if config.second_order else 1

    def energy(rest: Array) -> Array:
        return path_energy(config, params, data, jnp.concatenate([start[:held], rest]))

    chain = sample(energy, start[held:], hmc, key)
    heads = jnp.broadcast_to(start[:held], (len(chain.draws), held, start.shape[1]))
    return chain._replace(draws=jnp.concatenate([heads, chain.draws], axis=1))


def log_likelihood(
    config: GPDMConfig,
    params: GPDMParams,
    data: MotionData,
    frames: Float[Array, "T D"],
    *,
    iterations: int = 100,
) -> tuple[Float[Array, ""], Float[Array, "T Z"]]:
    """log p(Y*, X* | X, Y) of a new sequence at its best path X*, a score to classify motions by.

    The search for X* begins at the position of the most similar frame of the model's own.

    Args:
        config: of the model, which needs dynamics.
        params: of the model.
        data: it was fitted to.
        frames: of the new sequence, whose mean is not subtracted.
        iterations: of scaled conjugate gradients.

    Returns:
        The log density of frames and path, and the path.
    """
    scaled, new = data.frames * params.w, (frames - data.mean) * params.w
    nearest = jnp.argmin(kernels.squared_distances(new, scaled), axis=1)

    def negative(path: Array) -> Array:
        start = jnp.sum(path[0] ** 2) / 2
        if config.second_order:
            start += jnp.sum((path[1] - path[0]) ** 2) / 2
        return frames_energy(params, data, frames, path) + path_energy(config, params, data, path) + start

    start = params.x[data.observed][nearest]
    path, state = minimise(negative, start, iterations=iterations)
    constants = (frames.size + path.size) * LOG_2PI / 2
    return -state.value - constants, path
