"""Half-cheetah of the control suite: run; control steps of 0.01 s."""

from __future__ import annotations

import importlib
import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.planar import Mechanism, apply, forward_speed, mechanism
from imaginax.envs.control.rewards import linear, tolerance
from imaginax.envs.control.suite import ControlState, Task, joint_ranges, still

# The density makes the total mass the published 14 kg.
MJCF = """
  <statistic center="0 0 .7" extent="2"/>
  <option timestep="0.01" iterations="8" ls_iterations="12"/>
  <default>
    <motor ctrlrange="-1 1"/>
    <default class="cheetah">
      <joint axis="0 1 0" damping=".01" armature=".1"/>
      <geom type="capsule" size=".046" friction=".4 .1 .1" density="660.88495008" material="self"/>
    </default>
  </default>
  <worldbody>
    <geom name="ground" type="plane" pos="98 0 0" size="100 .8 .5" material="grid"/>
    <body name="torso" pos="0 0 .7" childclass="cheetah">
      <light name="light" pos="0 0 2" mode="trackcom"/>
      <camera name="side" pos="0 -3 0" quat=".707 .707 0 0" mode="trackcom"/>
      <camera name="back" pos="-1.8 -1.3 .8" xyaxes=".45 -.9 0 .3 .15 .94" mode="trackcom"/>
      <joint name="rootx" type="slide" axis="1 0 0" damping="0" armature="0"/>
      <joint name="rootz" type="slide" axis="0 0 1" damping="0" armature="0"/>
      <joint name="rooty" damping="0" armature="0"/>
      <geom name="torso" fromto="-.5 0 0 .5 0 0"/>
      <geom name="head" pos=".6 0 .1" euler="0 50 0" size=".046 .15"/>
      <body name="bthigh" pos="-.5 0 0">
        <joint name="bthigh" range="-30 60" stiffness="240" damping="6"/>
        <geom name="bthigh" pos=".1 0 -.13" euler="0 -218 0" size=".046 .145"/>
        <body name="bshin" pos=".16 0 -.25">
          <joint name="bshin" range="-50 50" stiffness="180" damping="4.5"/>
          <geom name="bshin" pos="-.14 0 -.07" euler="0 -116 0" size=".046 .15"/>
          <body name="bfoot" pos="-.28 0 -.14">
            <joint name="bfoot" range="-230 50" stiffness="120" damping="3"/>
            <geom name="bfoot" pos=".03 0 -.097" euler="0 -15 0" size=".046 .094"/>
          </body>
        </body>
      </body>
      <body name="fthigh" pos=".5 0 0">
        <joint name="fthigh" range="-57 .4" stiffness="180" damping="4.5"/>
        <geom name="fthigh" pos="-.07 0 -.12" euler="0 30 0" size=".046 .133"/>
        <body name="fshin" pos="-.14 0 -.24">
          <joint name="fshin" range="-70 50" stiffness="120" damping="3"/>
          <geom name="fshin" pos=".065 0 -.09" euler="0 -34 0" size=".046 .106"/>
          <body name="ffoot" pos=".13 0 -.18">
            <joint name="ffoot" range="-28 28" stiffness="60" damping="1.5"/>
            <geom name="ffoot" pos=".045 0 -.07" euler="0 -34 0" size=".046 .07"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="bthigh" joint="bthigh" gear="120"/>
    <motor name="bshin" joint="bshin" gear="90"/>
    <motor name="bfoot" joint="bfoot" gear="60"/>
    <motor name="fthigh" joint="fthigh" gear="90"/>
    <motor name="fshin" joint="fshin" gear="60"/>
    <motor name="ffoot" joint="ffoot" gear="30"/>
  </actuator>
"""

FULL_SPEED = 10.0  # metres a second
SETTLING = 200  # physics steps before an episode
STARTS = 256  # different ones
PITCH = 2  # its joint's number


def run() -> Task:
    """On its feet at first. Action [6]: controls of the motors.

    Observation [17]: z and pitch of the torso, the six joint angles (thigh, shin, foot; back leg first), then
    the nine joint velocities, x first.

    As in the suite, an episode starts after 200 steps of falling from joint angles drawn between their stops.
    `STARTS` such falls are simulated by MuJoCo when the environment is made, and their ends drawn from.
    """
    name = "control_cheetah_run"
    system = load(MJCF, name=name, control_period=0.01)
    settled = settle(system.mj_model)

    def start(key: Array) -> ControlState:
        q, qd = jnp.asarray(settled)[jax.random.randint(key, (), 0, STARTS)]
        return ControlState(still(system, q)._replace(qd=qd))

    score = partial(reward, mechanism(system.mj_model))
    return Task(name, system, 17, start, observe, score)


def settle(model: Any) -> Float[np.ndarray, "K 2 9"]:
    """Positions and velocities after falls from random joint angles, always the same."""
    mujoco: Any = importlib.import_module("mujoco")
    low, high = joint_ranges(model)
    low[PITCH] = high[PITCH] = 0.0  # the only free hinge starts level
    random, data = np.random.default_rng(0), mujoco.MjData(model)
    states = np.zeros((STARTS, 2, model.nq), np.float32)
    for state in states:
        mujoco.mj_resetData(model, data)
        data.qpos[:] = random.uniform(low, high)
        mujoco.mj_step(model, data, SETTLING)
        state[:] = data.qpos, data.qvel
    return states


def observe(state: ControlState) -> Float[Array, "17"]:
    """[positions without x, velocities]."""
    return jnp.concatenate([state.body.q[1:], state.body.qd])


def reward(
    body: Mechanism, observation: Float[Array, "*b 17"], action: Float[Array, "*b 6"]
) -> Float[Array, "*b"]:
    """The forward speed of the centre of mass as a share of 10 m/s, between 0 and 1."""
    del action
    angle = apply(body.turns[:, 1:], observation[..., :8])
    speed = forward_speed(body, angle, observation[..., 8:], observation[..., 8])
    return tolerance(speed, FULL_SPEED, math.inf, margin=FULL_SPEED, falloff=linear)
