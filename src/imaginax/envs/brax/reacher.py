"""PETS's 7-joint reacher (Chua et al. 2018, arXiv 1805.12114) on brax physics."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import drawing
from imaginax.envs.brax import arm as brax_arm
from imaginax.envs.brax.physics import load, solids
from imaginax.envs.mjx_physics import BodyState, System, advance, resting
from imaginax.envs.physical import difference_features, restart, transition
from imaginax.types import Box, Environment, EnvSpec, TimeStep

# Published numbers: handful-of-trials, reacher3d.xml, reacher.py and its config; SI units.
TIMESTEP = 0.01
FRAME_SKIP = 2
MAX_TORQUE = 20.0
BASE = (0.0, -0.188, 0.0)
HAND = 0.16828  # from the wrist to the point that should reach the goal, where the fingers' tips begin
GOAL_MEAN = (0.0, 0.25, 0.0)
GOAL_DEVIATION = 0.1
ACTION_COST = 0.01

# The published goal is a body on three sliders that nothing ever moves; here it is a part of the state.
MJCF = """
<mujoco model="reacher">
  <compiler angle="radian" inertiafromgeom="true"/>
  <option timestep="0.01" gravity="0 0 0" iterations="20" ls_iterations="16" integrator="RK4"/>
  <default>
    <joint type="hinge" limited="true" armature="0.04"/>
    <geom type="capsule" contype="0" conaffinity="0" condim="1"/>
    <motor ctrllimited="true" ctrlrange="-20 20"/>
  </default>
  <worldbody>
    <body name="shoulder_pan" pos="0 -0.188 0">
      <joint name="shoulder_pan" axis="0 0 1" range="-2.2854 1.714602" damping="10"/>
      <geom type="sphere" pos="-0.06 0.05 0.2" size="0.05"/>
      <geom type="sphere" pos="0.06 0.05 0.2" size="0.05"/>
      <geom type="sphere" pos="-0.06 0.09 0.2" size="0.03"/>
      <geom type="sphere" pos="0.06 0.09 0.2" size="0.03"/>
      <geom fromto="0 0 -0.4 0 0 0.2" size="0.1"/>
      <body name="shoulder_lift" pos="0.1 0 0">
        <joint name="shoulder_lift" axis="0 1 0" range="-0.5236 1.3963" damping="10"/>
        <geom fromto="0 -0.1 0 0 0.1 0" size="0.1"/>
        <body name="upper_arm">
          <joint name="upper_arm_roll" axis="1 0 0" range="-3.9 0.8" damping="0.1"/>
          <geom fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
          <geom fromto="0 0 0 0.4 0 0" size="0.06"/>
          <body name="elbow" pos="0.4 0 0">
            <joint name="elbow_flex" axis="0 1 0" range="-2.3213 0" damping="1"/>
            <geom fromto="0 -0.02 0 0 0.02 0" size="0.06"/>
            <body name="forearm">
              <joint name="forearm_roll" axis="1 0 0" limited="false" damping="0.1"/>
              <geom fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
              <geom fromto="0 0 0 0.321 0 0" size="0.05"/>
              <body name="wrist" pos="0.321 0 0">
                <joint name="wrist_flex" axis="0 1 0" range="-2.094 0" damping="0.1"/>
                <geom fromto="0 -0.02 0 0 0.02 0" size="0.01"/>
                <body name="hand">
                  <joint name="wrist_roll" axis="1 0 0" limited="false" damping="0.1"/>
                  <geom fromto="-0.02 0 0 0.02 0 0" size="0.01"/>
                  <geom fromto="0.05 0 -0.02 0.05 0 0.02" size="0.05"/>
                  <geom fromto="0.07691 0.03 0 0.16828 0.03495 0" size="0.01"/>
                  <geom fromto="0.16828 0.03495 0 0.25965 0.03495 0" size="0.01"/>
                  <geom fromto="0.07691 -0.03 0 0.16828 -0.03495 0" size="0.01"/>
                  <geom fromto="0.16828 -0.03495 0 0.25965 -0.03495 0" size="0.01"/>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
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


class ReacherState(NamedTuple):
    """The arm, and the goal of this episode in metres."""

    body: BodyState
    goal: Float[Array, "3"]


def reacher() -> Environment:
    """PETS's reacher: bring the hand to a goal in space, 150 steps of 0.02 s; episodes never end early.

    Observation [17]: seven joint angles, the goal's position, seven joint velocities. Action [7] in
    [-20, 20]: joint torques in N m.

    Raises:
        ConfigError: brax is not installed.
    """
    spec = EnvSpec(
        name="pets_reacher",
        observation=Box((2 * brax_arm.JOINTS + 3,)),
        action=Box((brax_arm.JOINTS,), -MAX_TORQUE, MAX_TORQUE),
        max_steps=150,
        step_seconds=TIMESTEP * FRAME_SKIP,
    )
    system = load(MJCF, frames=FRAME_SKIP, task=spec.name)

    def step(state: ReacherState, action: Array, key: Array) -> tuple[ReacherState, TimeStep]:
        del key  # the physics is deterministic
        after = state._replace(body=advance(system, state.body, action))
        observation = observe(after)
        return after, transition(observation, reward(observe(state), action, observation))

    def render(state: ReacherState) -> Array:
        return _draw(system, state)

    features = difference_features(lambda observation: observation)._replace(apply=apply_target)
    return Environment(spec, init, step, render, reward, features)


def init(key: Array) -> tuple[ReacherState, TimeStep]:
    """At rest with all joints at zero; the goal is N((0, 0.25, 0), 0.1^2)."""
    zeros = jnp.zeros(brax_arm.JOINTS, jnp.float32)
    goal = jnp.asarray(GOAL_MEAN) + GOAL_DEVIATION * jax.random.normal(key, (3,), jnp.float32)
    state = ReacherState(resting(zeros, zeros), goal)
    return state, restart(observe(state))


def observe(state: ReacherState) -> Float[Array, "17"]:
    """[joint angles, goal, joint velocities]."""
    return jnp.concatenate([state.body.q, state.goal, state.body.qd])


def hand(observation: Float[Array, "*batch 17"]) -> Float[Array, "*batch 3"]:
    """World position in metres of the point that should reach the goal."""
    return brax_arm.point_on_hand(observation[..., : brax_arm.JOINTS], base=BASE, ahead=HAND)


def reward(
    observation: Float[Array, "*batch 17"],
    action: Float[Array, "*batch 7"],
    next_observation: Float[Array, "*batch 17"],
) -> Float[Array, "*batch"]:
    """-|hand - goal|^2 - 0.01 |a|^2, of the state that the action led to."""
    del observation
    goal = next_observation[..., brax_arm.JOINTS : -brax_arm.JOINTS]
    miss = jnp.sum((hand(next_observation) - goal) ** 2, axis=-1)
    return -miss - ACTION_COST * jnp.sum(action**2, axis=-1)


def apply_target(
    observation: Float[Array, "*batch 17"], prediction: Float[Array, "*batch 17"]
) -> Float[Array, "*batch 17"]:
    """Adds the predicted difference to all but the goal.

    The published planner measures distances to the episode's own goal, whatever its model predicts for it.
    """
    arm = brax_arm.JOINTS
    moved = observation + prediction
    return jnp.concatenate([moved[..., :arm], observation[..., arm:-arm], moved[..., -arm:]], axis=-1)


def _draw(system: System, state: ReacherState) -> UInt8[Array, "192 256 3"]:
    """The arm and the goal over the ground."""
    level = -0.5
    parts = solids(system, state.body.q)
    page = brax_arm.ground(centre=(0.3, 0.0, -0.1), extent=1.8, level=level)
    page = brax_arm.shadow(page, parts, level)
    page = brax_arm.ball(page, state.goal, 0.035, level, drawing.GREEN)
    return brax_arm.arm(page, parts, len(parts.radius))
