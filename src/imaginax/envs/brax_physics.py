"""The rigid-body physics of the brax tasks: a system written as MJCF, and one function that advances it.

Of brax's four backends only MJX, MuJoCo's own algorithms in JAX, runs the published models as they are:
the other three refuse the reacher's Runge-Kutta integrator and the pusher's cylinder, and brax itself gives
the half-cheetah stronger motors and a finer time step on spring and positional. It is also not the slow one
that it seems: see `benchmark numbers` below.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.types import ConfigError

_SOLID_TYPES = (2, 3, 5)  # MuJoCo's numbers for sphere, capsule and cylinder


class BodyState(NamedTuple):
    """State of a system of rigid bodies.

    Attributes:
        q: joint positions in radians or metres.
        qd: their velocities.
        warmstart: accelerations of the last step, where the contact solver starts.
    """

    q: Float[Array, "Q"]
    qd: Float[Array, "Q"]
    warmstart: Float[Array, "Q"]


class System(NamedTuple):
    """A loaded model.

    Attributes:
        model: brax's system, which is an MJX model too.
        data: MJX's working memory, in the reference pose.
        frames: physics steps to one control.
    """

    model: Any
    data: Any
    frames: int


class Solids(NamedTuple):
    """Where the spheres, capsules and cylinders of a system are, in the order of its MJCF; metres."""

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
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # MJX prints that the optional warp is missing
            from brax.io import mjcf as loader
            from mujoco import mjx
    except ModuleNotFoundError as error:
        raise ConfigError(f"{task} needs brax: pip install 'imaginax[brax]'") from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Brax System, piplines and environments")
        model = loader.loads(mjcf)
    return System(model, mjx.make_data(model), frames)


def resting(q: Float[Array, "Q"], qd: Float[Array, "Q"]) -> BodyState:
    """A first state."""
    return BodyState(q, qd, jnp.zeros_like(q))


def advance(system: System, state: BodyState, control: Float[Array, "A"]) -> BodyState:
    """One control period: `frames` physics steps under a constant control, which the motors clip to their range."""
    from mujoco import mjx

    def step(data, _):
        return mjx.step(system.model, data), None

    data = system.data.replace(qpos=state.q, qvel=state.qd, qacc_warmstart=state.warmstart, ctrl=control)
    data, _ = jax.lax.scan(step, data, length=system.frames)
    return BodyState(data.qpos, data.qvel, data.qacc_warmstart)


def solids(system: System, q: Float[Array, "Q"]) -> Solids:
    """The axes of all solids with joints at `q`; a sphere's start is its end."""
    from mujoco import mjx

    data = mjx.kinematics(system.model, system.data.replace(qpos=q))
    kinds = np.asarray(system.model.geom_type)
    chosen = np.flatnonzero(np.isin(kinds, _SOLID_TYPES))
    size = np.asarray(system.model.geom_size, np.float32)[chosen]
    half = np.where(kinds[chosen] == _SOLID_TYPES[0], 0, size[:, 1])
    axis = data.geom_xmat[chosen, :, 2] * half[:, None]
    centre = data.geom_xpos[chosen]
    return Solids(centre - axis, centre + axis, size[:, 0])
