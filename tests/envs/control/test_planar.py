"""The closed forms of the planar mechanisms against MuJoCo's own passes through the tree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from imaginax.envs.control import ball_in_cup, finger, planar  # noqa: E402
from imaginax.envs.control.hopper import _TORSO_OVER_FOOT  # noqa: E402
from imaginax.envs.control.suite import joint_ranges  # noqa: E402
from tests.envs.control.recorded import mj_model  # noqa: E402


def random_states(model, count):
    random = np.random.default_rng(0)
    low, high = joint_ranges(model)
    return random.uniform(low, high, (count, model.nq)), 5 * random.standard_normal((count, model.nv))


@pytest.mark.parametrize("name, root", [("cheetah_run", 0), ("walker_walk", 1), ("hopper_hop", 0)])
def test_angles_and_speed_of_the_centre_of_mass(name, root):
    model = mj_model(f"control_{name}")
    data = mujoco.MjData(model)
    q, qd = random_states(model, 20)
    angles, speeds = [], []
    for data.qpos[:], data.qvel[:] in zip(q, qd, strict=True):
        mujoco.mj_forward(model, data)
        mujoco.mj_subtreeVel(model, data)
        angles.append(np.arctan2(data.xmat[1:, 2], data.xmat[1:, 0]))
        speeds.append(data.subtree_linvel[1, 0])
    body = planar.mechanism(model)
    angle = planar.apply(body.turns, jnp.asarray(q, jnp.float32))
    np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * np.array(angles)), atol=2e-6)
    velocity = jnp.asarray(qd, jnp.float32)
    speed = planar.forward_speed(body, angle, velocity, velocity[:, root])
    np.testing.assert_allclose(speed, speeds, atol=1e-4)


def test_height_of_a_weighted_sum():
    model = mj_model("control_hopper_hop")
    data = mujoco.MjData(model)
    q, _ = random_states(model, 20)
    lever = planar.levers(model, _TORSO_OVER_FOOT)
    for data.qpos[:] in q:
        mujoco.mj_kinematics(model, data)
        angle = planar.apply(planar.mechanism(model).turns, jnp.asarray(data.qpos, jnp.float32))
        height = jnp.sum(planar.rises(lever, jnp.cos(angle), jnp.sin(angle)))
        torso, foot = data.body("torso").xipos[2], data.body("foot").xipos[2]
        np.testing.assert_allclose(height, torso - foot, atol=1e-5)


def test_gap_between_segments():
    first = jnp.array([[0.0, 0.0], [2.0, 0.0]])
    for second, expected in (
        ([[1.0, 1.0], [1.0, 3.0]], 1.0),
        ([[3.0, 1.0], [4.0, 5.0]], np.sqrt(2.0)),
        ([[1.0, -1.0], [1.0, 1.0]], 0.0),
        ([[-1.0, 0.5], [-1.0, -3.0]], 1.0),
        ([[1.0, 2.0], [1.0, 2.0]], 2.0),
    ):
        np.testing.assert_allclose(planar.gap(first, jnp.array(second)), expected, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(planar.gap(jnp.array(second), first), expected, rtol=1e-6, atol=1e-7)


def test_poses_are_free_where_mujoco_finds_no_contact():
    model = mj_model("control_finger_spin")
    q, _ = random_states(model, 400)
    got = jax.jit(jax.vmap(finger.free))(jnp.asarray(q, jnp.float32))
    assert 20 < (~got).sum() < 200
    np.testing.assert_array_equal(got, [not contacts(model, pose) for pose in q])


def test_the_ball_is_free_where_mujoco_finds_no_contact():
    model = mj_model("control_cup_catch")
    balls = np.random.default_rng(0).uniform([-0.2, 0.2], [0.2, 0.5], (400, 2))
    got = jax.jit(jax.vmap(ball_in_cup.free))(jnp.asarray(balls, jnp.float32))
    assert 20 < (~got).sum() < 200
    np.testing.assert_array_equal(got, [not contacts(model, [0, 0, *ball]) for ball in balls])


def contacts(model, q) -> int:
    data = mujoco.MjData(model)
    data.qpos[:] = q
    mujoco.mj_fwdPosition(model, data)
    return data.ncon
