from __future__ import annotations

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("brax")

import mujoco  # noqa: E402  (comes with brax)

from imaginax.envs.brax import physics  # noqa: E402
from imaginax.envs.raycast import poses  # noqa: E402
from imaginax.envs.raycast.scene import scene  # noqa: E402
from tests.envs.raycast import worlds  # noqa: E402

CAMERAS = ("fixed", "track", "trackcom", "mounted", "looks", "looks_com")


def test_parts_are_where_mujoco_puts_them():
    model = worlds.model()
    solids = scene(model).solids
    for data in worlds.states(model, 5):
        found = poses.attached(poses.pose_of(data), solids.body, solids.place, solids.turn)
        place = np.concatenate([data.geom_xpos, data.site_xpos])[list(solids.number)]
        turn = np.concatenate([data.geom_xmat, data.site_xmat])[list(solids.number)]
        np.testing.assert_allclose(found.place, place, atol=1e-5)
        np.testing.assert_allclose(found.turn.reshape(-1, 9), turn, atol=1e-5)


@pytest.mark.parametrize("camera", CAMERAS)
def test_cameras_of_every_mode_are_where_mujoco_puts_them(camera):
    model = worlds.model()
    mount = scene(model, camera).camera.mount
    for data in worlds.states(model, 5):
        place, turn = poses.mounted(poses.pose_of(data), mount)
        np.testing.assert_allclose(place, data.camera(camera).xpos, atol=1e-5)
        np.testing.assert_allclose(turn.ravel(), data.camera(camera).xmat, atol=1e-5)


def test_lights_of_every_mode_are_where_mujoco_puts_them():
    model = worlds.model()
    lights = [light for light in scene(model).lights if light.mount is not None]
    assert len(lights) == model.nlight
    for data in worlds.states(model, 5):
        for i, light in enumerate(lights):
            place, turn = poses.mounted(poses.pose_of(data), light.mount)
            np.testing.assert_allclose(place, data.light_xpos[i], atol=1e-5)
            np.testing.assert_allclose(-turn[:, 2], data.light_xdir[i], atol=1e-5)


def test_the_free_camera_is_mujocos():
    model = worlds.model()
    data = next(worlds.states(model, 1))
    view, options = mujoco.MjvCamera(), mujoco.MjvOption()
    mujoco.mjv_defaultFreeCamera(model, view)
    drawn = mujoco.MjvScene(model, 100)
    mujoco.mjv_updateScene(model, data, options, None, view, mujoco.mjtCatBit.mjCAT_ALL, drawn)
    place, turn = poses.mounted(poses.pose_of(data), scene(model, -1).camera.mount)
    eye = (drawn.camera[0].pos + drawn.camera[1].pos) / 2  # of the two of a stereo pair
    np.testing.assert_allclose(place, eye, atol=1e-4)
    np.testing.assert_allclose(-turn[:, 2], drawn.camera[0].forward, atol=1e-4)
    np.testing.assert_allclose(turn[:, 1], drawn.camera[0].up, atol=1e-4)


def test_quaternions():
    quaternions = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    expected = np.zeros((10, 9))
    for row, quaternion in zip(expected, quaternions, strict=True):
        mujoco.mju_quat2Mat(row, quaternion.astype(float))
    np.testing.assert_allclose(poses.fixed_matrices(quaternions).reshape(10, 9), expected, atol=1e-6)
    np.testing.assert_allclose(poses.matrices(jnp.asarray(quaternions)).reshape(10, 9), expected, atol=1e-6)


def test_mjx_and_mujoco_have_the_same_pose():
    from mujoco import mjx

    model = worlds.model()
    data = list(worlds.states(model, 2))[-1]
    kinematics = jax.jit(lambda qpos: mjx.kinematics(mjx.put_model(model), start.replace(qpos=qpos)))
    start = mjx.make_data(model)
    found, expected = poses.pose_of(kinematics(jnp.asarray(data.qpos))), poses.pose_of(data)
    np.testing.assert_allclose(found.place, expected.place, atol=1e-5)
    np.testing.assert_allclose(found.turn, expected.turn, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Brax System, piplines and environments")
@pytest.mark.parametrize("backend", ["positional", "spring"])
def test_braxs_links_are_mujocos_bodies(backend):
    system = physics.load(BRAX, frames=1, task="test").model
    pipeline = importlib.import_module(f"brax.{backend}.pipeline")
    q = jnp.array([0.1, 0.5, -0.7])
    state = pipeline.init(system, q, jnp.zeros(3))
    data = mujoco.MjData(system.mj_model)
    data.qpos[:] = q
    mujoco.mj_forward(system.mj_model, data)
    found, expected = poses.pose_of_brax(state), poses.pose_of(data)
    np.testing.assert_allclose(found.place, expected.place, atol=1e-4)
    np.testing.assert_allclose(found.turn, expected.turn, atol=1e-4)


def test_the_physics_of_the_brax_tasks_has_poses_too():
    system = physics.load(BRAX, frames=1, task="test")
    q = jnp.array([0.1, 0.5, -0.7])
    data = mujoco.MjData(system.model.mj_model)
    data.qpos[:] = q
    mujoco.mj_forward(system.model.mj_model, data)
    found = poses.pose_of(physics.kinematics(system, system.data.replace(qpos=q)))
    np.testing.assert_allclose(found.place, poses.pose_of(data).place, atol=1e-5)
    np.testing.assert_allclose(found.turn, poses.pose_of(data).turn, atol=1e-5)


BRAX = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <geom type="plane" size="5 5 .1"/>
    <body pos="0 .2 1">
      <joint type="slide" axis="1 0 0"/>
      <joint type="hinge" axis="0 1 0"/>
      <geom type="capsule" fromto="-.4 0 0 .4 0 0" size=".05"/>
      <body pos=".4 0 .1" euler="0 .3 0">
        <joint type="hinge" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 -.5" size=".04"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
