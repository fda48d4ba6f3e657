from __future__ import annotations

from functools import cache

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("brax")

import mujoco  # noqa: E402  (comes with brax)

from imaginax.envs.raycast import Pose, make_renderer, make_segmenter, pose_of  # noqa: E402
from imaginax.types import ConfigError  # noqa: E402
from tests.envs.raycast import worlds  # noqa: E402

HEIGHT, WIDTH = 48, 64
BALL = """
<mujoco>
  <visual><headlight ambient=".4 .4 .4" diffuse=".4 .4 .4" specular=".2 .2 .2"/></visual>
  <worldbody>
    <geom type="sphere" size=".5" rgba=".5 .4 {blue} {alpha}"/>
    <geom type="plane" size="9 9 1" pos="0 2 0" xyaxes="1 0 0 0 0 1" rgba="1 0 0 1"/>
    <camera pos="0 -3 0" xyaxes="1 0 0 0 0 1" fovy="30"/>
  </worldbody>
</mujoco>
"""
SMALL = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="2 2 1"/>
    <body pos="0 0 .6">
      <joint type="slide" axis="1 0 0"/>
      <joint type="hinge" axis="0 1 0"/>
      <camera mode="trackcom" pos=".2 -2.5 .5" xyaxes="1 0 0 0 .2 1"/>
      <geom type="capsule" fromto="-.4 0 0 .4 .2 .2" size=".1" rgba=".7 .5 .3 1"/>
      <geom type="box" size=".1 .2 .3" pos=".5 0 0" rgba=".2 .5 .8 1"/>
    </body>
  </worldbody>
</mujoco>
"""


def poses(model, count):
    each = [pose_of(data) for data in worlds.states(model, count)]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *each)


def seen_by_mujoco(model, data, camera):
    """The geom that mj_ray finds through the middle of every pixel; without sites, which it ignores."""
    group = np.array([1, 1, 1, 0, 0, 0], np.uint8)
    turn, place = data.camera(camera).xmat.reshape(3, 3), data.camera(camera).xpos
    pixel = 2 * np.tan(np.radians(model.camera(camera).fovy[0]) / 2) / HEIGHT
    numbers, geom = np.zeros((HEIGHT, WIDTH), int), np.zeros(1, np.int32)
    for i, j in np.ndindex(HEIGHT, WIDTH):
        along = np.array([(j + 0.5 - WIDTH / 2) * pixel, (HEIGHT / 2 - i - 0.5) * pixel, -1.0])
        mujoco.mj_ray(model, data, place, turn @ along, group, 1, -1, geom)
        numbers[i, j] = geom[0]
    return numbers


@pytest.mark.parametrize("camera", ["fixed", "trackcom", "mounted", "looks"])
def test_every_pixel_shows_the_geom_that_mj_ray_finds(camera):
    model = worlds.model()
    segment = jax.jit(make_segmenter(model, height=HEIGHT, width=WIDTH, camera=camera))
    seen = set()
    for data in worlds.states(model, 4):
        found, expected = np.array(segment(pose_of(data))), seen_by_mujoco(model, data, camera)
        same = (found == expected) | (found >= model.ngeom)
        assert same.mean() > 0.997  # a pixel's ray may graze an edge
        seen |= set(found.ravel().tolist())
    assert len(seen) > 5


def test_the_centre_of_a_ball_has_the_computed_colour():
    """Faces the camera and the headlight: ambient 0.4 + diffuse 0.4, and half of the specular 0.2."""
    model = worlds.model(BALL.format(blue="0", alpha="1"))
    image = make_renderer(model, height=33, width=33)(poses_of_reference(model))
    expected = 255 * (np.array([0.5, 0.4, 0.0]) * 0.8 + 0.1)
    np.testing.assert_allclose(image[16, 16], expected, atol=1.5)
    np.testing.assert_allclose(image[0, 0], [255 * 0.8, 0, 0], atol=20)  # the wall, off its highlight


def poses_of_reference(model):
    return pose_of(next(worlds.states(model, 1)))


def test_what_is_transparent_is_painted_twice_over_the_rest():
    opaque, half = (worlds.model(BALL.format(blue="1", alpha=alpha)) for alpha in ("1", ".4"))
    solid, clear = (make_renderer(m, height=33, width=33)(poses_of_reference(m)) for m in (opaque, half))
    wall = np.array(solid[16, 0], float)
    share = 1 - 0.6**2
    middle = share * np.array(solid[16, 16], float) + (1 - share) * np.array([255 * 0.9, 25.5, 25.5])
    np.testing.assert_allclose(clear[16, 16], middle, atol=3)
    np.testing.assert_allclose(clear[16, 0], wall, atol=1)


def test_batches_and_samples_agree_with_single_pictures():
    model = worlds.model(SMALL)
    batch = poses(model, 3)
    render = make_renderer(model, height=HEIGHT, width=WIDTH)
    images = jax.jit(jax.vmap(render))(batch)
    assert images.shape == (3, HEIGHT, WIDTH, 3) and images.dtype == jnp.uint8
    assert len({image.tobytes() for image in np.array(images)}) == 3
    alone = jax.jit(render)
    for i in range(3):
        assert almost_equal(images[i], alone(Pose(*(part[i] for part in batch))))
    fine = make_renderer(model, height=HEIGHT, width=WIDTH, samples=2)
    large = make_renderer(model, height=2 * HEIGHT, width=2 * WIDTH)
    pose = Pose(*(part[1] for part in batch))
    blocks = np.array(jax.jit(large)(pose), float).reshape(HEIGHT, 2, WIDTH, 2, 3).mean(axis=(1, 3))
    assert almost_equal(jax.jit(fine)(pose), blocks)


def almost_equal(first, second):
    """But for rounding, which may move the edge of a solid into the next pixel."""
    return (np.abs(np.array(first, float) - np.array(second, float)) > 1.1).mean() < 2e-3


@cache
def zoo_pictures():
    render = make_renderer(worlds.model(), height=HEIGHT, width=WIDTH, camera="fixed", samples=2)
    return np.array(jax.jit(jax.vmap(render))(poses(worlds.model(), 6)), int)


@pytest.mark.parametrize("shadows", [False, True])
def test_pictures_are_like_mujocos(tmp_path, shadows):
    """The same scene by OpenGL, which lights the corners of its triangles; shadows are not drawn here."""
    qpos = np.stack([data.qpos.copy() for data in worlds.states(worlds.model(), 6)])
    size = {"height": HEIGHT, "width": WIDTH}
    theirs = worlds.mujoco_pictures(tmp_path, worlds.ZOO, qpos, "fixed", shadows=shadows, **size).astype(int)
    assert np.abs(zoo_pictures() - theirs).mean() < 12


def test_programs_for_other_devices_and_in_single_precision():
    model = worlds.model(SMALL)
    batch = poses(model, 2)
    render = jax.jit(jax.vmap(make_renderer(model)))
    exported = jax.export.export(render, platforms=("tpu", "cuda", "cpu"))(batch)
    assert exported.platforms == ("tpu", "cuda", "cpu")
    assert "f64" not in exported.mlir_module()
    assert almost_equal(exported.call(batch), render(batch))


def test_an_empty_scene_is_black():
    model = worlds.model("<mujoco><worldbody><camera/></worldbody></mujoco>")
    assert not make_renderer(model, height=4, width=4)(poses_of_reference(model)).any()


def test_other_numbers_of_samples_are_refused():
    with pytest.raises(ConfigError, match="samples must be 1 or 2, got 3"):
        make_renderer(worlds.model(), samples=3)
