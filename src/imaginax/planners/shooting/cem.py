"""The cross-entropy method with the exact semantics of PETS (Chua et al. 2018, section 5, and its code).

A decision starts from the previous solution, shifted by one step and padded with the middle of the action
range (zero in all of PETS's tasks), and from the variance ((high - low) / 4)^2. Samples are normals truncated
at two standard deviations, whose variance is cut so that they stay within the bounds. The mean and variance
of the elites are blended with the old ones. The first action of the final MEAN is executed, not the best
sample.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imaginax.models.imagination import imagined_returns
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.plans import centre, shift
from imaginax.types import Belief, Box, Params, PlanOutput, WorldModel


class Search(NamedTuple):
    """The sampling distribution of B problems, and the elites' mean return."""

    mean: Float[Array, "B H A"]
    variance: Float[Array, "B H A"]
    value: Float[Array, "B"]
    key: Array
    iteration: Int[Array, ""]


class Elites(NamedTuple):
    """Moments of the elites of B problems.

    Attributes:
        mean: of their actions; without meaning where `found` is False.
        variance: the same.
        value: mean return; minus infinity where `found` is False.
        found: whether there is an elite.
    """

    mean: Float[Array, "B H A"]
    variance: Float[Array, "B H A"]
    value: Float[Array, "B"]
    found: Bool[Array, "B"]


def start(space: Box, config: ShootingConfig, batch: int) -> Float[Array, "B H A"]:
    """The warm start of an episode's first decision: the middle of the action range."""
    return jnp.full((batch, config.horizon, *space.shape), centre(space), float)


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

    def unfinished(search: Search) -> Bool[Array, ""]:
        return (search.iteration < config.iterations) & jnp.any(_active(search, config))

    def refine(search: Search) -> Search:
        key, key_sample, key_model = jax.random.split(search.key, 3)
        plans = sample(space, config.population, search.mean, search.variance, key_sample)
        returns = imagined_returns(model, params, belief, plans, key_model)
        mean, variance, value = refit(plans, returns, search.mean, search.variance, config)
        going = _active(search, config)
        mean = jnp.where(going[:, None, None], mean, search.mean)
        variance = jnp.where(going[:, None, None], variance, search.variance)
        return Search(mean, variance, jnp.where(going, value, search.value), key, search.iteration + 1)

    variance = jnp.full_like(mean, (space.high - space.low) ** 2 / 16)
    first = Search(mean, variance, jnp.zeros(len(mean)), key, jnp.zeros((), jnp.int32))
    found = jax.lax.while_loop(unfinished, refine, first)
    return found.mean[:, 0], shift(found.mean, centre(space)), PlanOutput(found.value, found.mean)


def sample(
    space: Box, population: int, mean: Float[Array, "B H A"], variance: Float[Array, "B H A"], key: Array
) -> Float[Array, "B C H A"]:
    """Normals truncated at two deviations, narrowed near the bounds so that none leaves them."""
    room = jnp.minimum(jnp.square((mean - space.low) / 2), jnp.square((space.high - mean) / 2))
    std = jnp.sqrt(jnp.minimum(room, variance))
    batch, horizon, width = mean.shape
    noise = jax.random.truncated_normal(key, -2.0, 2.0, (batch, population, horizon, width), mean.dtype)
    return mean[:, None] + std[:, None] * noise


def refit(
    plans: Float[Array, "B C H A"],
    returns: Float[Array, "B C"],
    mean: Float[Array, "B H A"],
    variance: Float[Array, "B H A"],
    config: ShootingConfig,
) -> tuple[Float[Array, "B H A"], Float[Array, "B H A"], Float[Array, "B"]]:
    """New mean and variance, alpha * old + (1 - alpha) * elites', and the elites' mean return.

    Both stay as they are where no plan is an elite.
    """
    elites = fit_elites(plans, returns, config.elites)
    alpha = jnp.where(elites.found, config.alpha, 1.0)[:, None, None]
    new_mean = alpha * mean + (1 - alpha) * elites.mean
    return new_mean, alpha * variance + (1 - alpha) * elites.variance, elites.value


def fit_elites(plans: Float[Array, "B C H A"], returns: Float[Array, "B C"], count: int) -> Elites:
    """The best `count` plans, or fewer: one whose return is minus infinity is not among them."""
    values, best = jax.lax.top_k(returns, count)
    plans = jnp.take_along_axis(plans, best[..., None, None], axis=1)
    good = values > -jnp.inf
    found = good.any(axis=1)
    among = good | ~found[:, None]  # any at all where none is good, so that no mean is 0 / 0
    of_plans = among[..., None, None]
    mean, variance = plans.mean(1, where=of_plans), plans.var(1, where=of_plans)
    return Elites(mean, variance, values.mean(1, where=among), found)


def _active(search: Search, config: ShootingConfig) -> Bool[Array, "B"]:
    return search.variance.max(axis=(1, 2)) > config.epsilon
