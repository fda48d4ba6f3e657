"""Environments that are no JAX programs, through gymnasium: `make("gym:Pendulum-v1")`.

    gym:<id>              any environment that gymnasium knows; gym:<module>:<id> imports the module first
    atari:<game>          ALE/<game>-v5                                         (extra atari)
    dmc:<domain>-<task>   the dm_control suite, for example dmc:cartpole-swingup  (extra dmc)

Options follow the name as keyword arguments of the environment: `atari:Pong?full_action_space=True`. A step
of Atari is four frames, of which the last is seen. With `atari:Pong?frameskip=1` it is one frame, and an
action repeat of 4 shows the largest of the last two frames in each pixel, as agents of the field see them,
since many games draw an object in every other frame only.

They run in Python, beside the compiled `act` and `learn` of a system (`runtime.host_driver`).
"""

from __future__ import annotations

import importlib
import math
from functools import partial
from typing import Any

from jaxtyping import Array, PyTree

from imaginax.envs import wrappers
from imaginax.envs.host.interface import Host, Recipe
from imaginax.envs.host.rewards import PUBLISHED, Published
from imaginax.envs.loading import failure, include_present_folder, split_options
from imaginax.types import ConfigError, Environment, EnvSpec, TimeStep

UNSTATED = 1000  # steps after which an episode is truncated, if neither the environment nor anyone says

# how an environment's id or the module of its code starts -> (module to import first, extra that brings it)
_FAMILIES = {
    "ALE/": ("ale_py", "atari"),
    "Vizdoom": ("vizdoom.gymnasium_wrapper", "doom"),
    "dmc/": ("dm_control", "dmc"),
}


def environment(name: str, *, max_steps: int | None = None, action_repeat: int = 1) -> Environment:
    """The environment called `name`; its `host` opens real copies, its `init` is a placeholder.

    Args:
        name: with one of the prefixes gym, atari and dmc.
        max_steps: steps after which an episode is truncated; by default the environment's own number, or
            `UNSTATED` where it states none.
        action_repeat: steps for which every action is held.

    Raises:
        ConfigError: if it is unknown, its package is missing, its observations or actions do not fit, or it
            holds actions itself and shall hold them again.
    """
    if max_steps is not None and max_steps < 1:
        raise ConfigError(f"max_steps must be at least 1, got {max_steps}")
    recipe = _recipe(name)
    probe = _make(name, recipe)
    try:
        recipe, spec = _described(name, recipe, probe, max_steps, action_repeat)
        published = PUBLISHED.get(probe.spec.id, Published())
    finally:
        probe.close()
    host = Host(recipe, spec)
    env = Environment(
        spec,
        init=host.init,
        step=partial(_refuse, name),
        reward=published.reward,
        features=published.features,
        terminated=published.terminated,
        host=host,
    )
    return wrappers.action_repeat(env, action_repeat)


def _described(
    name: str, recipe: Recipe, probe: Any, max_steps: int | None, repeats: int
) -> tuple[Recipe, EnvSpec]:
    """The recipe with the wrappers that a copy's spaces need, and what the wrapped copies promise."""
    from imaginax.envs.host import spaces
    from imaginax.envs.host.wrappers import ActionRepeat, Checked

    spaces.check(name, probe)
    skipped = probe.spec.kwargs.get("frameskip", 1)
    if repeats > 1 and skipped != 1:
        raise ConfigError(
            f"env {name} holds every action for {skipped} frames: action_repeat must be 1, got {repeats}"
            " (or the env's option frameskip=1)"
        )
    pooled = "frameskip" in probe.spec.kwargs  # frames of a game console
    held = (partial(ActionRepeat, repeats=repeats, pooled=pooled),) if repeats > 1 else ()
    shown = spaces.observation_wrapper(name, probe.observation_space)
    limit = max_steps or _limit(probe)
    recipe = recipe._replace(
        options=recipe.options | {"max_episode_steps": limit},
        wrappers=(Checked, *held, shown),
        opengl=any(part in str(probe.spec.entry_point) for part in ("mujoco", "DmControl")),
    )
    spec = EnvSpec(
        name,
        spaces.observation(shown(probe).observation_space),
        spaces.action(name, probe.action_space),
        max_steps=limit,
        step_seconds=_step_seconds(probe),
    )
    return recipe, spec


def _refuse(name: str, state: PyTree, action: Array, key: Array) -> tuple[PyTree, TimeStep]:
    raise ConfigError(f"env {name} runs on the host and cannot be a part of a compiled program")


# ------------------------------------------------------- what gymnasium has


def _recipe(name: str) -> Recipe:
    """What a name stands for, without the wrappers that its spaces need."""
    gymnasium = _require("gymnasium", "gym", name)
    base, options = split_options(name)
    prefix, _, rest = base.partition(":")
    target: Any = f"ALE/{rest}-v5" if prefix == "atari" else rest
    if prefix == "dmc":
        domain, _, task = rest.partition("-")
        target = gymnasium.envs.registration.EnvSpec(
            f"dmc/{rest}-v0",
            entry_point="imaginax.envs.host.wrappers:DmControl",
            kwargs={"domain": domain, "task": task},
        )
    start = target if isinstance(target, str) else target.id
    for family, (module, extra) in _FAMILIES.items():
        if start.startswith(family):
            _quiet(_require(module, extra, name))
    return Recipe(target, {"disable_env_checker": True} | options)  # it warns of habits that do no harm here


def _quiet(package: Any) -> None:
    """Keeps the Arcade Learning Environment from printing its name and version."""
    if hasattr(package, "LoggerMode"):
        package.ALEInterface.setLoggerMode(package.LoggerMode.Error)


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

    include_present_folder()
    try:
        return gymnasium.make(recipe.target, **recipe.options)
    except gymnasium.error.DependencyNotInstalled as error:
        code = str(gymnasium.spec(recipe.target).entry_point)
        extra = "box2d" if "box2d" in code else "gym"
        raise ConfigError(f"env {name} needs a package: pip install 'imaginax[{extra}]'") from error
    except Exception as error:  # the code of the environment: anything may go wrong in it
        raise ConfigError(failure(f"cannot make env {name}", error)) from error


def _limit(probe: Any) -> int:
    """The environment's own number of steps in an episode, or `UNSTATED`."""
    keywords = probe.spec.kwargs
    stated = probe.spec.max_episode_steps or getattr(probe.unwrapped, "max_steps", None)
    if stated is None and (frames := keywords.get("max_num_frames_per_episode")):  # Atari counts frames
        stated = frames // keywords.get("frameskip", 1)
    if isinstance(stated, int | float) and math.isfinite(stated) and stated >= 1:
        return int(stated)
    return UNSTATED


def _step_seconds(probe: Any) -> float:
    """Simulated time of a step; where none is known, the time for which a frame is meant to be shown."""
    seconds = getattr(probe.unwrapped, "dt", None)
    if isinstance(seconds, float) and seconds > 0:
        return seconds
    rate = probe.metadata.get("render_fps")
    return 1.0 / rate if rate else 0.0
