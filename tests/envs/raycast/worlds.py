"""Small models that the ray-caster's tests look at, and MuJoCo's own pictures of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mujoco
import numpy as np
import pytest

# Every shape, moving and fixed, two kinds of lights, a site, something hidden, and a camera of every mode.
ZOO = """
<mujoco>
  <visual>
    <headlight ambient=".4 .4 .4" diffuse=".6 .6 .6" specular=".1 .1 .1"/>
    <global azimuth="120" elevation="-30"/>
  </visual>
  <default><geom contype="0" conaffinity="0"/></default>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".4 .6 .8" rgb2="0 0 0" width="64" height="64"/>
    <texture name="grid" type="2d" builtin="checker" rgb1=".1 .2 .3" rgb2=".5 .6 .7" width="64" height="64"/>
    <material name="grid" texture="grid" texrepeat="2 2" texuniform="true"/>
    <material name="gold" rgba=".8 .6 .2 1" specular=".3" shininess=".25"/>
  </asset>
  <worldbody>
    <light name="sun" directional="true" dir="0 .6 -.8" diffuse=".3 .3 .3" specular=".1 .1 .1"/>
    <light name="lamp" pos="0 0 3" diffuse=".5 .4 .3" specular="0 0 0" attenuation="1 .1 .02"/>
    <camera name="fixed" pos="0 -3 1.5" xyaxes="1 0 0 0 .4 1"/>
    <geom name="floor" type="plane" size="1.4 1.2 .1" material="grid"/>
    <geom name="wall" type="plane" size="0 0 .1" pos="0 2.5 0" xyaxes="1 0 0 0 0 1" rgba=".4 .2 .2 1"/>
    <geom name="hidden" type="sphere" size=".5" pos="0 -1 1" group="3"/>
    <geom name="clear" type="sphere" size=".5" pos="0 -1 1" rgba="1 1 1 0"/>
    <body name="cart" pos="0 0 .6">
      <joint type="slide" axis="1 0 0"/>
      <joint type="hinge" axis="0 0 1"/>
      <camera name="track" mode="track" pos="0 -2.5 .5" xyaxes="1 0 0 0 0 1"/>
      <camera name="trackcom" mode="trackcom" pos="0 -2.5 .5" xyaxes="1 0 0 0 .2 1"/>
      <light name="follows" mode="trackcom" pos="0 0 2" diffuse=".2 .2 .2"/>
      <light name="points" mode="targetbody" target="arm" pos="1 0 2" diffuse=".2 .2 .2" castshadow="false"/>
      <geom name="box" type="box" size=".3 .2 .1" rgba=".2 .5 .8 1"/>
      <geom name="ball" type="sphere" size=".2" pos="-.6 0 .2" material="gold"/>
      <body name="arm" pos=".3 0 .2">
        <joint type="hinge" axis="0 1 0"/>
        <camera name="mounted" pos="0 -2 .3" xyaxes="1 0 .1 0 .3 1"/>
        <geom name="arm" type="capsule" fromto="0 0 0 .1 .1 .5" size=".06" material="gold"/>
        <body name="hand" pos=".1 .1 .5">
          <joint type="hinge" axis="1 0 0"/>
          <geom name="egg" type="ellipsoid" size=".1 .2 .15" pos="0 0 .2" rgba=".3 .7 .3 1"/>
          <geom name="drum" type="cylinder" size=".12 .15" pos=".3 0 0" euler="30 20 0" rgba=".7 .3 .6 1"/>
          <site name="mark" type="box" size=".05 .06 .07" pos="0 -.2 .4" rgba="1 0 0 1"/>
        </body>
      </body>
    </body>
    <camera name="looks" mode="targetbody" target="hand" pos="1 -2.5 2"/>
    <camera name="looks_com" mode="targetbodycom" target="cart" pos="-1 -2.5 1"/>
  </worldbody>
</mujoco>
"""

_PICTURES = """
import sys, mujoco, numpy as np
source, target, camera, height, width = sys.argv[1:6]
model = mujoco.MjModel.from_xml_path(source)
data = mujoco.MjData(model)
renderer = mujoco.Renderer(model, int(height), int(width))
images = []
for qpos in np.load(target):
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    renderer.update_scene(data, camera=camera)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(sys.argv[6])
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
    images.append(renderer.render().copy())
np.save(target, np.stack(images))
"""


@cache
def model(mjcf: str = ZOO) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(mjcf)


def states(model: mujoco.MjModel, count: int, seed: int = 0) -> Iterator[mujoco.MjData]:
    """MuJoCo's data in random poses after the reference pose; one object, changed in place."""
    rng = np.random.default_rng(seed)
    data = mujoco.MjData(model)
    for i in range(count):
        data.qpos[:] = model.qpos0 + (i > 0) * rng.normal(size=model.nq)
        mujoco.mj_forward(model, data)
        yield data


def mujoco_pictures(
    folder: Path, mjcf: str, qpos: np.ndarray, camera: str, *, height: int, width: int, shadows: bool
) -> np.ndarray:
    """MuJoCo's pictures of some poses [N, H, W, 3], made in another process; skips where no OpenGL works."""
    source, target = folder / "model.xml", folder / "pictures.npy"
    source.write_text(mjcf)
    arguments = [str(source), str(target), camera, str(height), str(width), str(int(shadows))]
    failures = []
    for backend in ("egl", "osmesa"):
        np.save(target, qpos)
        run = subprocess.run(
            [sys.executable, "-c", _PICTURES, *arguments],
            env=os.environ | {"MUJOCO_GL": backend},
            capture_output=True,
            text=True,
        )
        pictures = np.load(target)
        if pictures.ndim == 4:
            return pictures
        failures.append(f"{backend}: {(run.stderr.strip().splitlines() or ['nothing drawn'])[-1]}")
    pytest.skip("; ".join(["MuJoCo's renderer finds no OpenGL here", *failures]))
