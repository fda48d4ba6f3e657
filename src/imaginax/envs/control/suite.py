"""What the tasks of the control suite share: one state type, and one way to make an environment of a task."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree, UInt8

from imaginax.envs import raycast
from imaginax.envs.control.tasks import TASKS
from imaginax.envs.mjx_physics import BodyState, System, advance, kinematics, resting
from imaginax.envs.physical import difference_features, restart, transition
from imaginax.types import Box, Environment, EnvSpec, TimeStep

MAX_STEPS = 1000  # of every task of the suite
SIZE = 64  # pixels of an image, in both directions
TARGET = "target"  # the geom that a task may move
_HINGE = 3  # MuJoCo's number

# MuJoCo's model -> (MJX's data with everything in its place -> image)
Renderer = Callable[[Any], Callable[[Any], UInt8[Array, "H W 3"]]]


class ControlState(NamedTuple):
    """State of a task.

    Attributes:
        body: the mechanism.
        target: where the target is, [x, y] in metres, if the task moves it; None otherwise.
    """

    body: BodyState
    target: PyTree = None


class Task(NamedTuple):
    """The parts of a task.

    Attributes:
        name: under which it is registered.
        system: the mechanism.
        observation: length of the observation.
        start: key -> the state at the start of an episode.
        observe: state -> observation [D], in dm_control's order.
        reward: (observation that an action led to, action within [-1, 1]) -> reward, on the last axis.
    """

    name: str
    system: System
    observation: int
    start: Callable[[Array], ControlState]
    observe: Callable[[ControlState], Array]
    reward: Callable[[Array, Array], Array]


def ray_caster(model: Any) -> Callable[[Any], UInt8[Array, "64 64 3"]]:
    """The renderer in JAX: what the task's first camera sees."""
    geoms = {model.geom(i).name for i in range(model.ngeom)}
    loose = (TARGET,) if TARGET in geoms else ()
    numbers = [model.geom(name).id for name in loose]
    draw = raycast.make_renderer(model, height=SIZE, width=SIZE, loose=loose)
    return lambda placed: draw(raycast.pose_of(placed, numbers))


def environment(task: Task, renderer: Renderer = ray_caster) -> Environment:
    """An environment of 1000 steps that never terminates by itself.

    Actions outside of [-1, 1] act as the nearest bound. Where the physics leaves the finite numbers, the
    episode is truncated: the last finite state remains, and the reward is 0.

    Args:
        task: what to do.
        renderer: makes the function that draws.
    """
    spec = EnvSpec(
        name=task.name,
        observation=Box((task.observation,)),
        action=Box((task.system.mj_model.nu,), -1.0, 1.0),
        max_steps=MAX_STEPS,
        step_seconds=task.system.frames * task.system.mj_model.opt.timestep,
    )

    def init(key: Array) -> tuple[ControlState, TimeStep]:
        state = task.start(key)
        return state, restart(task.observe(state))

    def step(state: ControlState, action: Array, key: Array) -> tuple[ControlState, TimeStep]:
        del key  # the physics is deterministic
        return _step(task, state, jnp.clip(action, -1.0, 1.0))

    def reward(observation: Array, action: Array, next_observation: Array) -> Array:
        del observation
        return task.reward(next_observation, jnp.clip(action, -1.0, 1.0))

    def render(state: ControlState) -> UInt8[Array, "H W 3"]:
        return draw(data(task.system, state))

    draw = renderer(task.system.mj_model)
    features = difference_features(lambda observation: observation)
    return Environment(spec, init, step, render, reward, features)


def _step(task: Task, state: ControlState, action: Array) -> tuple[ControlState, TimeStep]:
    body = advance(task.system, state.body, action)
    lost = ~jnp.all(jnp.isfinite(jnp.concatenate([body.q, body.qd])))
    body = jax.tree.map(lambda new, old: jnp.where(lost, old, new), body, state.body)
    state = state._replace(body=body)
    observation = task.observe(state)
    reward = jnp.where(lost, 0.0, task.reward(observation, action)).astype(jnp.float32)
    return state, transition(observation, reward)._replace(last=lost, truncated=lost)


def data(system: System, state: ControlState) -> Any:
    """MJX's data of a state, with the places and orientations of all that can be seen.

    Those are of bodies, geoms, sites and cameras. The suite's cameras are fixed, or follow a body without
    turning with it: of the quaternions only the world's is read, and right.
    """
    from mujoco import mjx

    placed = kinematics(system, system.data.replace(qpos=state.body.q, qvel=state.body.qd))
    placed = placed.replace(xquat=jnp.zeros_like(placed.xquat).at[:, 0].set(1.0))
    if state.target is not None:
        target = system.mj_model.geom(TARGET).id
        placed = placed.replace(geom_xpos=placed.geom_xpos.at[target, :2].set(state.target))
    return mjx.camlight(system.model, mjx.com_pos(system.model, placed))


def joint_ranges(model: Any) -> tuple[Float[np.ndarray, "Q"], Float[np.ndarray, "Q"]]:
    """Within which the suite starts: limited joints between their stops, hinges anywhere, sliders at rest."""
    hinge, limited = model.jnt_type == _HINGE, model.jnt_limited.astype(bool)
    free = np.where(hinge, np.pi, 0.0)
    low = np.where(limited, model.jnt_range[:, 0], model.qpos0 * ~hinge - free)
    high = np.where(limited, model.jnt_range[:, 1], model.qpos0 * ~hinge + free)
    return low.astype(np.float32), high.astype(np.float32)


def uniform_joints(system: System, key: Array) -> Float[Array, "Q"]:
    """Joint positions drawn from `joint_ranges`."""
    low, high = joint_ranges(system.mj_model)
    return jax.random.uniform(key, low.shape, jnp.float32, low, high)


def still(system: System, q: Float[Array, "Q"]) -> BodyState:
    """At rest with joints at `q`, the sensors at 0."""
    return resting(q, jnp.zeros_like(q), sensors=system.mj_model.nsensordata)


def make(name: str, renderer: Renderer = ray_caster) -> Environment:
    """The environment called `name`, without the wrappers of `envs.make`.

    Args:
        name: one of `tasks.TASKS`.
        renderer: given MuJoCo's model, makes the function that draws MJX's data; default: our own ray-caster.

    Raises:
        ConfigError: MJX is not installed.
    """
    return environment(task(name), renderer)


def task(name: str) -> Task:
    """The parts of the task called `name`: its mechanism, starts, observation and reward."""
    module, maker = TASKS[name]
    return getattr(importlib.import_module(f"imaginax.envs.control.{module}"), maker)()
