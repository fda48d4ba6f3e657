"""Tasks of the DeepMind control suite (Tassa et al. 2018, arXiv 1801.00690) as JAX programs, on MJX physics.

Observations, rewards, time steps and starts are dm_control's, under names like `control_walker_walk`.
Needs the extra `control`.
"""

from __future__ import annotations

import importlib

from imaginax.envs.control.suite import Renderer, Task, data, environment, ray_caster
from imaginax.registry import CONTROL_TASKS as TASKS
from imaginax.types import Environment

__all__ = ["DREAMER_ACTION_REPEAT", "PLANET_ACTION_REPEAT", "TASKS", "data", "make", "ray_caster", "task"]

# Simulator steps for which PlaNet holds an action in its six tasks (Hafner et al. 2019, arXiv 1811.04551),
PLANET_ACTION_REPEAT = {
    "control_cartpole_swingup": 8,
    "control_reacher_easy": 4,
    "control_cheetah_run": 4,
    "control_finger_spin": 2,
    "control_cup_catch": 4,
    "control_walker_walk": 2,
}
# and Dreamer in all tasks (Hafner et al. 2020, arXiv 1912.01603)
DREAMER_ACTION_REPEAT = 2


def make(name: str, renderer: Renderer = ray_caster) -> Environment:
    """The environment called `name`, without the wrappers of `envs.make`.

    Args:
        name: one of `TASKS`.
        renderer: given MuJoCo's model, makes the function that draws MJX's data; default: our own ray-caster.

    Raises:
        ConfigError: MJX is not installed.
    """
    return environment(task(name), renderer)


def task(name: str) -> Task:
    """The parts of the task called `name`: its mechanism, starts, observation and reward."""
    module, maker = TASKS[name]
    return getattr(importlib.import_module(f"imaginax.envs.control.{module}"), maker)()
