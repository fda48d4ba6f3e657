"""The rigid-body physics of the brax tasks: a system written as MJCF for brax, on `envs.mjx_physics`.

Of brax's four backends only MJX, MuJoCo's own algorithms in JAX, runs the published models as they are: the
other three refuse the reacher's Runge-Kutta integrator, and brax itself gives the half-cheetah other motors
and another time step on spring and positional.

The half-cheetah on two CPU cores of a busy machine, control steps a second with 1 and 64 worlds (seconds to
compile each): brax's spring 2400 and 6700 (12, 26), generalized 340 and 1900 (14, 23), positional 290 and
1000 (19, 86), MJX 320 and 1100 (21, 26); MJX as it is called here 900 and 2100 (11, 17).
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from imaginax.envs.mjx_physics import System, kinematics, layout
from imaginax.types import ConfigError

_SPHERE, _CAPSULE = 2, 3  # MuJoCo's numbers for shapes


class Solids(NamedTuple):
    """Where the spheres and capsules of a system are, in the order of its MJCF; metres."""

    start: Float[Array, "G 3"]
    end: Float[Array, "G 3"]
    radius: Float[np.ndarray, "G"]


def load(mjcf: str, *, frames: int, task: str) -> System:
    """Builds a system.

    Args:
        mjcf: the model, in MuJoCo's XML.
        frames: physics steps to one control.
        task: what needs it, for the error's message.

    Raises:
        ConfigError: brax is not installed.
    """
    with quiet(task):
        from brax.io import mjcf as loader
        from mujoco import mjx

        model = loader.loads(mjcf)
    return System(model.mj_model, model, mjx.make_data(model), layout(model.mj_model), frames)


@contextlib.contextmanager
def quiet(task: str) -> Iterator[None]:
    """Imports and calls brax without its notices: no warp, old solvers, a plea to move to other packages.

    Args:
        task: what needs brax, for the error's message.

    Raises:
        ConfigError: brax is not installed.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Brax System, piplines and environments")
            warnings.filterwarnings("ignore", message="JAXopt is no longer maintained")
            warnings.filterwarnings("ignore", message="Accessing `\\w+` directly from `Data` is deprecated")
            yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"{task} needs brax: pip install 'imaginax[brax]'") from error


def solids(system: System, q: Float[Array, "Q"]) -> Solids:
    """The axes of all solids with joints at `q`; a sphere's start is its end."""
    data = kinematics(system, system.data.replace(qpos=q))
    model = system.mj_model
    chosen = np.flatnonzero(np.isin(model.geom_type, (_SPHERE, _CAPSULE)))
    size = model.geom_size[chosen].astype(np.float32)
    half = np.where(model.geom_type[chosen] == _SPHERE, 0, size[:, 1])
    axis = data.geom_xmat[chosen, :, 2] * half[:, None]
    centre = data.geom_xpos[chosen]
    return Solids(centre - axis, centre + axis, size[:, 0])
