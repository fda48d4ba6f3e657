"""The cross-entropy method with the exact semantics of PlaNet (Hafner et al. 2019, Algorithm 2, and code).

Every decision starts from mean 0 and the standard deviation of half the action range, with nothing kept of
the last one. Samples are normals that are clipped to the bounds. Mean and deviation become those of the
elites, and the first action of the final mean is executed.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.imagination import imagined_returns
from imaginax.planners.shooting import cem
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.plans import centre
from imaginax.types import Belief, Box, Params, PlanOutput, WorldModel

LEAST_VARIANCE = 1e-6


class Search(NamedTuple):
    """The sampling distribution of B problems, and the elites' mean return."""

    mean: Float[Array, "B H A"]
    std: Float[Array, "B H A"]
    value: Float[Array, "B"]


def plan(
    model: WorldModel,
    space: Box,
    config: ShootingConfig,
    params: Params,
    belief: Belief,
    plan_state: Float[Array, "B H A"],
    key: Array,
) -> tuple[Float[Array, "B A"], Float[Array, "B H A"], PlanOutput]:
    """One decision for each of B problems; `plan_state` is passed on as it is."""
    mean = jnp.full_like(plan_state, centre(space))
    std = jnp.full_like(plan_state, (space.high - space.low) / 2)

    def refine(search: Search, key: Array) -> tuple[Search, None]:
        key_sample, key_model = jax.random.split(key)
        batch, horizon, width = search.mean.shape
        noise = jax.random.normal(key_sample, (batch, config.population, horizon, width), search.mean.dtype)
        plans = jnp.clip(search.mean[:, None] + search.std[:, None] * noise, space.low, space.high)
        returns = imagined_returns(model, params, belief, plans, key_model)
        elites = cem.fit_elites(plans, returns, config.elites)
        found = elites.found[:, None, None]  # where there is no elite, all stays as it is
        mean = jnp.where(found, elites.mean, search.mean)
        std = jnp.where(found, jnp.sqrt(elites.variance + LEAST_VARIANCE), search.std)
        return Search(mean, std, elites.value), None

    start = Search(mean, std, jnp.zeros(len(mean), mean.dtype))
    found = jax.lax.scan(refine, start, jax.random.split(key, config.iterations))[0]
    return found.mean[:, 0], plan_state, PlanOutput(found.value, found.mean)
