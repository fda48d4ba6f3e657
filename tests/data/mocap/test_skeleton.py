"""Forward kinematics against a recursion with scipy's rotations, and ASF against an equal BVH."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.data.mocap import asf, bvh, forward_kinematics
from imaginax.data.mocap.skeleton import columns, euler, is_rotation
from imaginax.types import ConfigError
from tests.data.mocap import writers
from tests.data.mocap.test_asf import TEXT

COUNT, FRAMES = 9, 3  # always of one shape: one compilation


def _positions(skeleton, values):
    with jax.enable_x64(True):
        return np.asarray(forward_kinematics(skeleton, values))


@pytest.fixture(scope="module", params=range(6))
def case(request):
    """Bones, order of the root, names of channels, values and the skeleton that was read."""
    seed = request.param
    bones, root = writers.random_bones(seed, COUNT), writers.ROOTS[seed % 3]
    names = writers.channels(bones, root)
    values = writers.random_values(seed, names, FRAMES)
    return bones, root, names, values, asf.parse(writers.asf_text(bones, root))


def test_agrees_with_scipys_rotations(case):
    bones, root, names, values, skeleton = case
    points = _positions(skeleton, values)
    for frame, row in enumerate(values):
        placed = writers.oracle(bones, root, names, row)
        expected = np.stack([placed[name] for name in skeleton.joints])
        np.testing.assert_allclose(points[frame], expected, atol=1e-10)


def test_bvh_of_the_same_motion_is_at_the_same_places(case):
    bones, root, names, values, skeleton = case
    other, motion = bvh.parse(writers.bvh_text(bones, root, names, values))
    points, others = _positions(skeleton, values), _positions(other, motion.values)
    for bone in bones:
        children = [child.name for child in bones if child.parent == bone.name]
        far_end = other.joints.index(children[0] if children else f"{bone.name} end")
        np.testing.assert_allclose(points[:, skeleton.joints.index(bone.name)], others[:, far_end], atol=1e-9)


def test_bones_keep_their_lengths_in_every_pose(case):
    bones, _, _, values, skeleton = case
    points = _positions(skeleton, 3 * values)
    for bone in bones:
        here, there = (skeleton.joints.index(name) for name in (bone.name, bone.parent))
        lengths = np.linalg.norm(points[:, here] - points[:, there], axis=-1)
        np.testing.assert_allclose(lengths, bone.length, rtol=1e-10)


def test_a_pose_worked_out_by_hand():
    """The hip's axis is turned by 90 degrees about z: its rx turns about the world's y, so it moves the knee
    and not the hip, which points along y."""
    skeleton = asf.parse(TEXT)
    pose = np.zeros(8)
    np.testing.assert_allclose(_positions(skeleton, pose), [[0, 0, 0], [0, 3, 0], [4, 3, 0]], atol=1e-14)
    pose[6] = 90
    np.testing.assert_allclose(_positions(skeleton, pose), [[0, 0, 0], [0, 3, 0], [0, 3, -4]], atol=1e-14)
    pose[:3] = 1, 2, 3
    pose[3] = 90  # root.rx: y to z, z to -y
    np.testing.assert_allclose(_positions(skeleton, pose), [[1, 2, 3], [1, 2, 6], [1, 6, 6]], atol=1e-14)


def test_batches_dtype_and_gradient(case):
    *_, values, skeleton = case
    points = _positions(skeleton, values)
    np.testing.assert_allclose(_positions(skeleton, values[None])[0], points)
    single = forward_kinematics(skeleton, jnp.asarray(values, jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, points, atol=2e-4 * np.abs(points).max())


def test_gradient_against_finite_differences():
    skeleton = asf.parse(TEXT)
    pose, direction = np.random.default_rng(0).normal(size=(2, 8)) * 30
    with jax.enable_x64(True):
        _, slope = jax.jvp(lambda row: forward_kinematics(skeleton, row), (pose,), (direction,))
    step = 1e-5
    ahead, behind = (_positions(skeleton, pose + sign * step * direction) for sign in (1, -1))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=1e-7)


def test_names_and_numbers_of_channels():
    skeleton = asf.parse(TEXT)
    assert [is_rotation(name) for name in skeleton.channels] == [False] * 3 + [True] * 5
    assert columns(skeleton, ["hip.rz", "root.tx"]).tolist() == [7, 0]
    with pytest.raises(ConfigError, match=r"channels \['hip.ry'\] are not among"):
        columns(skeleton, ["hip.ry"])
    with pytest.raises(ConfigError, match="values have 7 channels, the skeleton 8"):
        forward_kinematics(skeleton, np.zeros(7))
    np.testing.assert_allclose(euler("zyx", np.array([0.0, 0.0, 90.0])) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
