"""Pictures of a few bones whose places are known, and the files that are written of them."""

import imageio.v3 as iio
import jax
import numpy as np
import pytest

from imaginax.data.mocap import Motion, WalkConfig, humanoid, walk
from imaginax.envs import drawing
from imaginax.envs.stick_figure import StickFigureConfig, limb_sides, stick_figure
from imaginax.runtime.animation import animate
from imaginax.types import ConfigError

CONFIG = StickFigureConfig(height=64, width=64, views=((0.0, 0.0), (90.0, 0.0)), thickness=0.08)
PARENTS = np.array([-1, 0, 0, 0])
SIDES = np.array([0, 1, -1, 0])
# Root one metre high; a left arm ahead and up, a right one behind and down, a stick to the ground. Facing z.
POINTS = np.array([[[0, 1, 0], [0.3, 1.3, 0.5], [-0.3, 0.7, -0.5], [0, 0, 0]]], np.float32)


def _where(frame, colour):
    """Mean column and row, in shares of a view, and number of the pixels with a colour."""
    near = np.abs(frame.astype(float) / 255 - np.asarray(colour)).max(-1) < 0.02
    rows, columns = np.nonzero(near)
    return (columns.mean() / 64, rows.mean() / 64, len(rows)) if len(rows) else (np.nan, np.nan, 0)


def _draw(points, original=None):
    return np.asarray(stick_figure(points, PARENTS, SIDES, original, config=CONFIG))


@pytest.fixture(scope="module")
def views():
    frames = _draw(np.repeat(POINTS, 2, 0))
    assert frames.shape == (2, 64, 128, 3) and frames.dtype == np.uint8
    np.testing.assert_array_equal(frames[0], frames[1])
    return frames[0, :, :64], frames[0, :, 64:]


def test_from_the_side_ahead_is_right(views):
    (left_x, left_y, _), (right_x, right_y, _) = (_where(views[0], c) for c in (drawing.BLUE, drawing.ORANGE))
    stick_x, stick_y, count = _where(views[0], drawing.INK)
    assert right_x < stick_x - 0.1 and stick_x + 0.1 < left_x and abs(stick_x - 0.5) < 0.02
    assert left_y < right_y < stick_y + 0.1 and count > 40


def test_from_ahead_the_right_arm_is_on_the_left(views):
    (left_x, _, _), (right_x, _, _) = (_where(views[1], c) for c in (drawing.BLUE, drawing.ORANGE))
    assert right_x < 0.48 < 0.52 < left_x


def test_nearer_limbs_are_painted_over_others():
    """Both arms at one place of the side view: only the right one, which is nearer, is seen."""
    points = POINTS.copy()
    points[0, 1:3] = [[0.3, 1.3, 0.5], [-0.3, 1.3, 0.5]]
    view = _draw(np.repeat(points, 2, 0))[0, :, :64]
    assert _where(view, drawing.ORANGE)[2] > 20 and _where(view, drawing.BLUE)[2] == 0


def test_the_original_is_grey_behind_the_figure():
    points = np.repeat(POINTS, 2, 0)
    assert _where(_draw(points, points)[0, :, :64], drawing.STEEL)[2] == 0
    shifted = points + np.array([0, 0, 0.4], np.float32)
    grey_x, _, count = _where(_draw(points, shifted)[0, :, :64], drawing.STEEL)
    assert count > 40 and grey_x > 0.52


def test_the_camera_goes_along_and_turns_to_where_the_root_goes():
    way = np.linspace(0, 1, 2, dtype=np.float32)[:, None, None] * np.array([1, 0, 0], np.float32)
    turned = POINTS[..., [2, 1, 0]] * np.array([1, 1, -1], np.float32)  # z becomes x
    frames, still = _draw(turned + way), _draw(np.repeat(POINTS, 2, 0))
    for frame in frames:  # the ground differs
        for colour in (drawing.BLUE, drawing.ORANGE):
            np.testing.assert_allclose(
                _where(frame[:, :64], colour), _where(still[0, :, :64], colour), atol=0.03, rtol=0.15
            )


def test_sides_are_told_by_partners():
    names = ("root", "lowerback", "lfemur", "rfemur", "LeftLeg", "RightLeg", "rest", "lonely", "Lowered")
    assert limb_sides(names).tolist() == [0, 0, 1, -1, 1, -1, 0, 0, 0]
    assert np.abs(limb_sides(humanoid().joints)).sum() == 20


def test_animations_run_in_real_time(tmp_path):
    motion = walk(jax.random.key(0), WalkConfig(frames=24))
    config = StickFigureConfig(height=32, width=24)
    path = animate(tmp_path / "new" / "walk.gif", humanoid(), motion, original=motion, config=config)
    assert iio.imread(path).shape == (6, 32, 48, 3)  # 24 frames at 120 a second, 6 at 30
    assert iio.immeta(path)["duration"] in (30, 33)
    with pytest.raises(ConfigError, match="differ"):
        animate(path, humanoid(), motion, original=Motion(motion.values[1:], motion.channels, 0.1))


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"height": 7}, "height must be at least 8"),
        ({"views": ()}, "views must not be empty"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"thickness": -1.0}, "thickness must be positive"),
    ],
)
def test_a_config_that_cannot_work(fields, message):
    with pytest.raises(ConfigError, match=message):
        StickFigureConfig(**fields)
