"""PETS's pusher (Chua et al. 2018, arXiv 1805.12114) on brax physics: a 7-joint arm slides a cylinder."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import drawing
from imaginax.envs.brax import arm as brax_arm
from imaginax.envs.brax.physics import load, solids
from imaginax.envs.mjx_physics import BodyState, System, advance, resting
from imaginax.envs.physical import difference_features, restart, transition
from imaginax.types import Box, Environment, EnvSpec, TimeStep

# Published numbers: handful-of-trials, pusher.xml, pusher.py and its config; SI units.
TIMESTEP = 0.01
FRAME_SKIP = 4
MAX_TORQUE = 2.0
BASE = (0.0, -0.6, 0.0)
HAND = 0.1  # from the wrist to the middle between the two finger tips
OBJECT = (0.45, -0.05, -0.275)  # where the object is with both its sliders at zero
GOAL = (0.45, -0.05, -0.323)
START_MEAN = (-0.25, 0.15)  # of the object's y and x slider
START_DEVIATION = 0.025
START_SPEED = 0.005
TABLE = -0.325
HAND_TO_OBJECT, OBJECT_TO_GOAL, ACTION_COST = 0.5, 1.25, 0.1

# Written otherwise than it is published, to the same effect:
# - The goal is a body that nothing ever moves: here a constant.
# - The object weighs 1e-8 kg and owes its inertia to its sliders' armature of 0.04 kg. Today's MuJoCo does
#   not count armature when it sets how soft a contact is, and lets the fingers pass through such an object:
#   here the 0.04 kg are its mass.
# - It slides in the plane, so the table's push on it does nothing: here the two do not collide.
# - The fingers meet a capsule around its cylinder, the same wall at every height of the cylinder: MJX finds
#   the contact of a capsule with a cylinder only by an approximate search.
MJCF = """
<mujoco model="pusher">
  <compiler angle="radian" inertiafromgeom="true"/>
  <option timestep="0.01" gravity="0 0 0" iterations="8" ls_iterations="16"/>
  <default>
    <joint type="hinge" limited="true" armature="0.04"/>
    <geom type="capsule" density="300" margin="0.002" condim="1" contype="0" conaffinity="0"/>
    <motor ctrllimited="true" ctrlrange="-2 2"/>
    <default class="finger"><geom size="0.02" contype="1" conaffinity="3"/></default>
    <default class="slider"><joint type="slide" range="-10.3213 10.3" damping="0.5" armature="0"/></default>
  </default>
  <worldbody>
    <geom name="table" type="plane" pos="0 0.5 -0.325" size="1 1 0.1" contype="1" conaffinity="1"/>
    <body name="shoulder_pan" pos="0 -0.6 0">
      <joint name="shoulder_pan" axis="0 0 1" range="-2.2854 2" damping="1"/>
      <geom type="sphere" pos="-0.06 0.05 0.2" size="0.05"/>
      <geom type="sphere" pos="0.06 0.05 0.2" size="0.05"/>
      <geom type="sphere" pos="-0.06 0.09 0.2" size="0.03"/>
      <geom type="sphere" pos="0.06 0.09 0.2" size="0.03"/>
      <geom fromto="0 0 -0.4 0 0 0.2" size="0.1"/>
      <body name="shoulder_lift" pos="0.1 0 0">
        <joint name="shoulder_lift" axis="0 1 0" range="-0.5236 1.3963" damping="1"/>
        <geom fromto="0 -0.1 0 0 0.1 0" size="0.1"/>
        <body name="upper_arm">
          <joint name="upper_arm_roll" axis="1 0 0" range="-1.5 1.7" damping="0.1"/>
          <geom fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
          <geom fromto="0 0 0 0.4 0 0" size="0.06"/>
          <body name="elbow" pos="0.4 0 0">
            <joint name="elbow_flex" axis="0 1 0" range="-2.3213 0" damping="0.1"/>
            <geom fromto="0 -0.02 0 0 0.02 0" size="0.06"/>
            <body name="forearm">
              <joint name="forearm_roll" axis="1 0 0" range="-1.5 1.5" damping="0.1"/>
              <geom fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
              <geom fromto="0 0 0 0.291 0 0" size="0.05"/>
              <body name="wrist" pos="0.321 0 0">
                <joint name="wrist_flex" axis="0 1 0" range="-1.094 0" damping="0.1"/>
                <geom fromto="0 -0.02 0 0 0.02 0" size="0.01"/>
                <body name="hand">
                  <joint name="wrist_roll" axis="1 0 0" range="-1.5 1.5" damping="0.1"/>
                  <geom type="sphere" pos="0.1 -0.1 0" size="0.01"/>
                  <geom type="sphere" pos="0.1 0.1 0" size="0.01"/>
                  <geom class="finger" fromto="0 -0.1 0 0 0.1 0"/>
                  <geom class="finger" fromto="0 -0.1 0 0.1 -0.1 0"/>
                  <geom class="finger" fromto="0 0.1 0 0.1 0.1 0"/>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
    <body name="object" pos="0.45 -0.05 -0.275">
      <joint name="object_y" class="slider" axis="0 1 0"/>
      <joint name="object_x" class="slider" axis="1 0 0"/>
      <geom name="object" size="0.05 0.05" mass="0.04" contype="2"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder_pan"/>
    <motor joint="shoulder_lift"/>
    <motor joint="upper_arm_roll"/>
    <motor joint="elbow_flex"/>
    <motor joint="forearm_roll"/>
    <motor joint="wrist_flex"/>
    <motor joint="wrist_roll"/>
  </actuator>
</mujoco>
"""


def pusher() -> Environment:
    """PETS's pusher: push a cylinder to a fixed place, 150 steps of 0.04 s; episodes never end early.

    Observation [20]: seven joint angles, their velocities, the position of the hand's tip, the position of
    the object. Action [7] in [-2, 2]: joint torques in N m.

    As published, the reward of a step is that of the state BEFORE the step, while the planner charges each
    predicted state, as `Environment.reward` does.

    Raises:
        ConfigError: brax is not installed.
    """
    spec = EnvSpec(
        name="pets_pusher",
        observation=Box((2 * brax_arm.JOINTS + 6,)),
        action=Box((brax_arm.JOINTS,), -MAX_TORQUE, MAX_TORQUE),
        max_steps=150,
        step_seconds=TIMESTEP * FRAME_SKIP,
    )
    system = load(MJCF, frames=FRAME_SKIP, task=spec.name)

    def step(state: BodyState, action: Array, key: Array) -> tuple[BodyState, TimeStep]:
        del key  # the physics is deterministic
        after = advance(system, state, action)
        return after, transition(observe(after), reward_of(observe(state), action))

    def render(state: BodyState) -> Array:
        return _draw(system, state)

    features = difference_features(lambda observation: observation)
    return Environment(spec, init, step, render, reward, features)


def init(key: Array) -> tuple[BodyState, TimeStep]:
    """All joints at zero, almost at rest; the object N((0.6, -0.3), 0.025^2) in the plane."""
    key_speed, key_object = jax.random.split(key)
    noise = START_DEVIATION * jax.random.normal(key_object, (2,), jnp.float32)
    still = jnp.zeros(brax_arm.JOINTS, jnp.float32)
    speed = jax.random.uniform(key_speed, still.shape, jnp.float32, -START_SPEED, START_SPEED)
    state = resting(
        jnp.concatenate([still, jnp.asarray(START_MEAN) + noise]),
        jnp.concatenate([speed, jnp.zeros(2, jnp.float32)]),
    )
    return state, restart(observe(state))


def observe(state: BodyState) -> Float[Array, "20"]:
    """[joint angles, joint velocities, tip, object], all of the same instant.

    The tip is the centre of the two finger-tip spheres, and the object that of its cylinder, since the
    library of the published environment reports centres of mass.
    """
    angles, (y, x) = state.q[: brax_arm.JOINTS], state.q[brax_arm.JOINTS :]
    tip = brax_arm.point_on_hand(angles, base=BASE, ahead=HAND)
    centre = jnp.asarray(OBJECT) + jnp.stack([x, y, jnp.zeros_like(x)])
    return jnp.concatenate([angles, state.qd[: brax_arm.JOINTS], tip, centre])


def reward_of(
    observation: Float[Array, "*batch 20"], action: Float[Array, "*batch 7"]
) -> Float[Array, "*batch"]:
    """-(1.25 |object - goal|_1 + 0.5 |tip - object|_1 + 0.1 |a|^2) of one state."""
    tip, centre = observation[..., 14:17], observation[..., 17:20]
    far = HAND_TO_OBJECT * jnp.sum(jnp.abs(tip - centre), axis=-1)
    off = OBJECT_TO_GOAL * jnp.sum(jnp.abs(centre - jnp.asarray(GOAL)), axis=-1)
    return -(far + off + ACTION_COST * jnp.sum(action**2, axis=-1))


def reward(
    observation: Float[Array, "*batch 20"],
    action: Float[Array, "*batch 7"],
    next_observation: Float[Array, "*batch 20"],
) -> Float[Array, "*batch"]:
    """The planner's reward: `reward_of` the state that the action led to."""
    del observation
    return reward_of(next_observation, action)


def _draw(system: System, state: BodyState) -> UInt8[Array, "192 256 3"]:
    """Table, goal, object and arm."""
    parts = solids(system, state.q)
    page = brax_arm.ground(centre=(0.42, -0.4, -0.15), extent=1.5, level=TABLE)
    page = brax_arm.shadow(page, parts, TABLE)
    page = brax_arm.plate(page, jnp.asarray(GOAL), 0.08, drawing.GREEN)
    page = brax_arm.cylinder(page, (parts.start[-1], parts.end[-1]), 0.05, drawing.RED)
    return brax_arm.arm(page, parts, len(parts.radius) - 1)  # the last is the object
