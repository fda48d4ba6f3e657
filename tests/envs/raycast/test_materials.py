from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("brax")

from imaginax.envs.raycast import materials  # noqa: E402
from imaginax.envs.raycast.scene import scene  # noqa: E402
from imaginax.types import ConfigError  # noqa: E402
from tests.envs.raycast import worlds  # noqa: E402

TEXTURES = """
<mujoco>
  <asset>
    {sky}
    <texture name="checker" type="2d" builtin="checker" rgb1="1 0 0" rgb2="0 0 1" width="100" height="100"
      mark="edge" markrgb="0 1 0"/>
    <texture name="fade" type="2d" builtin="gradient" rgb1="1 1 0" rgb2="0 0 0" width="64" height="64"/>
    <texture name="cube" type="cube" builtin="flat" rgb1=".2 .4 .6" rgb2=".2 .4 .6" width="8" height="8"/>
    <material name="checker" texture="checker" texrepeat="3 4"/>
    <material name="uniform" texture="checker" texrepeat="3 4" texuniform="true"/>
    <material name="fade" texture="fade"/>
    <material name="cube" texture="cube" emission=".5"/>
    <material name="red" rgba="1 0 0 .5"/>
  </asset>
  <worldbody>
    <geom name="whole" type="plane" size="2 .5 1" material="checker"/>
    <geom name="metres" type="plane" size="2 .5 1" material="uniform"/>
    <geom name="endless" type="plane" size="0 0 1" material="checker"/>
    <geom name="fade" type="plane" size="1 1 1" material="fade"/>
    <geom name="mean" size=".1" material="checker"/>
    <geom name="cube" size=".1" material="cube"/>
    <geom name="red" size=".1" material="red"/>
    <geom name="own" size=".1" material="red" rgba="0 1 0 1"/>
    <geom name="plain" size=".1"/>
    <camera/>
  </worldbody>
</mujoco>
"""


def looks(name):
    model = worlds.model(TEXTURES.format(sky=""))
    solids = scene(model).solids
    i = solids.number.index(model.geom(name).id)
    return solids.look[i], solids.opacity[i]


@pytest.mark.parametrize(
    "name, repeat", [("whole", (1.5, 8.0)), ("metres", (3.0, 4.0)), ("endless", (3.0, 4.0))]
)
def test_checkers_have_two_colours_and_fields_of_mujocos_size(name, repeat):
    look = looks(name)[0]
    np.testing.assert_allclose(look.texture, [[1, 0, 0], [0, 0, 1]], atol=0.01)
    assert look.repeat == pytest.approx(repeat)


@pytest.mark.parametrize("name, mean", [("mean", (0.48, 0.04, 0.48)), ("cube", (0.2, 0.4, 0.6))])
def test_other_textures_are_their_mean(name, mean):
    look = looks(name)[0]
    assert look.repeat is None and look.texture[0] == look.texture[1]
    np.testing.assert_allclose(look.texture[0], mean, atol=0.01)


def test_a_picture_that_is_no_checker_is_not_taken_for_one():
    look = looks("fade")[0]
    assert look.repeat is None and look.texture[0] == look.texture[1]


def test_a_parts_own_colour_wins_unless_it_is_the_default():
    assert looks("red")[0].colour == (1, 0, 0) and looks("red")[1] == 0.5
    assert looks("own")[0].colour == (0, 1, 0) and looks("own")[1] == 1
    assert looks("plain")[0].colour == (0.5, 0.5, 0.5)
    assert looks("cube")[0].emission == 0.5 and looks("plain")[0].shininess == 64


def sky(texture):
    return materials.sky(worlds.model(TEXTURES.format(sky=texture)))


def test_the_sky_fades_from_the_zenith_to_the_nadir():
    colours = sky(
        '<texture type="skybox" builtin="gradient" rgb1=".4 .6 .8" rgb2="0 0 0" width="64" height="64"/>'
    )
    at = {sine: np.array([np.polyval(channel, sine) for channel in colours.T]) for sine in (-1, 0, 1)}
    np.testing.assert_allclose(at[1], [0.4, 0.6, 0.8], atol=0.05)
    np.testing.assert_allclose(at[0], [0.2, 0.3, 0.4], atol=0.01)
    np.testing.assert_allclose(at[-1], 0, atol=0.05)


def test_the_sky_is_black_without_a_texture_and_plain_with_one_face():
    np.testing.assert_array_equal(sky(""), np.zeros((1, 3)))
    flat = sky('<texture type="skybox" builtin="flat" rgb1=".2 .4 .6" rgb2=".2 .4 .6" width="8" height="8"/>')
    np.testing.assert_allclose(flat.sum(axis=0), [0.2, 0.4, 0.6], atol=0.01)


def test_a_skybox_of_another_layout_is_refused():
    class Odd:
        tex_type, tex_height, tex_width = np.array([2]), np.array([16]), np.array([8])
        tex_nchannel, tex_adr, tex_data = np.array([3]), np.array([0]), np.zeros(384, np.uint8)

    with pytest.raises(ConfigError, match="skybox is 16 x 8 pixels"):
        materials.sky(Odd())
