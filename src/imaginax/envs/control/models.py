"""How the control suite's models become MJX systems, and what all of them look like.

Every task's module writes its model as MJCF with the numbers of dm_control 1.0.50 (Apache License 2.0):
tests/envs/control/test_models.py compares each compiled model with the suite's. Three things differ, none of
which shows in the motion: geoms that can never touch are not tested for contact, MJX's solver stops after
the few iterations that it needs (the suite allows a hundred), and textures have fewer pixels.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

from imaginax.envs.mjx_physics import System, layout
from imaginax.types import ConfigError

# colours, the checkered floor, the sky and the light at the camera
LOOK = """
  <visual><headlight ambient=".4 .4 .4" diffuse=".8 .8 .8" specular=".1 .1 .1"/><map znear=".01"/></visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".4 .6 .8" rgb2="0 0 0" width="32" height="32"/>
    <texture name="grid" type="2d" builtin="checker" rgb1=".1 .2 .3" rgb2=".2 .3 .4" width="300" height="300"
      mark="edge" markrgb=".2 .3 .4"/>
    <material name="grid" texture="grid" texrepeat="1 1" texuniform="true" reflectance=".2"/>
    <material name="self" rgba=".7 .5 .3 1"/>
    <material name="effector" rgba=".7 .4 .2 1"/>
    <material name="decoration" rgba=".3 .5 .7 1"/>
    <material name="target" rgba=".6 .3 .3 1"/>
  </asset>
"""


def load(mjcf: str, *, name: str, control_period: float) -> System:
    """Builds a task's system.

    Args:
        mjcf: what is inside of the `mujoco` element, without `LOOK`.
        name: of the task.
        control_period: seconds between two actions, a multiple of the physics time step.

    Raises:
        ConfigError: MJX is not installed.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # MJX prints that the optional warp is missing
            mujoco: Any = importlib.import_module("mujoco")
            from mujoco import mjx
    except ModuleNotFoundError as error:
        raise ConfigError(f"{name} needs mujoco-mjx: pip install 'imaginax[control]'") from error
    mj_model = mujoco.MjModel.from_xml_string(f'<mujoco model="{name}">{LOOK}{mjcf}</mujoco>')
    model = mjx.put_model(mj_model, impl="jax")
    frames = round(control_period / mj_model.opt.timestep)
    return System(mj_model, model, mjx.make_data(model), layout(mj_model), frames)
