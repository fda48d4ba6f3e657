"""Model predictive path integral control (Williams et al. 2017, algorithm 2) over any world model.

Plans are drawn around the mean and averaged with weights exp((return - best return) / temperature).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.imagination import imagined_returns
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.noise import coloured_noise
from imaginax.planners.shooting.plans import shift
from imaginax.types import Belief, Box, Params, PlanOutput, WorldModel


def plan(
    model: WorldModel,
    space: Box,
    config: ShootingConfig,
    params: Params,
    belief: Belief,
    mean: Float[Array, "B H A"],
    key: Array,
) -> tuple[Float[Array, "B A"], Float[Array, "B H A"], PlanOutput]:
    """One decision for each of B problems: (action, warm start of the next decision, what was found)."""
    std = config.noise_std * (space.high - space.low) / 2

    def refine(mean, key):
        key_sample, key_model = jax.random.split(key)
        batch, horizon, width = mean.shape
        noise = std * coloured_noise(
            key_sample, config.noise_beta, (batch, config.population, horizon, width)
        )
        plans = jnp.clip(mean[:, None] + noise, space.low, space.high)
        returns = imagined_returns(model, params, belief, plans, key_model)
        weights = path_weights(returns, config.temperature)
        value = jnp.sum(jnp.where(weights > 0, weights * returns, 0.0), axis=1)
        return jnp.einsum("bc,bcha->bha", weights, plans), value

    mean, values = jax.lax.scan(refine, mean, jax.random.split(key, config.iterations))
    return mean[:, 0], shift(mean, mean[:, -1:]), PlanOutput(values[-1], mean)


def path_weights(returns: Float[Array, "B C"], temperature: float) -> Float[Array, "B C"]:
    """exp((return - best) / temperature), normalised over candidates, and its limits at infinite returns.

    Minus infinity weighs nothing, and infinity everything; plans that all have the same one weigh alike.
    """
    best = returns.max(axis=1, keepdims=True)
    return jax.nn.softmax(jnp.where(returns < best, (returns - best) / temperature, 0.0), axis=1)
