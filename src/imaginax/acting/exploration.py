"""Exploration: what is added to a decision so that experience holds more than the best known actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.types import Box, Discrete, Space, TimeStep

Explore = Callable[[Array, TimeStep, Array], Array]
"""(action [B ...], time step [B ...], key) -> action [B ...] of the same type."""


def gaussian_noise(space: Box, scale: float) -> Explore:
    """Adds independent normal noise to every action and clips to the bounds.

    PlaNet and Dreamer use a scale of 0.3 (arXiv 1811.04551, 1912.01603).

    Args:
        space: bounded actions.
        scale: standard deviation of the noise, in half the action range.
    """
    std = scale * (space.high - space.low) / 2

    def explore(action: Array, timestep: TimeStep, key: Array) -> Array:
        del timestep
        noise = std * jax.random.normal(key, action.shape, action.dtype)
        return jnp.clip(action + noise, space.low, space.high)

    return explore


def epsilon_greedy(space: Discrete, epsilon: float | Float[Array, "B"]) -> Explore:
    """Replaces an action by a uniformly random legal one with probability `epsilon`.

    Args:
        space: of the actions.
        epsilon: probability, one number or one for every environment.
    """

    def explore(action: Array, timestep: TimeStep, key: Array) -> Array:
        key_whether, key_which = jax.random.split(key)
        randomly = jax.random.uniform(key_whether, action.shape) < epsilon
        return jnp.where(randomly, random_action(space, timestep, key_which), action)

    return explore


def random_action(space: Space, timestep: TimeStep, key: Array) -> Array:
    """Uniformly random legal actions [B ...], as in the first episodes of PlaNet, Dreamer and PETS."""
    batch = len(timestep.first)
    if isinstance(space, Box):
        return jax.random.uniform(key, (batch, *space.shape), minval=space.low, maxval=space.high)
    logits = jnp.zeros((batch, space.size))
    if timestep.legal is not None:
        logits = jnp.where(timestep.legal, logits, -jnp.inf)
    return jax.random.categorical(key, logits).astype(jnp.int32)


def act_randomly(space: Space) -> Callable[..., tuple[Any, Array, Any]]:
    """The `act` of a stage with random actions; its memory stays as it is, since nothing is filtered."""

    def act(params: Any, memory: Any, timestep: TimeStep, key: Array) -> tuple[Any, Array, Any]:
        del params
        return memory, random_action(space, timestep, key), ()

    return act
