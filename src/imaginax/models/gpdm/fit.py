"""Learning a GPDM: the authors' alternation, and their two stages with Monte Carlo EM.

A sweep updates the scales W in closed form and then moves positions and hyperparameters together by some
iterations of scaled conjugate gradients, or of L-BFGS. A hundred sweeps of ten are the published fit.

The two-stage estimate (PAMI 2008) first learns the hyperparameters with positions integrated
out: Hamiltonian Monte Carlo draws positions from their posterior (E), scaled conjugate gradients lower the
mean energy of the draws (M). Then the positions are found with the hyperparameters held.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from imaginax.models.gpdm import kernels
from imaginax.models.gpdm.config import GPDMConfig, GPDMFitConfig
from imaginax.models.gpdm.data import MotionData
from imaginax.models.gpdm.model import GPDMParams, best_scales, energy
from imaginax.numerics import lbfgs, scg
from imaginax.numerics.config import HMCConfig
from imaginax.numerics.hmc import sample
from imaginax.types import Metrics


def sweep(
    config: GPDMConfig, fit: GPDMFitConfig, params: GPDMParams, data: MotionData
) -> tuple[GPDMParams, Metrics]:
    """W in closed form, then positions and hyperparameters; metrics: the energy, its gradient, the noise."""
    params = params._replace(w=best_scales(config, params, data))

    def objective(free: tuple) -> Array:
        return energy(config, params._replace(x=free[0], log=free[1]), data)

    (x, log), value, gradient = _optimise(objective, (params.x, params.log), fit)
    params = params._replace(x=x, log=log)
    return params, _metrics(params, value, gradient)


def place(
    config: GPDMConfig, fit: GPDMFitConfig, params: GPDMParams, data: MotionData
) -> tuple[GPDMParams, Metrics]:
    """Positions alone, with hyperparameters and scales as they are: the second of the two stages."""

    def objective(x: Array) -> Array:
        return energy(config, params._replace(x=x), data)

    x, value, gradient = _optimise(objective, params.x, fit)
    params = params._replace(x=x)
    return params, _metrics(params, value, gradient)


def em_step(
    config: GPDMConfig, fit: GPDMFitConfig, hmc: HMCConfig, params: GPDMParams, data: MotionData, key: Array
) -> tuple[GPDMParams, Metrics]:
    """One round of Monte Carlo EM over hyperparameters and scales; the positions become a draw's start.

    E: positions are moved to their optimum, and a chain begins there. M: ten times, W in closed form for
    the mean over draws, then the optimiser on the mean energy.
    """
    params, _ = place(config, fit, params, data)
    chain = sample(lambda x: energy(config, params._replace(x=x), data), params.x, hmc, key)
    update = partial(_m_step, config, fit, data, chain.draws)
    params, (values, gradients) = jax.lax.scan(lambda p, _: update(p), params, length=10)
    metrics = _metrics(params, values[-1], gradients[-1])
    return params, metrics | {"acceptance": chain.acceptance}


def _m_step(
    config: GPDMConfig, fit: GPDMFitConfig, data: MotionData, draws: Float[Array, "S N Z"], params: GPDMParams
) -> tuple[GPDMParams, tuple[Array, Array]]:
    each = jax.vmap(lambda x: best_scales(config, params._replace(x=x), data))(draws)
    params = params._replace(w=jnp.mean(each**-2, axis=0) ** -0.5)  # the mean is that of y'K^-1 y

    def objective(log: kernels.Hyperparameters) -> Array:
        energies = jax.vmap(lambda x: energy(config, params._replace(x=x, log=log), data))(draws)
        return jnp.mean(energies)

    log, value, gradient = _optimise(objective, params.log, fit)
    return params._replace(log=log), (value, gradient)


def _metrics(params: GPDMParams, value: Array, gradient: Array) -> Metrics:
    """What a sweep reports: energy, norm of its gradient, and the deviation of the noise of the frames."""
    noise = jnp.exp(-0.5 * params.log.beta[1])
    return {"energy": value, "gradient_norm": gradient, "noise": noise}


def _optimise(
    objective: Callable[[PyTree], Array], start: PyTree, fit: GPDMFitConfig
) -> tuple[PyTree, Array, Array]:
    """The point reached, the value there and the norm of the gradient."""
    if fit.optimiser == "scg":
        found, state = scg.minimise(objective, start, iterations=fit.iterations)
        return found, state.value, jnp.linalg.norm(state.gradient)
    found = lbfgs.minimise(objective, start, steps=2 * fit.iterations, tolerance=0.0)
    gradient = jax.grad(objective)(found.point)
    return found.point, found.value, jnp.linalg.norm(ravel_pytree(gradient)[0])
