"""Finger of the control suite: keep a free hinge spinning by flicking it; control steps of 0.02 s."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.planar import gap, rotate
from imaginax.envs.control.suite import ControlState, Task, still, uniform_joints
from imaginax.envs.mjx_physics import System

# Only what can meet is tested for contact: the finger and the two capsules of the spinner. Nothing reaches
# the ground or the cylinder at the finger's root, and the one in the spinner is inside of the capsules.
MJCF = """
  <option timestep="0.01" cone="elliptic" iterations="12" ls_iterations="12">
    <flag gravity="disable"/>
  </option>
  <default>
    <geom type="capsule" solimp="0 .9 .01" solref=".02 1" material="self" contype="0" conaffinity="0"/>
    <joint axis="0 -1 0"/>
    <default class="finger"><joint damping="2.5" range="-110 110"/></default>
  </default>
  <worldbody>
    <light name="light" directional="true" diffuse=".6 .6 .6" pos="0 0 2" specular=".3 .3 .3"/>
    <camera name="cam0" pos="0 -1 .8" xyaxes="1 0 0 0 1 2"/>
    <camera name="cam1" pos="0 -1 .4" xyaxes="1 0 0 0 0 1"/>
    <geom name="ground" type="plane" size=".6 .2 10" material="grid"/>
    <body name="proximal" pos="-.2 0 .4">
      <joint name="proximal" class="finger" ref="-90"/>
      <geom name="proximal_decoration" type="cylinder" fromto="0 -.033 0 0 .033 0" size=".034"
        material="decoration"/>
      <geom name="proximal" fromto="0 0 0 0 0 -.17" size=".03" contype="1"/>
      <body name="distal" pos="0 0 -.18">
        <joint name="distal" class="finger"/>
        <geom name="distal" fromto="0 0 0 0 0 -.16" size=".028"/>
        <geom name="fingertip" fromto="0 0 -.13 0 0 -.161" size=".03" material="effector" contype="1"/>
        <site name="touchtop" type="ellipsoid" pos=".01 0 -.17" size=".025 .03 .025" group="3"/>
        <site name="touchbottom" type="ellipsoid" pos="-.01 0 -.17" size=".025 .03 .025" group="3"/>
      </body>
    </body>
    <body name="spinner" pos=".2 0 .4">
      <joint name="hinge" frictionloss=".1" damping=".03"/>
      <geom name="cap1" pos=".02 0 0" size=".04 .09" conaffinity="1"/>
      <geom name="cap2" pos="-.02 0 0" size=".04 .09" conaffinity="1"/>
      <geom name="spinner_decoration" type="cylinder" fromto="0 -.045 0 0 .045 0" size=".02"
        material="decoration"/>
    </body>
  </worldbody>
  <actuator>
    <motor name="proximal" joint="proximal" gear="30" ctrlrange="-1 1"/>
    <motor name="distal" joint="distal" gear="15" ctrlrange="-1 1"/>
  </actuator>
  <sensor><touch name="touchtop" site="touchtop"/><touch name="touchbottom" site="touchbottom"/></sensor>
"""

SPIN_RATE = -15.0  # radians a second
TIP = 0.13  # from the spinner's hinge
CANDIDATES = 32  # poses drawn for a start, of which the first without contact is taken

# along the axes of the solids that can meet, in metres and in the frames of their bodies
_BASE = np.array([[-0.4, 0.0]], np.float32)  # of the finger, from the spinner's hinge
_PROXIMAL = np.array([[0, 0], [0, -0.17], [0, -0.18]], np.float32)  # the last is the distal joint
_FINGERTIP = np.array([[0, -0.13], [0, -0.161]], np.float32)
_CAPS = np.array([[0.02, -0.09], [0.02, 0.09], [-0.02, -0.09], [-0.02, 0.09]], np.float32)
_TOUCH = 0.03 + 0.04  # both radii


def spin() -> Task:
    """From any pose without contact. Torques [2] of the finger joints.

    Observation [9]: angles of the two finger joints, the spinner's tip (x, z) from its hinge, the rates of
    the finger joints and of the hinge, log(1 + force in newtons) on top and bottom of the fingertip.
    """
    name = "control_finger_spin"
    system = load(MJCF, name=name, control_period=0.02)
    return Task(name, system, 9, partial(_start, system), observe, reward)


def _start(system: System, key: Array) -> ControlState:
    """At rest in any pose without contact."""
    poses = jax.vmap(partial(uniform_joints, system))(jax.random.split(key, CANDIDATES))
    return ControlState(still(system, poses[jnp.argmax(jax.vmap(free)(poses))]))


def free(q: Float[Array, "3"]) -> Bool[Array, ""]:
    """Whether finger and spinner are apart with joints at `q`."""
    proximal, distal, hinge = q
    upper = -(proximal + np.float32(np.pi / 2))
    link = jnp.asarray(_BASE) + rotate(upper, _PROXIMAL)
    tip = link[2] + rotate(upper - distal, _FINGERTIP)
    caps = rotate(-hinge, _CAPS)
    gaps = [gap(part, cap) for part in (link[:2], tip) for cap in (caps[:2], caps[2:])]
    return jnp.min(jnp.stack(gaps)) > _TOUCH


def observe(state: ControlState) -> Float[Array, "9"]:
    """[proximal, distal, tip x, tip z, the three rates, log(1 + touch) twice]."""
    q, hinge = state.body.q[:2], state.body.q[2]
    tip = TIP * jnp.stack([-jnp.sin(hinge), jnp.cos(hinge)])
    return jnp.concatenate([q, tip, state.body.qd, jnp.log1p(state.body.sensors)])


def reward(observation: Float[Array, "*b 9"], action: Float[Array, "*b 2"]) -> Float[Array, "*b"]:
    """1 while the hinge turns backwards by 15 rad/s or more."""
    del action
    return jnp.where(observation[..., 6] <= SPIN_RATE, 1.0, 0.0)
