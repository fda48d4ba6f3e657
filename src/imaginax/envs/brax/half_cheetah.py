"""PETS's half-cheetah (Chua et al. 2018, arXiv 1805.12114) on brax physics.

It differs from the usual half-cheetah in what is observed, the mean forward speed over the last control
period in place of nothing about x, in a start that is almost the same each time, and in that every part of
the body touches the ground.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import drawing
from imaginax.envs.brax.physics import load, solids
from imaginax.envs.mjx_physics import BodyState, System, advance, resting
from imaginax.envs.physical import restart, transition
from imaginax.types import Box, Environment, EnvSpec, Features, TimeStep

# Published numbers: handful-of-trials, half_cheetah.xml, half_cheetah.py and its config; SI units.
TIMESTEP = 0.01
FRAME_SKIP = 5
START_DEVIATION = 0.001
ACTION_COST = 0.1
CONTROL_PERIOD = TIMESTEP * FRAME_SKIP
JOINTS = 9  # x, z and pitch of the torso, then thigh, shin and foot behind and in front

# The density makes the total mass the published 14 kg. Eight Newton iterations of the contact solver, which
# stops earlier when it can, find the answer of MuJoCo's hundred; four miss it by 0.004 in one step of 400.
MJCF = """
<mujoco model="half_cheetah">
  <compiler angle="radian" inertiafromgeom="true"/>
  <option gravity="0 0 -9.81" timestep="0.01" iterations="8" ls_iterations="16"/>
  <default>
    <joint type="hinge" axis="0 1 0" limited="true" armature="0.1" damping="0.01" stiffness="8"
           solreflimit="0.02 1" solimplimit="0 0.8 0.03"/>
    <geom type="capsule" density="660.88495" condim="3" contype="1" conaffinity="0"
          friction="0.4 0.1 0.1" solref="0.02 1" solimp="0 0.8 0.01"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
    <default class="root"><joint limited="false" armature="0" damping="0" stiffness="0"/></default>
  </default>
  <worldbody>
    <geom name="floor" type="plane" size="40 40 40" conaffinity="1"/>
    <body name="torso" pos="0 0 0.7">
      <joint name="rootx" class="root" type="slide" axis="1 0 0"/>
      <joint name="rootz" class="root" type="slide" axis="0 0 1"/>
      <joint name="rooty" class="root"/>
      <geom name="torso" fromto="-0.5 0 0 0.5 0 0" size="0.046"/>
      <geom name="head" pos="0.6 0 0.1" axisangle="0 1 0 0.87" size="0.046 0.15"/>
      <body name="bthigh" pos="-0.5 0 0">
        <joint name="bthigh" range="-0.52 1.05" damping="6" stiffness="240"/>
        <geom name="bthigh" pos="0.1 0 -0.13" axisangle="0 1 0 -3.8" size="0.046 0.145"/>
        <body name="bshin" pos="0.16 0 -0.25">
          <joint name="bshin" range="-0.785 0.785" damping="4.5" stiffness="180"/>
          <geom name="bshin" pos="-0.14 0 -0.07" axisangle="0 1 0 -2.03" size="0.046 0.15"/>
          <body name="bfoot" pos="-0.28 0 -0.14">
            <joint name="bfoot" range="-0.4 0.785" damping="3" stiffness="120"/>
            <geom name="bfoot" pos="0.03 0 -0.097" axisangle="0 1 0 -0.27" size="0.046 0.094"/>
          </body>
        </body>
      </body>
      <body name="fthigh" pos="0.5 0 0">
        <joint name="fthigh" range="-1 0.7" damping="4.5" stiffness="180"/>
        <geom name="fthigh" pos="-0.07 0 -0.12" axisangle="0 1 0 0.52" size="0.046 0.133"/>
        <body name="fshin" pos="-0.14 0 -0.24">
          <joint name="fshin" range="-1.2 0.87" damping="3" stiffness="120"/>
          <geom name="fshin" pos="0.065 0 -0.09" axisangle="0 1 0 -0.6" size="0.046 0.106"/>
          <body name="ffoot" pos="0.13 0 -0.18">
            <joint name="ffoot" range="-0.5 0.5" damping="1.5" stiffness="60"/>
            <geom name="ffoot" pos="0.045 0 -0.07" axisangle="0 1 0 -0.6" size="0.046 0.07"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="bthigh" gear="120"/>
    <motor joint="bshin" gear="90"/>
    <motor joint="bfoot" gear="60"/>
    <motor joint="fthigh" gear="120"/>
    <motor joint="fshin" gear="60"/>
    <motor joint="ffoot" gear="30"/>
  </actuator>
</mujoco>
"""


class CheetahState(NamedTuple):
    """The body, whose x counts from the last control, and the distance covered until then in metres.

    The physics is the same everywhere along x. Counting anew keeps the observed speed, a difference of two
    positions, exact in float32 however far the cheetah has run.
    """

    body: BodyState
    distance: Float[Array, ""]


def half_cheetah() -> Environment:
    """PETS's half-cheetah: run forward, 1000 steps of 0.05 s; episodes never end early.

    Observation [18]: mean forward speed over the last step, z and pitch of the torso, the six joint angles
    (thigh, shin, foot; back leg first), then the nine joint velocities. Action [6] in [-1, 1]: controls of
    the motors.

    Raises:
        ConfigError: brax is not installed.
    """
    spec = EnvSpec(
        name="pets_halfcheetah",
        observation=Box((2 * JOINTS,)),
        action=Box((6,), -1.0, 1.0),
        max_steps=1000,
        step_seconds=CONTROL_PERIOD,
    )
    system = load(MJCF, frames=FRAME_SKIP, task=spec.name)

    def step(state: CheetahState, action: Array, key: Array) -> tuple[CheetahState, TimeStep]:
        del key  # the physics is deterministic
        return _step(system, state, action)

    def render(state: CheetahState) -> Array:
        return _draw(system, state)

    features = Features(network_inputs, target, apply_target)
    return Environment(spec, init, step, render, reward, features)


def init(key: Array) -> tuple[CheetahState, TimeStep]:
    """Standing, every joint position and velocity disturbed by N(0, 0.001^2)."""
    noise = START_DEVIATION * jax.random.normal(key, (2, JOINTS), jnp.float32)
    body = resting(noise[0].at[0].set(0.0), noise[1])
    return CheetahState(body, noise[0, 0]), restart(observe(body))


def _step(system: System, state: CheetahState, action: Array) -> tuple[CheetahState, TimeStep]:
    before = state.body
    body = advance(system, before._replace(q=before.q.at[0].set(0.0)), action)
    after = CheetahState(body, state.distance + before.q[0])
    observation = observe(body)
    return after, transition(observation, reward(observe(before), action, observation))


def observe(body: BodyState) -> Float[Array, "18"]:
    """[forward speed, positions without x, velocities]."""
    return jnp.concatenate([body.q[:1] / CONTROL_PERIOD, body.q[1:], body.qd])


def reward(
    observation: Float[Array, "*batch 18"],
    action: Float[Array, "*batch 6"],
    next_observation: Float[Array, "*batch 18"],
) -> Float[Array, "*batch"]:
    """Forward speed in m/s of the state that the action led to, minus 0.1 |a|^2."""
    del observation
    return next_observation[..., 0] - ACTION_COST * jnp.sum(action**2, axis=-1)


def network_inputs(observation: Float[Array, "*batch 18"]) -> Float[Array, "*batch 18"]:
    """[z, sin pitch, cos pitch, the rest]: without the forward speed, which the velocities tell as well."""
    pitch = observation[..., 2:3]
    parts = (observation[..., 1:2], jnp.sin(pitch), jnp.cos(pitch), observation[..., 3:])
    return jnp.concatenate(parts, axis=-1)


def target(
    observation: Float[Array, "*batch 18"], next_observation: Float[Array, "*batch 18"]
) -> Float[Array, "*batch 18"]:
    """The next forward speed itself, and by how much the rest changes."""
    return jnp.concatenate([next_observation[..., :1], (next_observation - observation)[..., 1:]], axis=-1)


def apply_target(
    observation: Float[Array, "*batch 18"], prediction: Float[Array, "*batch 18"]
) -> Float[Array, "*batch 18"]:
    """The inverse of `target`."""
    return jnp.concatenate([prediction[..., :1], (observation + prediction)[..., 1:]], axis=-1)


def _draw(system: System, state: CheetahState) -> UInt8[Array, "160 320 3"]:
    """Side view that follows the torso; the marks on the ground are a metre apart."""
    parts = solids(system, state.body.q)
    x = state.body.q[0]
    page = drawing.canvas(160, 320, drawing.PAPER, centre=(x, 0.68), extent=3.4, bottom=drawing.SHADE)
    page = drawing.box(page, (x, -0.5), (3.0, 0.5), drawing.STEEL, 0.45)
    page = drawing.line(page, (x - 3.0, 0.0), (x + 3.0, 0.0), 0.02, drawing.STEEL)
    travelled = jnp.mod(state.distance + x, 1.0)
    for mark in range(-2, 4):
        page = drawing.box(page, (x + mark - travelled, -0.05), (0.012, 0.05), drawing.INK, 0.6)
    plane = (0, 2)
    for start, end, radius, colour in zip(parts.start, parts.end, parts.radius, _COLOURS, strict=True):
        page = drawing.capsule(page, start[plane,], end[plane,], float(radius), colour)
    return drawing.pixels(page)


# torso and head, then the parts of the back and of the front leg
_COLOURS = (drawing.INK,) * 2 + (drawing.BLUE,) * 3 + (drawing.ORANGE,) * 3
