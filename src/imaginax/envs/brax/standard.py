"""Brax's own environments (Freeman et al. 2021, arXiv 2106.13281): `brax:ant`, `brax:ant?backend=mjx`.

Options are those of brax's constructors: `backend` (generalized, spring, positional or mjx; default: brax's
own choice) and what a task adds, such as `terminate_when_unhealthy=False`.

Brax's `step` returns other dtypes and weak types than its `reset` (`done` of a pendulum, for one), so that a
jitted step compiles twice. Here both return the types of `reset`. Our ray-caster draws the pictures.
"""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, UInt8

from imaginax.envs import raycast
from imaginax.envs.brax.physics import quiet
from imaginax.envs.brax.rules import RULES, Rules
from imaginax.envs.physical import restart, transition
from imaginax.envs.wrappers import strip_weak_types
from imaginax.errors import ConfigError
from imaginax.registry import BRAX_TASKS
from imaginax.types import Box, Environment, EnvSpec, TimeStep

MAX_STEPS = 1000  # brax's `episode_length`
PIXELS = 128  # a side
_FREE_CAMERA = -1


class BraxState(NamedTuple):
    """What a step needs of brax's state: the physics, and what a task notes besides."""

    physics: PyTree
    info: dict[str, Array]


def environment(task: str, **options: Any) -> Environment:
    """One of brax's environments, of 1000 steps, with actions in [-1, 1].

    `terminated` and `reward` on observations are given for the tasks of `rules.RULES` with their usual
    settings. Actions outside of the bounds act as the nearest bound.

    Args:
        task: one of `registry.BRAX_TASKS`.
        options: keyword arguments of brax's constructor.

    Raises:
        ConfigError: for an unknown task or option, or if brax is not installed.
    """
    name = f"brax:{task}" + ("?" + "&".join(f"{k}={v}" for k, v in options.items()) if options else "")
    world = _world(name, task, options)

    def begin(key: Array) -> Any:
        with quiet(f"env {name}"):  # brax warns of MJX where it is traced
            return _types(world.reset(key))

    def proceed(state: Any, action: Array) -> Any:
        with quiet(f"env {name}"):
            return _like(reset, world.step(state, action))

    reset = jax.eval_shape(begin, jax.random.key(0))
    spec = EnvSpec(
        name=name,
        observation=Box(reset.obs.shape),
        action=Box((world.action_size,), -1.0, 1.0),
        max_steps=MAX_STEPS,
        step_seconds=round(float(world.dt), 6),
    )

    def init(key: Array) -> tuple[BraxState, TimeStep]:
        state = begin(key)
        return BraxState(state.pipeline_state, state.info), restart(state.obs)

    def step(state: BraxState, action: Array, key: Array) -> tuple[BraxState, TimeStep]:
        del key  # the physics is deterministic
        after = proceed(_full(reset, state), jnp.clip(action, -1.0, 1.0))
        timestep = transition(after.obs, after.reward, terminal=after.done > 0)
        return BraxState(after.pipeline_state, after.info), timestep

    rules = RULES.get(task, Rules()) if set(options) <= {"backend"} else Rules()
    return Environment(spec, init, step, _renderer(world), reward=rules.reward, terminated=rules.terminated)


def _world(name: str, task: str, options: dict[str, Any]) -> Any:
    """Brax's environment, made without its notices."""
    if task not in BRAX_TASKS:
        near = difflib.get_close_matches(task, BRAX_TASKS, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(f"env {name}: brax has no task {task!r}; {hint}known: {', '.join(BRAX_TASKS)}")
    with quiet(f"env {name}"):
        from brax import envs

        try:
            return envs.get_environment(task, **options)
        except (TypeError, ValueError, NotImplementedError) as error:  # an unknown option or back end
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise ConfigError(f"env {name}: brax refuses its options: {told[0]}") from error


def _types(state: Any) -> Any:
    """Brax's state with strong types, the numbers of the agent in float32."""
    numbers = {field: jnp.asarray(getattr(state, field), jnp.float32) for field in ("reward", "done")}
    return strip_weak_types(state.replace(**numbers))


def _like(reset: Any, state: Any) -> Any:
    """Brax's state with the dtypes of one after a reset; `jnp.asarray` leaves those that agree alone."""
    cast = jax.tree.map(lambda shape, x: jnp.asarray(x).astype(shape.dtype), reset, state)
    return strip_weak_types(cast)


def _full(reset: Any, state: BraxState) -> Any:
    """Brax's state again: what a step overwrites without reading it is zero."""
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), reset.replace(pipeline_state=None))
    return zeros.replace(pipeline_state=state.physics, info=state.info)


def _renderer(world: Any):
    """Draws with the model's camera that follows the body; without one, from MuJoCo's free camera."""
    model = world.sys.mj_model
    camera = 0 if model.ncam else _FREE_CAMERA
    draw = raycast.make_renderer(model, height=PIXELS, width=PIXELS, camera=camera)

    def render(state: BraxState) -> UInt8[Array, "H W 3"]:
        return draw(raycast.pose_of_brax(state.physics))

    return render
