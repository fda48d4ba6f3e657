"""Cart-pole of the control suite: swing the pole up, or balance it; control steps of 0.01 s."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.envs.control.models import load
from imaginax.envs.control.rewards import quadratic, tolerance
from imaginax.envs.control.suite import ControlState, Task, still

MJCF = """
  <option timestep="0.01" integrator="RK4" iterations="8" ls_iterations="8"><flag contact="disable"/></option>
  <worldbody>
    <light name="light" pos="0 0 6"/>
    <camera name="fixed" pos="0 -4 1" zaxis="0 -1 0"/>
    <camera name="lookatcart" mode="targetbody" target="cart" pos="0 -2 2"/>
    <geom name="floor" type="plane" pos="0 0 -.05" size="4 4 .2" material="grid"/>
    <geom name="rail1" type="capsule" pos="0 .07 1" zaxis="1 0 0" size=".02 2" material="decoration"/>
    <geom name="rail2" type="capsule" pos="0 -.07 1" zaxis="1 0 0" size=".02 2" material="decoration"/>
    <body name="cart" pos="0 0 1">
      <joint name="slider" type="slide" axis="1 0 0" range="-1.8 1.8" solreflimit=".08 1" damping="5e-4"/>
      <geom name="cart" type="box" size=".2 .15 .1" material="self" mass="1"/>
      <body name="pole">
        <joint name="hinge" axis="0 1 0" damping="2e-6"/>
        <geom name="pole" type="capsule" fromto="0 0 0 0 0 1" size=".045" material="self" mass=".1"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor name="slide" joint="slider" gear="10" ctrlrange="-1 1"/></actuator>
"""


def swingup() -> Task:
    """The pole hangs at first. Observation [x, cos, sin of the angle from upright, x', angle']; force [1]."""
    return _task("control_cartpole_swingup", _hanging)


def balance() -> Task:
    """The pole stands at first; observation, action and reward are those of `swingup`."""
    return _task("control_cartpole_balance", _standing)


def _task(name: str, start) -> Task:
    system = load(MJCF, name=name, control_period=0.01)

    def begin(key: Array) -> ControlState:
        key_place, key_speed = jax.random.split(key)
        body = still(system, start(key_place))
        return ControlState(body._replace(qd=0.01 * jax.random.normal(key_speed, (2,), jnp.float32)))

    return Task(name, system, 5, begin, observe, reward)


def _hanging(key: Array) -> Float[Array, "2"]:
    """In the middle, hanging, both disturbed by N(0, 0.01^2)."""
    return jnp.array([0.0, jnp.pi], jnp.float32) + 0.01 * jax.random.normal(key, (2,), jnp.float32)


def _standing(key: Array) -> Float[Array, "2"]:
    """Uniformly within 0.1 m of the middle and 0.034 rad of upright."""
    reach = jnp.array([0.1, 0.034], jnp.float32)
    return jax.random.uniform(key, (2,), jnp.float32, -reach, reach)


def observe(state: ControlState) -> Float[Array, "5"]:
    """[x, cos, sin of the angle from upright, x', angle']."""
    x, angle = state.body.q
    return jnp.concatenate([jnp.stack([x, jnp.cos(angle), jnp.sin(angle)]), state.body.qd])


def reward(observation: Float[Array, "*b 5"], action: Float[Array, "*b 1"]) -> Float[Array, "*b"]:
    """Upright, times in the middle, gently pushed and turning slowly; these three count in part."""
    upright = (1 + observation[..., 1]) / 2
    centred = (1 + tolerance(observation[..., 0], margin=2.0)) / 2
    gentle = (4 + tolerance(action[..., 0], margin=1.0, falloff=quadratic)) / 5
    slow = (1 + tolerance(observation[..., 4], margin=5.0)) / 2
    return upright * centred * gentle * slow
