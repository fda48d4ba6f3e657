"""Random shooting: the best of many uniform plans (Nagabandi et al. 2018; "Random" in PETS's ablation)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.imagination import imagined_returns
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.types import Belief, Box, Params, PlanOutput, WorldModel


def plan(
    model: WorldModel,
    space: Box,
    config: ShootingConfig,
    params: Params,
    belief: Belief,
    plan_state: Float[Array, "B H A"],
    key: Array,
) -> tuple[Float[Array, "B A"], Float[Array, "B H A"], PlanOutput]:
    """The first action of the best of `population` uniform plans; nothing is remembered."""
    key_sample, key_model = jax.random.split(key)
    batch, horizon, width = plan_state.shape
    shape = (batch, config.population, horizon, width)
    plans = jax.random.uniform(key_sample, shape, plan_state.dtype, space.low, space.high)
    returns = imagined_returns(model, params, belief, plans, key_model)
    best = jnp.argmax(returns, axis=1)
    chosen = jnp.take_along_axis(plans, best[:, None, None, None], axis=1)[:, 0]
    return chosen[:, 0], plan_state, PlanOutput(returns.max(1), chosen)
