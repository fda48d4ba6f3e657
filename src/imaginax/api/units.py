"""Observations and actions as an environment has them, and as a system sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.runtime.playback import Trained
from imaginax.types import Box, ConfigError, Discrete, Environment, Space


class Units(NamedTuple):
    """How one observation comes in and one action goes out.

    Attributes:
        action: what the environment takes; for one outside of JAX its own form of it is what `emit` gives.
        observe: an observation of the environment -> arrays of the shapes that the system sees.
        scale: an action of the system -> the environment's units, in JAX.
        emit: an action in those units -> what the environment takes.
    """

    action: Space
    observe: Callable[[Any], Any]
    scale: Callable[[jax.Array], jax.Array]
    emit: Callable[[np.ndarray], Any]


def units_of(trained: Trained, env: Environment | None) -> Units:
    """The units of the environment that a run was trained on.

    Args:
        trained: the run.
        env: its environment, if it was handed over as an object.
    """
    system = trained.system
    host = (system.environment if env is None else env).host
    if host is not None:
        return _of_host(host, system.environment.host)
    seen, space = system.environment.spec, system.environment.spec.action
    if isinstance(space, Discrete):
        return Units(space, _fitted(seen.observation), lambda action: action, int)
    own = space
    if (space.low, space.high) == (-1.0, 1.0):  # it may have been scaled
        own = (envs.raw(trained.record["env"]) if env is None else env).spec.action
        assert isinstance(own, Box)
    return Units(own, _fitted(seen.observation), _scaled(space, own), np.asarray)


def _scaled(space: Box, own: Box) -> Callable[[jax.Array], jax.Array]:
    """From the bounds of one space to those of another, and never beyond them."""
    if (space.low, space.high) == (own.low, own.high):
        return lambda action: jnp.clip(action, own.low, own.high)
    middle, half = (own.high + own.low) / 2, (own.high - own.low) / 2
    return lambda action: jnp.clip(middle + half * action, own.low, own.high)


def _fitted(seen: Box) -> Callable[[Any], Any]:
    """Images of another size become those that the system was trained on; all else stays as it is."""
    if seen.dtype != jnp.uint8 or len(seen.shape) != 3:
        return lambda observation: observation

    def observe(observation: Any) -> Any:
        from imaginax.envs.host import pictures

        if isinstance(observation, jax.Array) or np.shape(observation) == seen.shape:
            return observation
        image = np.asarray(observation)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != seen.shape[2]:
            raise ConfigError(
                f"observation must be an image [H W {seen.shape[2]}] of bytes, got"
                f" {image.dtype} of shape {image.shape}"
            )
        return pictures.resized(image, (seen.shape[0], seen.shape[1]))

    return observe


# ------------------------------------------------------- outside of JAX


def _of_host(own: Any, seen: Any) -> Units:
    """The spaces of gymnasium, read from a copy that is closed again.

    Args:
        own: the `Host` of the environment by itself.
        seen: that of the environment as the system sees it.
    """
    import gymnasium

    from imaginax.envs.host.wrappers import VectorAction

    with contextlib.closing(gymnasium.make(own.recipe.target, **own.recipe.options)) as probe:
        blank = _blank(probe.observation_space, probe.action_space)
    space = seen.spec.action
    observe = _layers(blank, seen.recipe.wrappers)
    if isinstance(space, Discrete):
        first = int(getattr(blank.action_space, "start", 0))
        return Units(space, observe, lambda action: action, lambda action: int(action) + first)
    taken = VectorAction(blank, space.low, space.high)
    clip = lambda action: jnp.clip(action, space.low, space.high)  # noqa: E731
    return Units(space, observe, clip, taken.action)


def _layers(blank: Any, wrappers: tuple[Any, ...]) -> Callable[[Any], Any]:
    """What the wrappers of an environment make of an observation, or of a picture where they draw one."""
    from imaginax.envs.host import pictures
    from imaginax.envs.host.wrappers import Drawn, Picture, Vector

    layers: list[Any] = []
    env = blank
    for wrapper in wrappers:
        env = wrapper(env)
        if isinstance(env, Drawn):
            layers = [env]
        elif isinstance(env, Vector | Picture):
            layers.append(env)

    def observe(observation: Any) -> np.ndarray:
        for layer in layers:
            if isinstance(layer, Drawn):
                image = pictures.frame(observation)
                if image is None:
                    raise ConfigError("observation must be the picture that the environment draws")
                shape = layer.observation_space.shape
                assert shape is not None
                observation = pictures.resized(image, (shape[0], shape[1]))
            else:
                observation = layer.observation(observation)
        return observation

    return observe


def _blank(observation_space: Any, action_space: Any) -> Any:
    """An environment that has spaces and nothing else."""
    import gymnasium

    blank = gymnasium.Env()
    blank.observation_space, blank.action_space = observation_space, action_space
    return blank
