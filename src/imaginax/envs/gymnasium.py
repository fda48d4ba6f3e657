"""Environments that are no JAX programs, through gymnasium: `make("gym:Pendulum-v1")`.

    gym:<id>              any environment that gymnasium knows; gym:<module>:<id> imports the module first
    atari:<game>          ALE/<game>-v5                                         (extra atari)
    dmc:<domain>-<task>   the dm_control suite, for example dmc:cartpole-swingup  (extra dmc)

They run in Python, beside the compiled `act` and `learn` of a system (`runtime.host_driver`).
"""

from __future__ import annotations

import importlib
import math
import os
import sys
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from imaginax.envs import wrappers
from imaginax.envs.host_rewards import PUBLISHED, Published
from imaginax.envs.host_vector import HostState, HostVector
from imaginax.envs.physical import restart
from imaginax.types import Box, ConfigError, Discrete, Environment, EnvSpec, Space, TimeStep

PREFIXES = ("gym", "atari", "dmc")

# how an environment's id or the module of its code starts -> (module to import first, extra that brings it)
_FAMILIES = {
    "ALE/": ("ale_py", "atari"),
    "Vizdoom": ("vizdoom.gymnasium_wrapper", "doom"),
    "dmc/": ("dm_control", "dmc"),
}


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


def environment(name: str, *, max_steps: int | None = None, action_repeat: int = 1) -> Environment:
    """The environment called `name`; its `host` opens real copies, its `init` is a placeholder.

    Args:
        name: with one of `PREFIXES`.
        max_steps: steps after which an episode is truncated; by default the environment's own number.
        action_repeat: steps for which every action is held.

    Raises:
        ConfigError: if it is unknown, its package is missing, or its observations, actions or number of
            steps do not fit.
    """
    if max_steps is not None and max_steps < 1:
        raise ConfigError(f"max_steps must be at least 1, got {max_steps}")
    recipe = _recipe(name, max_steps, action_repeat)
    probe = _make(name, recipe)
    try:
        opengl = any(part in str(probe.spec.entry_point) for part in ("mujoco", "DmControl"))
        recipe = recipe._replace(wrappers=_adapters(name, probe, action_repeat), opengl=opengl)
        limit, seconds = max_steps or _limit(name, probe), _step_seconds(probe)
        for wrapper in recipe.wrappers:
            probe = wrapper(probe)
        spec = EnvSpec(
            name,
            _observation(probe.observation_space),
            _action(probe.action_space),
            max_steps=limit,
            step_seconds=seconds,
        )
    finally:
        probe.close()
    published = PUBLISHED.get(name.removeprefix("gym:"), Published())
    env = Environment(
        spec,
        init=partial(_placeholder, spec),
        step=partial(_refuse, name),
        reward=published.reward,
        features=published.features,
        host=partial(open_host, recipe, spec),
    )
    return wrappers.action_repeat(env, action_repeat)


def open_host(
    recipe: Recipe, spec: EnvSpec, n: int, *, processes: bool = False, render: bool = False
) -> HostVector:
    """`n` real copies.

    Args:
        recipe: of one copy.
        spec: what a copy promises.
        n: how many.
        processes: each in a process of its own, for environments whose step takes longer than a message
            to another process (about 0.1 ms).
        render: whether they will be drawn, if that is possible here.
    """
    import gymnasium
    from gymnasium.vector import AutoresetMode

    kinds: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}
    if processes:
        kinds["context"] = "spawn"  # a fork of a process that runs JAX may hang
    vector = gymnasium.make_vec(
        recipe.target,
        n,
        vectorization_mode="async" if processes else "sync",
        vector_kwargs=kinds,
        wrappers=recipe.wrappers,
        **(recipe.options | ({"render_mode": "rgb_array"} if render and _can_draw(recipe) else {})),
    )
    return HostVector(vector, spec)


def _can_draw(recipe: Recipe) -> bool:
    """False for OpenGL on a Linux machine without a display: MuJoCo's second attempt ends the process."""
    ways = ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY")
    return not recipe.opengl or sys.platform != "linux" or any(os.environ.get(way) for way in ways)


# ---------------------------------------------------------- what JAX sees


def _placeholder(spec: EnvSpec, key: Array) -> tuple[HostState, TimeStep]:
    """A state that holds the seed of an environment, and the shapes of a first time step."""
    state = HostState(jax.random.bits(key, (), jnp.uint32), jnp.zeros((), jnp.int32))
    return state, restart(jnp.zeros(spec.observation.shape, spec.observation.dtype))


def _refuse(name: str, state: PyTree, action: Array, key: Array) -> tuple[PyTree, TimeStep]:
    raise ConfigError(f"env {name} runs on the host and cannot be a part of a compiled program")


def _observation(space: Any) -> Box:
    image = space.dtype == np.uint8 and len(space.shape) > 1
    bounds = float(space.low.min()), float(space.high.max())
    return Box(tuple(space.shape), *bounds, jnp.uint8 if image else jnp.float32)


def _action(space: Any) -> Space:
    if hasattr(space, "n"):
        return Discrete(int(space.n))
    return Box(tuple(space.shape), float(space.low.min()), float(space.high.max()))


# ------------------------------------------------------- what gymnasium has


def _recipe(name: str, max_steps: int | None, action_repeat: int) -> Recipe:
    """What a name stands for, without the wrappers that its spaces need."""
    gymnasium = _require("gymnasium", "gym", name)
    prefix, _, rest = name.partition(":")
    target: Any = f"ALE/{rest}-v5" if prefix == "atari" else rest
    if prefix == "dmc":
        domain, _, task = rest.partition("-")
        target = gymnasium.envs.registration.EnvSpec(
            f"dmc/{rest}-v0",
            entry_point="imaginax.envs.host_wrappers:DmControl",
            kwargs={"domain": domain, "task": task},
        )
    start = target if isinstance(target, str) else target.id
    for family, (module, extra) in _FAMILIES.items():
        if start.startswith(family):
            _require(module, extra, name)
    options = {"disable_env_checker": True}  # it warns of habits of environments that do no harm here
    return Recipe(target, options | ({"max_episode_steps": max_steps} if max_steps else {}))


def _require(module: str, extra: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(f"env {name} needs {package}: pip install 'imaginax[{extra}]'") from error


def _make(name: str, recipe: Recipe) -> Any:
    """One copy, to look at.

    Raises:
        ConfigError: naming the extra that is missing, or else in the words of the environment.
    """
    import gymnasium

    try:
        return gymnasium.make(recipe.target, **recipe.options)
    except gymnasium.error.DependencyNotInstalled as error:
        code = str(gymnasium.spec(recipe.target).entry_point)
        extra = "box2d" if "box2d" in code else "gym"
        raise ConfigError(f"env {name} needs a package: pip install 'imaginax[{extra}]'") from error
    except Exception as error:  # the code of the environment: anything may go wrong in it
        reason = str(error).strip().splitlines() or [""]
        raise ConfigError(f"cannot make env {name}: {type(error).__name__}: {reason[0]}") from error


def _adapters(name: str, probe: Any, action_repeat: int) -> tuple[Any, ...]:
    """Wrappers that give one array as observation, actions with one pair of bounds, and held actions."""
    from imaginax.envs.host_wrappers import ActionRepeat

    repeat = (partial(ActionRepeat, repeats=action_repeat),) if action_repeat > 1 else ()
    return (
        *repeat,
        *_observation_adapters(name, probe.observation_space),
        *_action_adapters(name, probe.action_space),
    )


def _observation_adapters(name: str, space: Any) -> tuple[Any, ...]:
    """None for an array; the only image of a dictionary; everything else as one flat vector.

    Raises:
        ConfigError: if there are several images, or parts of varying size.
    """
    from gymnasium import spaces
    from gymnasium.wrappers import FlattenObservation

    from imaginax.envs.host_wrappers import Entry

    if isinstance(space, spaces.Box):
        return ()
    parts = space.spaces if isinstance(space, spaces.Dict) else {}
    images = [part for part, inner in parts.items() if len(inner.shape or ()) > 1]
    if len(images) == 1:
        return (partial(Entry, name=images[0]),)
    if images or not space.is_np_flattenable:
        raise ConfigError(f"env {name} observes {space}, which is not one array and cannot be made one")
    return (FlattenObservation,)


def _action_adapters(name: str, space: Any) -> tuple[Any, ...]:
    """None for numbered actions and for one pair of bounds; else every entry is scaled to [-1, 1].

    Raises:
        ConfigError: for other actions, and for actions without bounds.
    """
    from gymnasium import spaces
    from gymnasium.wrappers import RescaleAction

    if isinstance(space, spaces.Discrete):
        return ()
    if not isinstance(space, spaces.Box):
        raise ConfigError(f"env {name} acts with {space}; only Discrete and Box actions are supported")
    if not space.is_bounded():
        raise ConfigError(f"env {name} has actions without bounds, which no planner here can search")
    if np.ptp(space.low) == 0 and np.ptp(space.high) == 0:
        return ()
    return (partial(RescaleAction, min_action=np.float32(-1), max_action=np.float32(1)),)


def _limit(name: str, probe: Any) -> int:
    """The environment's own number of steps in an episode.

    Raises:
        ConfigError: if it states none.
    """
    keywords = probe.spec.kwargs
    frames = keywords.get("max_num_frames_per_episode")
    stated = probe.spec.max_episode_steps or getattr(probe.unwrapped, "max_steps", None)
    if stated is None and frames:  # Atari counts frames
        stated = frames // keywords.get("frameskip", 1)
    if stated is None or not math.isfinite(stated):
        raise ConfigError(f"env {name} states no number of steps; give one (max_steps or --trial-steps)")
    return int(stated)


def _step_seconds(probe: Any) -> float:
    """Simulated time of a step; where none is known, the time for which a frame is meant to be shown."""
    seconds = getattr(probe.unwrapped, "dt", None)
    if isinstance(seconds, float) and seconds > 0:
        return seconds
    rate = probe.metadata.get("render_fps")
    return 1.0 / rate if rate else 0.0
