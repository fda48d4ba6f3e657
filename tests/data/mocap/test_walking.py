"""The generated walk walks: even, symmetric, on the ground and without sliding."""

import jax
import numpy as np
import pytest

from imaginax.data.mocap import WalkConfig, forward_kinematics, humanoid, walk
from imaginax.data.mocap.skeleton import columns
from imaginax.types import ConfigError

STRIDE = 126  # frames: 1.05 s at 120 a second


@pytest.fixture(scope="module")
def skeleton():
    return humanoid()


@pytest.fixture(scope="module")
def varied():
    return walk(jax.random.key(3))


@pytest.fixture(scope="module")
def even():
    return walk(jax.random.key(3), WalkConfig(variation=0.0))


def _points(skeleton, motion):
    """Metres, by name."""
    with jax.enable_x64(True):
        points = skeleton.metres * np.asarray(forward_kinematics(skeleton, motion.values))
    return {name: points[:, joint] for joint, name in enumerate(skeleton.joints)}


def test_shapes_and_units(skeleton, varied):
    assert varied.values.shape == (316, 40) and varied.channels == skeleton.channels
    assert varied.values.dtype == np.float64 and varied.step_seconds == 1 / 120
    assert (varied.values.std(0) > 0.02).all(), "every channel moves"
    points = _points(skeleton, varied)
    assert 1.7 < (points["head"][:, 1] - points["lheel"][:, 1]).max() < 1.8
    assert 1.1 < (points["root"][-1, 2] - points["root"][0, 2]) / (315 / 120) < 1.5  # metres a second


def test_strides_repeat_and_sides_are_half_a_stride_apart(skeleton, even):
    angles = even.values[:, 3:]
    np.testing.assert_allclose(angles[STRIDE:], angles[:-STRIDE], atol=1e-9)
    for name in ("femur.rx", "tibia.rx", "foot.rx", "humerus.rx", "femur.rz"):
        left, right = (even.values[:, columns(skeleton, [side + name])] for side in "lr")
        sign = -1 if name.endswith("rz") else 1
        np.testing.assert_allclose(left[: -STRIDE // 2], sign * right[STRIDE // 2 :], atol=1e-9)


def test_the_lowest_foot_is_on_the_ground_and_hardly_slides(skeleton, varied):
    points = _points(skeleton, varied)
    feet = np.stack([points[side + bone] for side in "lr" for bone in ("heel", "foot", "toes")], 1)
    lowest = feet[..., 1].min(1)
    assert -1e-9 < lowest.min() and lowest.max() < 0.005
    speed = np.abs(np.diff(feet[..., 2], axis=0)) * 120
    carrying = feet[..., 1].argmin(1)[:-1]
    slide = speed[np.arange(len(speed)), carrying]
    assert np.median(slide) < 0.12 and np.quantile(slide, 0.95) < 0.8 < 4 < speed.max(), "metres a second"
    clearance = feet[:, :3, 1].min(1)
    assert 0.01 < clearance.max() < 0.06, "the swinging foot passes over the ground"


def test_legs_take_turns(skeleton, varied):
    points = _points(skeleton, varied)
    ahead = np.sign(points["lfoot"][:, 2] - points["rfoot"][:, 2])
    changes = np.flatnonzero(np.diff(ahead))
    assert len(changes) == 5, "five steps in two and a half strides"
    assert (np.abs(np.diff(changes) - STRIDE / 2) < 8).all()


def test_the_key_is_the_variation(varied, even):
    again, other = walk(jax.random.key(3)), walk(jax.random.key(4))
    np.testing.assert_array_equal(again.values, varied.values)
    assert np.abs(other.values - varied.values)[:, 3:].max() > 1
    assert 0.5 < np.abs(varied.values - even.values)[:, 3:].max() < 15


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"frames": 1}, "frames must be at least 2"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"stride_seconds": float("nan")}, "stride_seconds must be positive"),
        ({"variation": 4.0}, "variation must lie in"),
    ],
)
def test_a_config_that_cannot_work(fields, message):
    with pytest.raises(ConfigError, match=message):
        WalkConfig(**fields)
