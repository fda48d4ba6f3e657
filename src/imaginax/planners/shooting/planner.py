"""Planning by sampling action sequences: one configuration, five methods, any world model."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.types import Box, Capabilities, ConfigError, EnvSpec, Planner, WorldModel

Method = Literal["random", "cem", "planet_cem", "icem", "mppi"]
NEEDS = Capabilities(continuous=True)
MOST = {"horizon": 100_000, "population": 10_000_000, "iterations": 1_000, "elites": 10_000_000}
LARGEST = 1e15  # of numbers that are squared in float32


@dataclasses.dataclass(frozen=True)
class ShootingConfig:
    """A sampling planner; the defaults are PETS's CEM for the cart-pole.

    Attributes:
        method: random shooting, CEM as PETS or as PlaNet has it (`planet_cem`), iCEM or MPPI.
        horizon: H, steps that a plan looks ahead.
        population: candidate plans an iteration.
        iterations: refinements a decision (all but random).
        elites: candidates that the next distribution is fitted to (cem, planet_cem, icem); fewer where fewer
            have a return.
        alpha: weight of the old mean and variance against the elites' (cem, icem).
        epsilon: CEM stops once the largest variance is no larger than this.
        noise_std: standard deviation of the first iteration's noise, as a fraction of half the action range
            (icem, mppi).
        noise_beta: exponent of the coloured noise's power spectrum, 0 is white (icem, mppi).
        keep: fraction of elites carried to the next iteration and, shifted, to the next decision (icem).
        decay: factor by which the population shrinks each iteration (icem).
        temperature: of the exponential weights on returns (mppi).
    """

    method: Method = "cem"
    horizon: int = 25
    population: int = 400
    iterations: int = 5
    elites: int = 40
    alpha: float = 0.1
    epsilon: float = 1e-3
    noise_std: float = 0.5
    noise_beta: float = 2.0
    keep: float = 0.3
    decay: float = 1.25
    temperature: float = 1.0

    def __post_init__(self):
        for name in ("horizon", "population", "iterations", "elites"):
            if not 1 <= getattr(self, name) <= MOST[name]:
                raise ConfigError(f"planner.{name} must lie in [1, {MOST[name]}], got {getattr(self, name)}")
        if self.method in ("cem", "planet_cem", "icem") and self.elites > self.population:
            raise ConfigError(
                f"planner.elites ({self.elites}) must not exceed planner.population ({self.population})"
            )
        if not 0.0 <= self.alpha < 1.0:
            raise ConfigError(f"planner.alpha must lie in [0, 1), got {self.alpha}")
        if not 0.0 <= self.keep <= 1.0:
            raise ConfigError(f"planner.keep must lie in [0, 1], got {self.keep}")
        for name, least in (("decay", 1.0), ("epsilon", 0.0), ("noise_beta", -LARGEST)):
            if not least <= getattr(self, name) <= LARGEST:
                raise ConfigError(
                    f"planner.{name} must lie in [{least:g}, {LARGEST:g}], got {getattr(self, name)}"
                )
        for name in ("temperature", "noise_std"):
            if not 0.0 < getattr(self, name) <= LARGEST:
                raise ConfigError(f"planner.{name} must lie in (0, {LARGEST:g}], got {getattr(self, name)}")


def make_planner(spec: EnvSpec, model: WorldModel, config: ShootingConfig) -> Planner:
    """The configured planner for continuous actions of `spec`.

    A memory that holds a number that is not finite is replaced there by that of an episode's first decision.

    Raises:
        ConfigError: if the environment's actions are discrete or unbounded, the method is unknown, or CEM
            would stop before its first iteration.
    """
    from imaginax.planners.shooting import cem, icem, mppi
    from imaginax.planners.shooting import planet_cem as planet_cem
    from imaginax.planners.shooting import random as random_shooting

    space = _searched(spec, config)
    methods = {
        "random": random_shooting.plan,
        "cem": cem.plan,
        "planet_cem": planet_cem.plan,
        "icem": icem.plan,
        "mppi": mppi.plan,
    }
    if config.method not in methods:
        raise ConfigError(f"planner.method must be one of {', '.join(methods)}, got {config.method}")
    start = icem.start if config.method == "icem" else cem.start

    def init(batch: int):
        return start(space, config, batch)

    def plan(params, belief, plan_state, key, legal=None):
        fresh = init(jax.tree.leaves(plan_state)[0].shape[0])
        plan_state = jax.tree.map(lambda x, new: jnp.where(jnp.isfinite(x), x, new), plan_state, fresh)
        return methods[config.method](model, space, config, params, belief, plan_state, key)

    return Planner(NEEDS, init, plan)


def _searched(spec: EnvSpec, config: ShootingConfig) -> Box:
    """The action space, in which the configured method can search."""
    space = spec.action
    if not isinstance(space, Box):
        raise ConfigError(
            f"planner.method {config.method} needs continuous actions, which env {spec.name} lacks"
        )
    if not max(abs(space.low), abs(space.high)) <= LARGEST:
        raise ConfigError(
            f"planner.method {config.method} needs actions with bounds of at most {LARGEST:g},"
            f" env {spec.name} has [{space.low:g}, {space.high:g}]"
        )
    first_variance = (space.high - space.low) ** 2 / 16
    if config.method == "cem" and config.epsilon >= first_variance:
        raise ConfigError(
            f"planner.epsilon ({config.epsilon:g}) must be less than the variance that CEM starts from,"
            f" {first_variance:g} for env {spec.name}: it would never search"
        )
    return space


def centre(space: Box) -> float:
    """The middle of the action range: what a plan is before anything is known."""
    return (space.low + space.high) / 2


def shift(plans: Float[Array, "*N H A"], padding: float | Float[Array, "*N 1 A"]) -> Float[Array, "*N H A"]:
    """Plans one step later: the first action is gone, `padding` is the new last one."""
    last = jnp.broadcast_to(padding, plans[..., :1, :].shape).astype(plans.dtype)
    return jnp.concatenate([plans[..., 1:, :], last], axis=-2)
