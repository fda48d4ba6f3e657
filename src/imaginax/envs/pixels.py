"""Environments seen through a camera."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from imaginax.types import Box, ConfigError, Environment, State, TimeStep


def pixels(env: Environment, size: int | None = None) -> Environment:
    """The environment whose observation is its image: the one that it observes, or else draws.

    Apply it outside of what resets the environment, so that each step draws one image.

    Args:
        env: that observes an image, or can be drawn; in JAX, with a `render` that can be compiled.
        size: pixels of the shorter side, default as drawn; of fewer each is the mean of a square. Images
            from outside of JAX are fitted into a square of this size.

    Raises:
        ConfigError: if it has no image, or the size does not divide that of an image in JAX.
    """
    if env.host is not None:
        host = env.host.pixels(size)
        spec = dataclasses.replace(env.spec, observation=host.spec.observation)
        return env._replace(spec=spec, init=host.init, host=host, **_hidden())
    draw = _observed if env.spec.observation.dtype == jnp.uint8 else _drawn(env)
    height, width, channels = jax.eval_shape(lambda key: draw(*env.init(key)), jax.random.key(0)).shape
    square, rest = divmod(min(height, width), size or min(height, width))
    if rest or height % square or width % square:
        raise ConfigError(f"image ({size}) must divide {height} x {width}, the image of {env.spec.name}")
    shape = (height // square, width // square, channels)

    def seen(pair: tuple[State, TimeStep]) -> tuple[State, TimeStep]:
        state, timestep = pair
        return state, timestep._replace(observation=shrunk(draw(state, timestep), square))

    def init(key: Array) -> tuple[State, TimeStep]:
        return seen(env.init(key))

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        return seen(env.step(state, action, key))

    spec = dataclasses.replace(env.spec, observation=Box(shape, 0.0, 255.0, jnp.dtype("uint8")))
    return env._replace(spec=spec, init=init, step=step, **_hidden())


def _hidden() -> dict[str, None]:
    """What is written on observations that an image hides."""
    return dict.fromkeys(("reward", "terminated", "features", "expected_reward"))


def _observed(state: State, timestep: TimeStep) -> UInt8[Array, "H W C"]:
    return timestep.observation


def _drawn(env: Environment) -> Callable[[State, TimeStep], UInt8[Array, "H W C"]]:
    render = env.render
    if render is None:
        raise ConfigError(f"env {env.spec.name} has no image to observe: it cannot be drawn")
    return lambda state, timestep: render(state)


def shrunk(image: UInt8[Array, "H W C"], square: int) -> UInt8[Array, "h w C"]:
    """Means of squares of pixels, rounded."""
    if square == 1:
        return image
    height, width, channels = image.shape
    parts = image.reshape(height // square, square, width // square, square, channels).astype(jnp.int32)
    return ((parts.sum((1, 3)) + square**2 // 2) // square**2).astype(jnp.uint8)
