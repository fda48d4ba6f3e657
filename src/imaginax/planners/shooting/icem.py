"""Sample-efficient cross-entropy method, iCEM (Pinneri et al. 2020, algorithm 1).

Against CEM: noise that is correlated in time, a population that shrinks, elites that are kept from one
iteration and (shifted) from one decision to the next, the mean as a last candidate, samples clipped to
the bounds, and the best plan ever seen is executed.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imaginax.models.imagination import imagined_returns
from imaginax.planners.shooting import cem
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.noise import coloured_noise
from imaginax.planners.shooting.plans import centre, shift
from imaginax.types import Belief, Box, Params, PlanOutput, WorldModel


class WarmStart(NamedTuple):
    """The shifted mean and the shifted elites of the previous decision, if there was one."""

    mean: Float[Array, "B H A"]
    elites: Float[Array, "B E H A"]
    known: Bool[Array, "B"]


class Best(NamedTuple):
    """The best plan found so far."""

    plan: Float[Array, "B H A"]
    value: Float[Array, "B"]


def start(space: Box, config: ShootingConfig, batch: int) -> WarmStart:
    """The warm start of an episode's first decision: the middle of the range, no elites."""
    mean = cem.start(space, config, batch)
    elites = jnp.repeat(mean[:, None], max(_kept(config), 1), axis=1)
    return WarmStart(mean, elites, jnp.zeros(batch, bool))


def plan(
    model: WorldModel,
    space: Box,
    config: ShootingConfig,
    params: Params,
    belief: Belief,
    warm: WarmStart,
    key: Array,
) -> tuple[Float[Array, "B A"], WarmStart, PlanOutput]:
    """One decision for each of B problems: (action, warm start of the next decision, what was found)."""
    half_range = (space.high - space.low) / 2
    mean, variance = warm.mean, jnp.full_like(warm.mean, (config.noise_std * half_range) ** 2)
    elites, best = warm.elites, Best(warm.mean, jnp.full(len(warm.mean), -jnp.inf))
    for iteration, key_iteration in enumerate(jax.random.split(key, config.iterations)):
        key_sample, key_model = jax.random.split(key_iteration)
        plans = _sample(space, config, iteration, mean, variance, key_sample)
        if _kept(config):
            # Before any elites are known, their places are filled by copies of fresh samples.
            fresh = plans[:, : elites.shape[1]]
            known = warm.known[:, None, None, None] | (iteration > 0)
            plans = jnp.concatenate([plans, jnp.where(known, elites, fresh)], axis=1)
        if iteration == config.iterations - 1:
            plans = jnp.concatenate([plans, mean[:, None]], axis=1)
        returns = imagined_returns(model, params, belief, plans, key_model)
        mean, variance, _ = cem.refit(plans, returns, mean, variance, config)
        best = _better(best, plans, returns)
        elites = _top(plans, returns, elites.shape[1])
    following = WarmStart(
        shift(mean, mean[:, -1:]), _shift_elites(elites, space, config, key), warm.known | True
    )
    return best.plan[:, 0], following, PlanOutput(best.value, best.plan)


def _kept(config: ShootingConfig) -> int:
    return int(config.keep * config.elites)


def _sample(
    space: Box,
    config: ShootingConfig,
    iteration: int,
    mean: Float[Array, "B H A"],
    variance: Float[Array, "B H A"],
    key: Array,
) -> Float[Array, "B C H A"]:
    """Clipped coloured noise around the mean; the population shrinks to no less than twice the elites."""
    population = max(int(config.population * config.decay**-iteration), 2 * config.elites)
    batch, horizon, width = mean.shape
    noise = coloured_noise(key, config.noise_beta, (batch, population, horizon, width))
    return jnp.clip(mean[:, None] + jnp.sqrt(variance)[:, None] * noise, space.low, space.high)


def _top(plans: Float[Array, "B C H A"], returns: Float[Array, "B C"], count: int) -> Float[Array, "B E H A"]:
    best = jax.lax.top_k(returns, count)[1]
    return jnp.take_along_axis(plans, best[..., None, None], axis=1)


def _better(best: Best, plans: Float[Array, "B C H A"], returns: Float[Array, "B C"]) -> Best:
    """The better of the best so far and the best of these candidates."""
    value = returns.max(1)
    better = value > best.value
    return Best(
        jnp.where(better[:, None, None], _top(plans, returns, 1)[:, 0], best.plan),
        jnp.maximum(value, best.value),
    )


def _shift_elites(
    elites: Float[Array, "B E H A"], space: Box, config: ShootingConfig, key: Array
) -> Float[Array, "B E H A"]:
    """Elites one step later; their new last action is drawn around the middle of the range."""
    batch, count, _, width = elites.shape
    std = config.noise_std * (space.high - space.low) / 2
    last = centre(space) + std * jax.random.normal(
        jax.random.fold_in(key, config.iterations), (batch, count, 1, width)
    )
    return shift(elites, jnp.clip(last, space.low, space.high))
