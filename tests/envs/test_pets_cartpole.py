"""The analytic cart-pole against MuJoCo's own simulation of the same model, and against its own energy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs import pets_cartpole as task
from imaginax.envs.integrators import Motion, rk4

MODEL = """
<mujoco>
  <option gravity="0 0 -9.81" timestep="0.02" integrator="RK4"/>
  <worldbody>
    <body>
      <joint name="slide" type="slide" axis="1 0 0" range="-2.5 2.5" limited="true" damping="1"/>
      <geom type="capsule" fromto="-0.1 0 0 0.1 0 0" size="0.1" contype="0" conaffinity="0"/>
      <body>
        <joint name="turn" type="hinge" axis="0 1 0" damping="1"/>
        <geom type="capsule" fromto="0 0 0 0.001 0 -0.6" size="0.049" contype="0" conaffinity="0"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="slide" gear="100" ctrllimited="true" ctrlrange="-3 3"/></actuator>
</mujoco>
"""


@pytest.fixture(scope="module")
def simulate():
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(MODEL)

    def run(start, controls):
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = start[:2], start[2:]
        observations = []
        for control in controls:
            data.ctrl[:] = control
            for _ in range(task.FRAME_SKIP):
                mujoco.mj_step(model, data)
            observations.append(np.concatenate([data.qpos, data.qvel]))
        return np.array(observations)

    return run


@jax.jit
def roll_out(start, controls):
    """Observations [T, 4] of the public environment's physics in the precision of the inputs."""

    def step(motion, control):
        motion = task.advance(motion, control)
        return motion, task.observe(motion)

    return jax.lax.scan(step, Motion(start[:2], start[2:]), controls)[1]


def controls(seed, steps, low, high):
    return np.random.default_rng(seed).uniform(low, high, (steps, 1))


def test_float64_equals_mujoco_away_from_the_stops(simulate):
    start, push = np.array([0.1, -0.2, 0.05, 0.1]), controls(0, 50, -3, 3)
    expected = simulate(start, push)
    assert np.abs(expected[:, 0]).max() < task.RAIL
    with jax.enable_x64(True):
        found = roll_out(jnp.array(start), jnp.array(push))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_float64_equals_mujoco_through_bounces_at_both_stops(simulate):
    start = np.array([0.5, 0.3, 2.0, 0.1])
    push = np.concatenate([np.full((40, 1), 0.8), np.full((60, 1), -1.5)])
    expected = simulate(start, push)
    assert expected[:, 0].max() > task.RAIL + 0.01 and expected[:, 0].min() < -task.RAIL - 0.01
    with jax.enable_x64(True):
        found = roll_out(jnp.array(start), jnp.array(push))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_environment_in_float32_follows_mujoco(simulate):
    env = task.cartpole()
    state, timestep = env.init(jax.random.key(3))
    push = controls(1, 50, -4, 4)  # beyond the bounds: both must clip
    expected = simulate(np.array(timestep.observation, np.float64), push)
    step = jax.jit(env.step)
    for control, observation in zip(push, expected, strict=True):
        before = timestep.observation
        action = jnp.array(control, jnp.float32)
        state, timestep = step(state, action, jax.random.key(0))
        np.testing.assert_allclose(timestep.observation, observation, atol=1e-3)
        np.testing.assert_allclose(
            timestep.reward, env.reward(before, action, timestep.observation), rtol=1e-5
        )
    assert timestep.observation.dtype == jnp.float32 and not timestep.last


def test_masses_and_inertias_are_those_of_the_model():
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(MODEL)
    np.testing.assert_allclose([task.CART_MASS, task.POLE_MASS], model.body_mass[1:], rtol=1e-12)
    centre = np.linalg.norm(model.body_ipos[2])
    inertia = model.body_inertia[2].max() + model.body_mass[2] * centre**2
    np.testing.assert_allclose(task.HINGE_INERTIA, inertia, rtol=1e-12)


def energy(motion: Motion) -> float:
    """Kinetic and potential energy from the velocity of the pole's centre of mass."""
    (_, theta), (speed, rate) = np.array(motion.position), np.array(motion.velocity)
    angle = theta - task.POLE_TILT
    across = speed - task.POLE_CENTRE * np.cos(angle) * rate
    up = task.POLE_CENTRE * np.sin(angle) * rate
    turning = (task.HINGE_INERTIA - task.POLE_MASS * task.POLE_CENTRE**2) * rate**2
    kinetic = task.CART_MASS * speed**2 + task.POLE_MASS * (across**2 + up**2) + turning
    return kinetic / 2 - task.POLE_MASS * task.GRAVITY * task.POLE_CENTRE * np.cos(angle)


def test_energy_is_conserved_to_the_integrators_order():
    def free(motion, control):
        return task.dynamics(motion, control, damping=0.0)

    with jax.enable_x64(True):
        start = Motion(jnp.array([0.0, 2.5]), jnp.array([0.2, -1.0]))
        drift = [
            abs(energy(rk4(free, start, jnp.zeros(1), 1.0 / steps, steps)) - energy(start))
            for steps in (50, 100)
        ]
    assert drift[0] < 1e-3
    assert np.log2(drift[0] / drift[1]) > 3.8


def test_gradient_equals_finite_differences_and_is_finite_at_the_stop():
    def total(push, start):
        seen = roll_out(start, push)
        return jnp.sum(task.reward(seen[:-1], push[1:], seen[1:]))

    value_and_gradient = jax.jit(jax.value_and_grad(total))
    with jax.enable_x64(True):
        start, push = jnp.array([0.1, 0.4, 0.0, 0.0]), jnp.array(controls(2, 20, -3, 3))
        direction = jnp.array(controls(3, 20, -1, 1))
        slope = float(jnp.sum(value_and_gradient(push, start)[1] * direction))
        above, below = (value_and_gradient(push + sign * 1e-5 * direction, start)[0] for sign in (1, -1))
        assert slope == pytest.approx(float(above - below) / 2e-5, rel=1e-6)
        for place in ([2.52, 0.4, 1.0, 0.0], [2.5, 0.0, 0.0, 0.0]):
            assert np.isfinite(value_and_gradient(push, jnp.array(place))[1]).all()


def test_start_is_hanging_with_the_published_spread():
    env = task.cartpole()
    keys = jax.random.split(jax.random.key(0), 4096)
    observations = np.array(jax.jit(jax.vmap(env.init))(keys)[1].observation)
    np.testing.assert_allclose(observations.mean(axis=0), 0.0, atol=0.008)
    np.testing.assert_allclose(observations.std(axis=0), 0.1, rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(observations.T), np.eye(4), atol=0.07)


def test_reward_and_features_by_hand():
    env = task.cartpole()
    upright, hanging = jnp.array([0.0, np.pi, 0.0, 0.0]), jnp.array([0.3, 0.0, 0.0, 0.0])
    rewards = env.reward(hanging, jnp.array([[2.0], [0.0]]), jnp.stack([upright, hanging]))
    np.testing.assert_allclose(rewards, [1 - 0.04, np.exp(-(0.09 + 1.44) / 0.36)], rtol=1e-5)
    seen = jnp.array([[0.5, 2.0, -1.0, 3.0]])
    np.testing.assert_allclose(
        env.features.inputs(seen), [[np.sin(2.0), np.cos(2.0), 0.5, -1.0, 3.0]], rtol=1e-6
    )
    target = env.features.target(seen, upright)
    np.testing.assert_allclose(env.features.apply(seen, target), upright[None], atol=1e-6)


def test_picture_shows_the_pole_where_the_tip_is():
    env = task.cartpole()
    state, _ = env.init(jax.random.key(0))

    render = jax.jit(env.render)

    def picture(theta):
        motion = Motion(jnp.array([0.4, theta]), jnp.zeros(2))
        return np.array(render(state._replace(motion=motion)), int)

    hanging, upright = picture(0.0), picture(np.pi)
    rows = np.nonzero((hanging != upright).any(axis=(1, 2)))[0]
    columns = np.nonzero((hanging != upright).any(axis=(0, 2)))[0]
    assert hanging.shape == (192, 448, 3)
    assert 80 < rows.max() - rows.min() < 120  # twice the pole's length
    assert 250 < columns.mean() < 258 and columns.max() - columns.min() < 12  # a pole, at x = 0.4 m
