"""Planar one-legged hopper of the control suite: hop at 2 m/s; control steps of 0.02 s."""

from __future__ import annotations

import math
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.planar import Mechanism, apply, forward_speed, levers, mechanism, rises
from imaginax.envs.control.rewards import half_linear, tolerance
from imaginax.envs.control.suite import ControlState, Task, still, uniform_joints
from imaginax.envs.mjx_physics import System

MJCF = """
  <statistic center="0 0 .5" extent="2"/>
  <option timestep="0.005" iterations="8" ls_iterations="12"/>
  <default>
    <motor ctrlrange="-1 1"/>
    <default class="hopper">
      <joint axis="0 1 0" damping=".05" armature=".2"/>
      <geom type="capsule" material="self"/>
      <site type="sphere" size=".05" group="3"/>
    </default>
  </default>
  <worldbody>
    <camera name="cam0" pos="0 -2.8 .8" euler="90 0 0" mode="trackcom"/>
    <camera name="back" pos="-2 -.2 1.2" xyaxes=".2 -1 0 .5 0 2" mode="trackcom"/>
    <geom name="floor" type="plane" pos="48 0 0" size="50 1 .2" material="grid"/>
    <body name="torso" pos="0 0 1" childclass="hopper">
      <light name="top" pos="0 0 2" mode="trackcom"/>
      <joint name="rootx" type="slide" axis="1 0 0" damping="0" armature="0"/>
      <joint name="rootz" type="slide" axis="0 0 1" damping="0" armature="0"/>
      <joint name="rooty" damping="0" armature="0"/>
      <geom name="torso" fromto="0 0 -.05 0 0 .2" size=".0653"/>
      <geom name="nose" fromto=".08 0 .13 .15 0 .14" size=".03"/>
      <body name="pelvis" pos="0 0 -.05">
        <joint name="waist" range="-30 30"/>
        <geom name="pelvis" fromto="0 0 0 0 0 -.15" size=".065"/>
        <body name="thigh" pos="0 0 -.2">
          <joint name="hip" range="-170 10"/>
          <geom name="thigh" fromto="0 0 0 0 0 -.33" size=".04"/>
          <body name="calf" pos="0 0 -.33">
            <joint name="knee" range="5 150"/>
            <geom name="calf" fromto="0 0 0 0 0 -.32" size=".03"/>
            <body name="foot" pos="0 0 -.32">
              <joint name="ankle" range="-45 45"/>
              <geom name="foot" fromto="-.08 0 0 .17 0 0" size=".04"/>
              <site name="touch_toe" pos=".17 0 0"/>
              <site name="touch_heel" pos="-.08 0 0"/>
            </body>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="waist" joint="waist" gear="30"/>
    <motor name="hip" joint="hip" gear="40"/>
    <motor name="knee" joint="knee" gear="30"/>
    <motor name="ankle" joint="ankle" gear="10"/>
  </actuator>
  <sensor><touch name="touch_toe" site="touch_toe"/><touch name="touch_heel" site="touch_heel"/></sensor>
"""

STANDING = (0.6, 2.0)  # metres from the foot up to the torso
FULL_SPEED = 2.0  # metres a second
_TORSO_OVER_FOOT = np.array([1.0, 0.0, 0.0, 0.0, -1.0])  # of torso, pelvis, thigh, calf and foot


def hop() -> Task:
    """From any pose in the air. Action [4]: controls of waist, hip, knee and ankle.

    Observation [15]: z and pitch of the torso, the four joint angles, the seven joint velocities, x first,
    log(1 + force in newtons) on toe and heel.
    """
    name = "control_hopper_hop"
    system = load(MJCF, name=name, control_period=0.02)
    body, height = mechanism(system.mj_model), levers(system.mj_model, _TORSO_OVER_FOOT)
    score = partial(reward, body, height)
    return Task(name, system, 15, partial(_start, system), observe, score)


def _start(system: System, key: Array) -> ControlState:
    """At rest in any pose; the touch sensors show 0, also in the suite but for 1 start in 800."""
    return ControlState(still(system, uniform_joints(system, key)))


def observe(state: ControlState) -> Float[Array, "15"]:
    """[positions without x, velocities, log(1 + touch)]."""
    body = state.body
    return jnp.concatenate([body.q[1:], body.qd, jnp.log1p(body.sensors)])


def reward(
    body: Mechanism,
    height: Float[np.ndarray, "5 2"],
    observation: Float[Array, "*b 15"],
    action: Float[Array, "*b 4"],
) -> Float[Array, "*b"]:
    """Standing, times the forward speed of the centre of mass as a share of 2 m/s."""
    del action
    angle = apply(body.turns[:, 1:], observation[..., :6])
    velocity = observation[..., 6:13]
    standing = tolerance(jnp.sum(rises(height, jnp.cos(angle), jnp.sin(angle)), axis=-1), *STANDING)
    speed = forward_speed(body, angle, velocity, velocity[..., 0])
    return standing * tolerance(speed, FULL_SPEED, math.inf, margin=FULL_SPEED / 2, falloff=half_linear)
