"""What gymnasium's spaces are to an agent: one array to observe; numbered actions, or one bounded vector.

This module needs gymnasium; import it where it is used.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from imaginax.envs.host.pictures import is_picture
from imaginax.envs.host.wrappers import Picture, Vector, boxes
from imaginax.types import Box, ConfigError, Discrete, Space

_LARGEST = 1e15  # bounds beyond it are none: actions are squared in float32


def check(name: str, probe: Any) -> None:
    """Whether an environment says what it shows and what it takes.

    Raises:
        ConfigError: naming the space that is missing.
    """
    for field in ("observation_space", "action_space"):
        space = getattr(probe, field, None)
        if not isinstance(space, spaces.Space):
            raise ConfigError(f"env {name}: {field} must be a space of gymnasium, got {space}")


def observation_wrapper(name: str, space: Any) -> Any:
    """Shows the only image of an observation, or else all its numbers in one vector.

    Raises:
        ConfigError: if there are several images, parts of varying size, or nothing at all.
    """
    images = _images(space)
    if len(images) == 1:
        return partial(Picture, path=images[0])
    if images or not space.is_np_flattenable or not spaces.flatdim(space):
        raise ConfigError(
            f"env {name}: observation_space {_named(space)} is not one array and cannot be made one"
            + (f": it has {len(images)} images" if images else "")
        )
    return Vector


def observation(space: spaces.Box) -> Box:
    """What one of the wrappers shows; one pair of bounds for all entries."""
    low, high = float(space.low.min()), float(space.high.max())
    bounds = (low, high) if low < high else ()  # of what never changes nothing is known
    return Box(space.shape, *bounds, dtype=jnp.uint8 if space.dtype == np.uint8 else jnp.float32)


def action(name: str, space: Any) -> Space:
    """Numbered actions; or a vector with the bounds that all its entries share, else with [-1, 1].

    Raises:
        ConfigError: for other actions, and for actions without bounds.
    """
    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n))
    if not boxes(space):
        kinds = "only Discrete and Box, alone or in a Tuple or a Dict of them, are supported"
        raise ConfigError(f"env {name}: action_space {_named(space)} does not fit; {kinds}")
    flat: Any = spaces.flatten_space(space)
    low, high = flat.low.astype(np.float64), flat.high.astype(np.float64)
    if not low.size or not (np.abs(low) < _LARGEST).all() or not (np.abs(high) < _LARGEST).all():
        raise ConfigError(
            f"env {name}: action_space {_named(space)} is without bounds, which no planner can search"
        )
    shared = np.ptp(low) == 0 and np.ptp(high) == 0 and low[0] < high[0]
    return Box(flat.shape, *((float(low[0]), float(high[0])) if shared else (-1.0, 1.0)))


def _named(space: Any) -> str:
    words = " ".join(str(space).split())
    return words if len(words) <= 120 else f"{words[:120]}..."


def _images(space: Any) -> list[tuple[Any, ...]]:
    """Where there are images in a nested space: paths of keys."""
    if isinstance(space, spaces.Box):
        return [()] if is_picture(space) else []
    if not isinstance(space, spaces.Dict | spaces.Tuple):
        return []
    parts = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
    return [(key, *path) for key, part in parts for path in _images(part)]
