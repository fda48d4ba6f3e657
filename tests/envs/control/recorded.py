"""What benchmarks/peers/dm_control_suite.py recorded of dm_control's own tasks."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import numpy as np

from imaginax.envs.control import models
from imaginax.envs.control.tasks import TASKS

FOLDER = Path(__file__).parent / "reference"
NAMES = tuple(TASKS)


@cache
def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def model_numbers(name: str) -> dict[str, np.ndarray]:
    """Numbers of the suite's compiled model by field, flat."""
    file = recorded(name)
    ends = np.cumsum(file["model_sizes"])
    return dict(zip(file["model_names"].tolist(), np.split(file["model_values"], ends[:-1]), strict=True))


def module(name: str):
    return importlib.import_module(f"imaginax.envs.control.{TASKS[name][0]}")


@cache
def mj_model(name: str):
    """MuJoCo's model of a task, without MJX's."""
    import mujoco

    text = f'<mujoco model="{name}">{models.LOOK}{module(name).MJCF}</mujoco>'
    return mujoco.MjModel.from_xml_string(text)
