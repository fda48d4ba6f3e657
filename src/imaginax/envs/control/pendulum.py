"""Pendulum of the control suite: swing it up with a weak motor and hold it; control steps of 0.02 s."""

from __future__ import annotations

import math
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.rewards import tolerance
from imaginax.envs.control.suite import ControlState, Task, still, uniform_joints
from imaginax.envs.mjx_physics import System

MJCF = """
  <option timestep="0.02"><flag contact="disable"/></option>
  <worldbody>
    <light name="light" pos="0 0 2"/>
    <camera name="fixed" pos="0 -1.5 2" xyaxes="1 0 0 0 1 1"/>
    <camera name="lookat" mode="targetbodycom" target="pole" pos="0 -2 1"/>
    <geom name="floor" type="plane" size="2 2 .2" material="grid"/>
    <body name="pole" pos="0 0 .6">
      <joint name="hinge" axis="0 1 0" damping=".1"/>
      <geom name="base" type="cylinder" fromto="0 -.03 0 0 .03 0" size=".021" mass="0" material="decoration"/>
      <geom name="pole" type="capsule" fromto="0 0 0 0 0 .5" size=".02" mass="0" material="self"/>
      <geom name="mass" type="sphere" pos="0 0 .5" size=".05" mass="1" material="effector"/>
    </body>
  </worldbody>
  <actuator><motor name="torque" joint="hinge" gear="1" ctrlrange="-1 1"/></actuator>
"""

COS_UPRIGHT = math.cos(math.radians(8))


def swingup() -> Task:
    """From any angle, at rest. Observation [cos, sin of the angle from upright, angle']; torque [1]."""
    name = "control_pendulum_swingup"
    system = load(MJCF, name=name, control_period=0.02)
    return Task(name, system, 3, partial(_start, system), observe, reward)


def _start(system: System, key: Array) -> ControlState:
    return ControlState(still(system, uniform_joints(system, key)))


def observe(state: ControlState) -> Float[Array, "3"]:
    """[cos, sin of the angle from upright, angle']."""
    return jnp.concatenate([jnp.cos(state.body.q), jnp.sin(state.body.q), state.body.qd])


def reward(observation: Float[Array, "*b 3"], action: Float[Array, "*b 1"]) -> Float[Array, "*b"]:
    """1 within 8 degrees of upright."""
    del action
    return tolerance(observation[..., 0], COS_UPRIGHT, 1.0)
