"""Environments seen through a camera."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from imaginax.types import Box, ConfigError, Environment, State, TimeStep


def pixels(env: Environment, size: int | None = None) -> Environment:
    """The environment whose observation is its image.

    Apply it outside of what resets the environment, so that each step draws one image.

    Args:
        env: with a `render` that can be compiled.
        size: pixels of the shorter side, default as drawn; of fewer each is the mean of a square.

    Raises:
        ConfigError: if it cannot draw itself, or the size does not divide that of its image.
    """
    if env.render is None:
        raise ConfigError(f"env {env.spec.name} has no image to observe")
    state, _ = jax.eval_shape(env.init, jax.random.key(0))
    height, width, channels = jax.eval_shape(env.render, state).shape
    square, rest = divmod(min(height, width), size or min(height, width))
    if rest or height % square or width % square:
        raise ConfigError(f"image ({size}) must divide {height} x {width}, the image of {env.spec.name}")
    shape = (height // square, width // square, channels)
    draw = env.render

    def seen(pair: tuple[State, TimeStep]) -> tuple[State, TimeStep]:
        state, timestep = pair
        return state, timestep._replace(observation=shrunk(draw(state), square))

    def init(key: Array) -> tuple[State, TimeStep]:
        return seen(env.init(key))

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        return seen(env.step(state, action, key))

    spec = dataclasses.replace(env.spec, observation=Box(shape, 0.0, 255.0, jnp.dtype("uint8")))
    return env._replace(spec=spec, init=init, step=step, reward=None, features=None)


def shrunk(image: UInt8[Array, "H W C"], square: int) -> UInt8[Array, "h w C"]:
    """Means of squares of pixels, rounded."""
    if square == 1:
        return image
    height, width, channels = image.shape
    parts = image.reshape(height // square, square, width // square, square, channels).astype(jnp.int32)
    return ((parts.sum((1, 3)) + square**2 // 2) // square**2).astype(jnp.uint8)
