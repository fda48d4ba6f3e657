"""Two-link reacher of the control suite: hold the finger in a large target; control steps of 0.02 s."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.rewards import tolerance
from imaginax.envs.control.suite import ControlState, Task, still, uniform_joints
from imaginax.envs.mjx_physics import System

MJCF = """
  <option timestep="0.02" iterations="8" ls_iterations="8"><flag contact="disable"/></option>
  <default><joint axis="0 0 1" damping=".01"/><geom type="capsule" size=".01" material="self"/></default>
  <worldbody>
    <light name="light" pos="0 0 1"/>
    <camera name="fixed" pos="0 0 .75"/>
    <geom name="ground" type="plane" size=".3 .3 10" material="grid"/>
    <geom name="wall_x" type="plane" pos="-.3 0 .02" zaxis="1 0 0" size=".02 .3 .02" material="decoration"/>
    <geom name="wall_y" type="plane" pos="0 -.3 .02" zaxis="0 1 0" size=".3 .02 .02" material="decoration"/>
    <geom name="wall_-x" type="plane" pos=".3 0 .02" zaxis="-1 0 0" size=".02 .3 .02" material="decoration"/>
    <geom name="wall_-y" type="plane" pos="0 .3 .02" zaxis="0 -1 0" size=".3 .02 .02" material="decoration"/>
    <geom name="root" type="cylinder" fromto="0 0 0 0 0 .02" size=".011" material="decoration"/>
    <body name="arm" pos="0 0 .01">
      <joint name="shoulder"/>
      <geom name="arm" fromto="0 0 0 .12 0 0"/>
      <body name="hand" pos=".12 0 0">
        <joint name="wrist" range="-160 160"/>
        <geom name="hand" fromto="0 0 0 .1 0 0"/>
        <body name="finger" pos=".12 0 0">
          <camera name="hand" pos="0 0 .2" mode="track"/>
          <geom name="finger" type="sphere" material="effector"/>
        </body>
      </body>
    </body>
    <geom name="target" type="sphere" pos="0 0 .01" size=".05" material="target"/>
  </worldbody>
  <actuator>
    <motor name="shoulder" joint="shoulder" gear=".05" ctrlrange="-1 1"/>
    <motor name="wrist" joint="wrist" gear=".05" ctrlrange="-1 1"/>
  </actuator>
"""

LINK = 0.12  # both: shoulder to wrist, wrist to finger
TARGET_RANGE = (0.05, 0.20)  # from the shoulder
REACHED = 0.05 + 0.01  # radii of the large target and of the finger


def easy() -> Task:
    """The target stands still for an episode. Torques [2] of shoulder and wrist.

    Observation [6]: the two angles, the vector from finger to target, the angles' rates.
    """
    name = "control_reacher_easy"
    system = load(MJCF, name=name, control_period=0.02)
    return Task(name, system, 6, partial(_start, system), observe, reward)


def _start(system: System, key: Array) -> ControlState:
    """At rest in any pose; the target in any direction, at a uniform distance."""
    key_pose, key_angle, key_radius = jax.random.split(key, 3)
    angle = jax.random.uniform(key_angle, (), jnp.float32, 0.0, 2 * np.pi)
    radius = jax.random.uniform(key_radius, (), jnp.float32, *TARGET_RANGE)
    target = radius * jnp.stack([jnp.sin(angle), jnp.cos(angle)])
    return ControlState(still(system, uniform_joints(system, key_pose)), target)


def observe(state: ControlState) -> Float[Array, "6"]:
    """[shoulder, wrist, to_target x, y, rates of shoulder and wrist]."""
    angles = jnp.cumsum(state.body.q)
    finger = LINK * jnp.stack([jnp.sum(jnp.cos(angles)), jnp.sum(jnp.sin(angles))])
    return jnp.concatenate([state.body.q, state.target - finger, state.body.qd])


def reward(observation: Float[Array, "*b 6"], action: Float[Array, "*b 2"]) -> Float[Array, "*b"]:
    """1 while finger and target touch."""
    del action
    return tolerance(jnp.linalg.norm(observation[..., 2:4], axis=-1), 0.0, REACHED)
