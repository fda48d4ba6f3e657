"""Ball in cup of the control suite: swing a ball on a string into its cup; control steps of 0.02 s."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.planar import gap
from imaginax.envs.control.suite import ControlState, Task, still
from imaginax.envs.mjx_physics import System

# The cup hangs from springs, too high to reach the ground: only the ball is tested for contact with it.
MJCF = """
  <option timestep="0.002" iterations="8" ls_iterations="8"/>
  <default>
    <motor gear="5" ctrlrange="-1 1"/>
    <default class="cup">
      <joint type="slide" damping="3" stiffness="20"/>
      <geom type="capsule" size=".008" material="self" contype="0" conaffinity="2"/>
    </default>
  </default>
  <worldbody>
    <light name="light" directional="true" diffuse=".6 .6 .6" pos="0 0 2" specular=".3 .3 .3"/>
    <camera name="cam0" pos="0 -1 .8" xyaxes="1 0 0 0 1 2"/>
    <camera name="cam1" pos="0 -1 .4" xyaxes="1 0 0 0 0 1"/>
    <geom name="ground" type="plane" size=".6 .2 10" material="grid"/>
    <body name="cup" pos="0 0 .6" childclass="cup">
      <joint name="cup_x" axis="1 0 0"/>
      <joint name="cup_z" axis="0 0 1"/>
      <geom name="cup_part_0" fromto="-.05 0 0 -.05 0 -.075"/>
      <geom name="cup_part_1" fromto="-.05 0 -.075 -.025 0 -.1"/>
      <geom name="cup_part_2" fromto="-.025 0 -.1 .025 0 -.1"/>
      <geom name="cup_part_3" fromto=".025 0 -.1 .05 0 -.075"/>
      <geom name="cup_part_4" fromto=".05 0 -.075 .05 0 0"/>
      <site name="cup" pos="0 0 -.108" size=".005"/>
    </body>
    <body name="ball" pos="0 0 .2">
      <joint name="ball_x" type="slide" axis="1 0 0"/>
      <joint name="ball_z" type="slide" axis="0 0 1"/>
      <geom name="ball" type="sphere" size=".025" material="effector" contype="3"/>
      <site name="ball" size=".005"/>
    </body>
  </worldbody>
  <tendon>
    <spatial name="string" range="0 .3" width=".003"><site site="ball"/><site site="cup"/></spatial>
  </tendon>
  <actuator><motor name="x" joint="cup_x"/><motor name="z" joint="cup_z"/></actuator>
"""

CANDIDATES = 32  # places drawn for the ball, of which the first outside of the cup's walls is taken
_BALL_RANGE = np.array([[-0.2, 0.2], [0.2, 0.5]], np.float32)  # of its two joints
_ABOVE = np.array([0.0, -0.4], np.float32)  # from the cup's origin to the ball's, both joints at 0
_TARGET = np.array([0.0, -0.05], np.float32)  # the middle of the cup, from its origin
_SLACK = 0.05 - 0.025  # of the ball's centre: half the target's width minus the ball's radius
_RIM = [(-0.05, 0.0), (-0.05, -0.075), (-0.025, -0.1), (0.025, -0.1), (0.05, -0.075), (0.05, 0.0)]
_WALLS = np.array(list(zip(_RIM[:-1], _RIM[1:], strict=True)), np.float32)
_TOUCH = 0.025 + 0.008  # radii of ball and wall


def catch() -> Task:
    """Observation [8]: the cup's x and z and the ball's, from where the joints are at 0, and their speeds.

    Forces [2] on the cup along x and z.
    """
    name = "control_cup_catch"
    system = load(MJCF, name=name, control_period=0.02)
    return Task(name, system, 8, partial(_start, system), observe, reward)


def _start(system: System, key: Array) -> ControlState:
    """At rest, the cup in the middle, the ball anywhere near it but not in a wall."""
    low, high = _BALL_RANGE.T
    balls = jax.random.uniform(key, (CANDIDATES, 2), jnp.float32, low, high)
    ball = balls[jnp.argmax(jax.vmap(free)(balls))]
    return ControlState(still(system, jnp.concatenate([jnp.zeros(2, jnp.float32), ball])))


def free(ball: Float[Array, "2"]) -> Bool[Array, ""]:
    """Whether the ball with its joints there touches no wall of the cup in the middle."""
    place = jnp.stack([ball + _ABOVE] * 2)
    return jnp.min(jax.vmap(partial(gap, place))(jnp.asarray(_WALLS))) > _TOUCH


def observe(state: ControlState) -> Float[Array, "8"]:
    """[joint positions, joint velocities]."""
    return jnp.concatenate([state.body.q, state.body.qd])


def reward(observation: Float[Array, "*b 8"], action: Float[Array, "*b 2"]) -> Float[Array, "*b"]:
    """1 while the ball is in the cup."""
    del action
    cup, ball = observation[..., :2], observation[..., 2:4]
    away = jnp.abs(cup + _TARGET - ball - _ABOVE)
    return jnp.where(jnp.all(away < _SLACK, axis=-1), 1.0, 0.0)
