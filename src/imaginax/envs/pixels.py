"""Environments seen through a camera."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array

from imaginax.types import Box, ConfigError, Environment, State, TimeStep


def pixels(env: Environment, shape: tuple[int, int, int]) -> Environment:
    """The environment whose observation is its image.

    Apply it outside of what resets the environment, so that each step draws one image.

    Args:
        env: with a `render` that can be compiled.
        shape: [H, W, 3] of its images.

    Raises:
        ConfigError: if it cannot draw itself.
    """
    if env.render is None:
        raise ConfigError(f"env {env.spec.name} has no image to observe")
    draw = env.render

    def seen(pair: tuple[State, TimeStep]) -> tuple[State, TimeStep]:
        state, timestep = pair
        return state, timestep._replace(observation=draw(state))

    def init(key: Array) -> tuple[State, TimeStep]:
        return seen(env.init(key))

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        return seen(env.step(state, action, key))

    spec = dataclasses.replace(env.spec, observation=Box(shape, 0.0, 255.0, jnp.dtype("uint8")))
    return env._replace(spec=spec, init=init, step=step, reward=None, features=None)
