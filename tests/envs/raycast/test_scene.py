from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("brax")

from imaginax.envs.raycast.scene import scene  # noqa: E402
from imaginax.types import ConfigError  # noqa: E402
from tests.envs.raycast import worlds  # noqa: E402

EMPTY = "<mujoco>{}<worldbody>{}<camera name='only'/></worldbody></mujoco>"
MESH = '<asset><mesh name="m" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset>'


def test_what_is_hidden_or_clear_is_left_out_and_sites_are_drawn():
    model = worlds.model()
    numbers = scene(model).solids.number
    names = [model.geom(i).name for i in numbers if i < model.ngeom]
    assert names == ["floor", "wall", "box", "ball", "arm", "egg", "drum"]
    assert numbers[-1] == model.ngeom + model.site("mark").id


def test_lights_are_mujocos_with_the_headlight_first():
    model = worlds.model()
    head, sun, lamp, follows, points = scene(model).lights
    assert head.mount is None and not head.shadow and head.diffuse == pytest.approx(0.6)
    assert sun.directional and sun.shadow and sun.diffuse == pytest.approx(0.3)
    assert lamp.cutoff == pytest.approx(np.cos(np.pi / 4)) and lamp.exponent == 10
    np.testing.assert_allclose(lamp.attenuation, [1, 0.1, 0.02])
    assert follows.shadow and not points.shadow


def test_a_model_without_lights_is_lit_from_everywhere():
    dark = '<visual><headlight active="0"/></visual>'
    assert scene(worlds.model(EMPTY.format(dark, ""))).ambient == 0.3
    assert scene(worlds.model(EMPTY.format("", ""))).ambient == 0


def test_a_mesh_is_refused_by_name_and_a_hidden_one_is_not():
    geom = '<geom name="blob" type="mesh" mesh="m" group="{}"/>'
    with pytest.raises(ConfigError, match="geom blob is a mesh"):
        scene(worlds.model(EMPTY.format(MESH, geom.format(2))))
    assert scene(worlds.model(EMPTY.format(MESH, geom.format(3)))).solids.number == ()


@pytest.mark.parametrize(
    "camera, message", [("back", "called 'back'; the model has only"), (1, "-1 to 0 .* got 1")]
)
def test_unknown_cameras_are_refused(camera, message):
    with pytest.raises(ConfigError, match=message):
        scene(worlds.model(EMPTY.format("", "")), camera)


def test_cameras_that_have_no_angle_of_view_are_refused():
    lens = '<camera name="lens" sensorsize=".01 .01" focal=".02 .02" resolution="64 64"/>'
    with pytest.raises(ConfigError, match="camera lens must be a perspective one"):
        scene(worlds.model(EMPTY.format("", lens)), "lens")
    flat = '<camera name="flat" projection="orthographic"/>'
    with pytest.raises(ConfigError, match="camera flat must be a perspective one"):
        scene(worlds.model(EMPTY.format("", flat)), "flat")
