"""Planar walker of the control suite: walk at 1 m/s; control steps of 0.025 s."""

from __future__ import annotations

import math
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.planar import Mechanism, apply, mechanism, rises
from imaginax.envs.control.rewards import half_linear, tolerance
from imaginax.envs.control.suite import ControlState, Task, still, uniform_joints
from imaginax.envs.mjx_physics import System

_LEG = """
      <body name="SIDE_thigh" pos="0 OUT -.3">
        <joint name="SIDE_hip" range="-20 100"/>
        <geom name="SIDE_thigh" pos="0 0 -.225" size=".05 .225"/>
        <body name="SIDE_leg" pos="0 0 -.7">
          <joint name="SIDE_knee" pos="0 0 .25" range="-150 0"/>
          <geom name="SIDE_leg" size=".04 .25"/>
          <body name="SIDE_foot" pos=".06 0 -.25">
            <joint name="SIDE_ankle" pos="-.06 0 0" range="-45 45"/>
            <geom name="SIDE_foot" zaxis="1 0 0" size=".05 .1"/>
          </body>
        </body>
      </body>
"""
_MOTORS = """
    <motor name="SIDE_hip" joint="SIDE_hip" gear="100"/>
    <motor name="SIDE_knee" joint="SIDE_knee" gear="50"/>
    <motor name="SIDE_ankle" joint="SIDE_ankle" gear="20"/>
"""


def _both(part: str) -> str:
    right = part.replace("SIDE", "right").replace("OUT", "-.05")
    return right + part.replace("SIDE", "left").replace("OUT", ".05")


# The parts of the body meet the floor, but not each other.
MJCF = f"""
  <statistic center="0 0 1" extent="2"/>
  <option timestep="0.0025" iterations="8" ls_iterations="12"/>
  <default>
    <motor ctrlrange="-1 1"/>
    <geom contype="1" conaffinity="0" friction=".7 .1 .1"/>
    <default class="walker">
      <geom type="capsule" material="self"/>
      <joint axis="0 -1 0" damping=".1" armature=".01" solimplimit="0 .99 .01"/>
    </default>
  </default>
  <worldbody>
    <geom name="floor" type="plane" conaffinity="1" pos="248 0 0" size="250 .8 .2" material="grid"/>
    <body name="torso" pos="0 0 1.3" childclass="walker">
      <light name="light" pos="0 0 2" mode="trackcom"/>
      <camera name="side" pos="0 -2 .7" euler="60 0 0" mode="trackcom"/>
      <camera name="back" pos="-2 0 .5" xyaxes="0 -1 0 1 0 3" mode="trackcom"/>
      <joint name="rootz" type="slide" axis="0 0 1" armature="0" damping="0"/>
      <joint name="rootx" type="slide" axis="1 0 0" armature="0" damping="0"/>
      <joint name="rooty" axis="0 1 0" armature="0" damping="0"/>
      <geom name="torso" size=".07 .3"/>
      {_both(_LEG)}
    </body>
  </worldbody>
  <actuator>{_both(_MOTORS)}</actuator>
"""

STANDING = 1.2  # metres of the torso above the ground
FULL_SPEED = 1.0  # metres a second
START_HEIGHT = 1.3
BODIES = 7


def walk() -> Task:
    """From any pose in the air. Action [6]: controls of hip, knee and ankle, right leg first.

    Observation [24]: (cos, sin) of the angle of torso, thigh, leg and foot, right first, from the reference
    pose; the torso's height; the nine joint velocities, z and x first.
    """
    name = "control_walker_walk"
    system = load(MJCF, name=name, control_period=0.025)
    body = mechanism(system.mj_model)
    task = Task(name, system, 24, partial(_start, system), partial(observe, body), partial(reward, body))
    return task


def _start(system: System, key: Array) -> ControlState:
    return ControlState(still(system, uniform_joints(system, key)))


def observe(body: Mechanism, state: ControlState) -> Float[Array, "24"]:
    """[cos, sin of each body's angle, height, velocities]."""
    angle = apply(body.turns, state.body.q)
    turned = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1).ravel()
    return jnp.concatenate([turned, START_HEIGHT + state.body.q[:1], state.body.qd])


def reward(
    body: Mechanism, observation: Float[Array, "*b 24"], action: Float[Array, "*b 6"]
) -> Float[Array, "*b"]:
    """Standing upright, three quarters of it for the height, times a sixth, and more for forward speed."""
    del action
    cos, sin = observation[..., : 2 * BODIES : 2], observation[..., 1 : 2 * BODIES : 2]
    velocity = observation[..., 2 * BODIES + 1 :]
    standing = tolerance(observation[..., 2 * BODIES], STANDING, math.inf, margin=STANDING / 2)
    upright = (1 + cos[..., 0]) / 2
    rate = apply(body.turns, velocity)
    speed = velocity[..., 1] + jnp.sum(rate * rises(body.lever, cos, sin), axis=-1)
    moving = tolerance(speed, FULL_SPEED, math.inf, margin=FULL_SPEED / 2, falloff=half_linear)
    return (3 * standing + upright) / 4 * (5 * moving + 1) / 6
