"""Opens environments outside of JAX: what `Environment.host` is, and what the wrappers make of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from imaginax.envs.host.vector import HostState, HostVector
from imaginax.envs.loading import failure
from imaginax.envs.physical import restart
from imaginax.types import Box, ConfigError, EnvSpec, TimeStep


class Recipe(NamedTuple):
    """How to make one copy of an environment; worker processes receive it.

    Attributes:
        target: gymnasium's id, or its specification of an environment.
        options: keyword arguments for gymnasium's `make`.
        wrappers: applied in this order.
        opengl: whether drawing it needs OpenGL.
    """

    target: Any
    options: dict[str, Any]
    wrappers: tuple[Any, ...] = ()
    opengl: bool = False


@dataclasses.dataclass(frozen=True)
class Host:
    """A kind of environment of which real copies can be opened.

    Attributes:
        recipe: of one copy.
        spec: what a copy promises.
        draws: copies must be able to draw themselves.
        resets_in_turn: see `HostVector`.
    """

    recipe: Recipe
    spec: EnvSpec
    draws: bool = False
    resets_in_turn: bool = False

    def __call__(self, n: int, *, processes: bool = False, render: bool = False) -> HostVector:
        """`n` real copies.

        Args:
            n: how many.
            processes: each in a process of its own, for environments whose step takes longer than a message
                to another process (about 0.1 ms).
            render: whether they will be drawn, if that is possible here.

        Raises:
            ConfigError: in the words of the environment, if it cannot be made so often.
        """
        import gymnasium
        from gymnasium.vector import AutoresetMode

        kinds: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}
        if processes:
            kinds["context"] = "spawn"  # a fork of a process that runs JAX may hang
        drawn = self.draws or (render and can_draw(self.recipe))
        options = self.recipe.options | ({"render_mode": "rgb_array"} if drawn else {})
        mode = "async" if processes else "sync"
        try:
            with _quietly():
                vector = gymnasium.make_vec(
                    self.recipe.target, n, mode, vector_kwargs=kinds, wrappers=self._wrappers(), **options
                )
        except Exception as error:  # the code of the environment: anything may go wrong in it
            raise ConfigError(failure(f"cannot make {n} of env {self.spec.name}", error)) from error
        return HostVector(vector, self.spec, in_turn=self.resets_in_turn)

    def init(self, key: Array) -> tuple[HostState, TimeStep]:
        """A placeholder: the seed of an environment, and the shapes of a first time step."""
        state = HostState(jax.random.bits(key, (), jnp.uint32), jnp.zeros((), jnp.int32))
        return state, restart(jnp.zeros(self.spec.observation.shape, self.spec.observation.dtype))

    def in_turn(self) -> Host:
        """The same, starting episodes as `wrappers.reset_in_turn` does."""
        return dataclasses.replace(self, resets_in_turn=True)

    def unit_actions(self) -> Host:
        """The same with continuous actions in [-1, 1]."""
        space = self.spec.action
        assert isinstance(space, Box)
        return dataclasses.replace(
            self, spec=dataclasses.replace(self.spec, action=Box(space.shape, -1.0, 1.0))
        )

    def pixels(self, size: int | None) -> Host:
        """The same, observing an image: its own observation, if it is one, or else what it draws.

        Args:
            size: pixels a side; by default those of the image.

        Raises:
            ConfigError: if it observes no image and draws none here.
        """
        from imaginax.envs.host.wrappers import Drawn, Picture

        height, width, channels = self._image()
        shape = (size or height, size or width, channels)
        observed = self.spec.observation.dtype == jnp.uint8
        wrapper = partial(Picture if observed else Drawn, size=shape[:2])
        return dataclasses.replace(
            self,
            recipe=self.recipe._replace(wrappers=(*self.recipe.wrappers, wrapper)),
            spec=dataclasses.replace(self.spec, observation=Box(shape, 0.0, 255.0, jnp.dtype("uint8"))),
            draws=self.draws or not observed,
        )

    def _image(self) -> tuple[int, ...]:
        """The shape of the image that it observes, or else draws at the start of an episode."""
        if self.spec.observation.dtype == jnp.uint8:
            return self.spec.observation.shape
        with contextlib.closing(self(1, render=True)) as vector:
            vector.reset(np.zeros(1, np.uint32), np.zeros(1, np.int32))
            frame = vector.render()
        if frame is None:
            raise ConfigError(f"env {self.spec.name} has no image to observe: it cannot be drawn here")
        return frame.shape

    def _wrappers(self) -> tuple[Any, ...]:
        from imaginax.envs.host.wrappers import Held, VectorAction

        space, wrappers = self.spec.action, self.recipe.wrappers
        if isinstance(space, Box):
            wrappers = (*wrappers, partial(VectorAction, low=space.low, high=space.high))
        return (*wrappers, Held) if self.resets_in_turn else wrappers


def can_draw(recipe: Recipe) -> bool:
    """Whether a copy can be made that draws itself.

    Not with OpenGL on a Linux machine without a display: MuJoCo's second attempt ends the process.
    """
    ways = ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY")
    if recipe.opengl and sys.platform == "linux" and not any(os.environ.get(way) for way in ways):
        return False
    import gymnasium

    try:
        with _quietly():
            gymnasium.make(recipe.target, **recipe.options, render_mode="rgb_array").close()
    except Exception:  # some environments know no `render_mode`, others refuse this one
        return False
    return True


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without gymnasium's warnings of how an environment describes itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
