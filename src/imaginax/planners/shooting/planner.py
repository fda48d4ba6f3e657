"""Planning by sampling action sequences: one configuration, five methods, any world model."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from imaginax.planners.shooting import cem, icem, mppi, planet_cem
from imaginax.planners.shooting import random as random_shooting
from imaginax.planners.shooting.config import LARGEST, ShootingConfig
from imaginax.types import Box, Capabilities, ConfigError, EnvSpec, Planner, WorldModel

NEEDS = Capabilities(continuous=True)


def make_planner(spec: EnvSpec, model: WorldModel, config: ShootingConfig) -> Planner:
    """The configured planner for continuous actions of `spec`.

    A memory that holds a number that is not finite is replaced there by that of an episode's first decision.

    Raises:
        ConfigError: if the environment's actions are discrete or unbounded, the method is unknown, or CEM
            would stop before its first iteration.
    """
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
