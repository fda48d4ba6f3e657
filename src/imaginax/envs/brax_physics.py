"""The rigid-body physics of the brax tasks: a system written as MJCF, and one function that advances it.

Of brax's four backends only MJX, MuJoCo's own algorithms in JAX, runs the published models as they are: the
other three refuse the reacher's Runge-Kutta integrator, and brax itself gives the half-cheetah other motors
and another time step on spring and positional. The stages of MJX are called one by one here, for two reasons:

- MJX follows a chain of bodies with products of quaternions. XLA's CPU compiler fuses those element-wise
  operations and recomputes each link's frame inside the next one's, exponentially in the depth: for an arm of
  seven joints that is 90% of the running time and most of the compilation. `kinematics` uses matrix
  products instead, which are not fused.
- The state is three short vectors, not the hundreds of arrays of brax's and MJX's own states.

The half-cheetah on two CPU cores of a busy machine, control steps a second with 1 and 64 worlds (seconds to
compile each): brax's spring 2400 and 6700 (12, 26), generalized 340 and 1900 (14, 23), positional 290 and
1000 (19, 86), MJX 320 and 1100 (21, 26); MJX as it is called here 900 and 2100 (11, 17).
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

_SPHERE, _CAPSULE = 2, 3  # MuJoCo's numbers for shapes,
_SLIDE = 2  # joints
_RK4 = 1  # and integrators


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


class Layout(NamedTuple):
    """A kinematic tree of bodies (0 is the world), joints and geoms; numpy, for it is fixed.

    Attributes:
        parent: of each body.
        offset: each body's origin in its parent's frame.
        turn: each body's orientation there.
        centre: its centre of mass, in its own frame.
        principal: its principal axes of inertia, as columns.
        joint_body: the body that each joint moves.
        slides: whether the joint is a slider; a hinge otherwise.
        axis: the joint's direction in the frame of its body.
        geom_body: the body that each geom belongs to.
        geom_offset: the geom's centre in the body's frame.
        geom_turn: its orientation there.
    """

    parent: np.ndarray
    offset: np.ndarray
    turn: np.ndarray
    centre: np.ndarray
    principal: np.ndarray
    joint_body: np.ndarray
    slides: np.ndarray
    axis: np.ndarray
    geom_body: np.ndarray
    geom_offset: np.ndarray
    geom_turn: np.ndarray


class System(NamedTuple):
    """A loaded model.

    Attributes:
        model: brax's system, which is an MJX model too.
        data: MJX's working memory, in the reference pose.
        layout: the kinematic tree.
        frames: physics steps to one control.
    """

    model: Any
    data: Any
    layout: Layout
    frames: int


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
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # MJX prints that the optional warp is missing
            from brax.io import mjcf as loader
            from mujoco import mjx
    except ModuleNotFoundError as error:
        raise ConfigError(f"{task} needs brax: pip install 'imaginax[brax]'") from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Brax System, piplines and environments")
        model = loader.loads(mjcf)
    return System(model, mjx.make_data(model), _layout(model.mj_model), frames)


def _layout(model: Any) -> Layout:
    def single(field: np.ndarray) -> np.ndarray:
        return field.astype(np.float32)

    return Layout(
        parent=model.body_parentid,
        offset=single(model.body_pos),
        turn=_matrices(model.body_quat),
        centre=single(model.body_ipos),
        principal=_matrices(model.body_iquat),
        joint_body=model.jnt_bodyid,
        slides=model.jnt_type == _SLIDE,
        axis=single(model.jnt_axis),
        geom_body=model.geom_bodyid,
        geom_offset=single(model.geom_pos),
        geom_turn=_matrices(model.geom_quat),
    )


def _matrices(quaternions: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 3 3"]:
    """Rotation matrices of unit quaternions [w, x, y, z]."""
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows, np.float32).transpose(2, 0, 1)


def resting(q: Float[Array, "Q"], qd: Float[Array, "Q"]) -> BodyState:
    """A first state."""
    return BodyState(q, qd, jnp.zeros_like(q))


def advance(system: System, state: BodyState, control: Float[Array, "A"]) -> BodyState:
    """One control period: `frames` physics steps; the motors clip the constant control to their range."""
    integrate = _runge_kutta_step if system.model.mj_model.opt.integrator == _RK4 else _euler_step

    def step(state: BodyState, _) -> tuple[BodyState, None]:
        return integrate(system, state, control), None

    return jax.lax.scan(step, state, length=system.frames)[0]


def _runge_kutta_step(system: System, state: BodyState, control: Float[Array, "A"]) -> BodyState:
    """The classical fourth-order step; a scan over its stages, as each copy takes seconds to compile."""
    dt = system.model.mj_model.opt.timestep

    def stage(carry: tuple[BodyState, BodyState], weights: Array) -> tuple[tuple[BodyState, BodyState], None]:
        slope, mean = carry
        reach, share = weights
        at = jax.tree.map(lambda x, dx: x + reach * dt * dx, state, slope)
        data = _forward(system, at, control)
        slope = BodyState(at.qd, data.qacc, jnp.zeros_like(at.qd))
        return (slope, jax.tree.map(lambda total, dx: total + share * dx, mean, slope)), None

    still = jax.tree.map(jnp.zeros_like, state)
    weights = jnp.array([[0, 1 / 6], [0.5, 1 / 3], [0.5, 1 / 3], [1, 1 / 6]], jnp.float32)
    (_, mean), _ = jax.lax.scan(stage, (still, still), weights)
    return jax.tree.map(lambda x, dx: x + dt * dx, state, mean)._replace(warmstart=mean.qd)


def _euler_step(system: System, state: BodyState, control: Float[Array, "A"]) -> BodyState:
    """Semi-implicit: joint damping acts at the end of the step."""
    from mujoco import mjx

    data = mjx.euler(system.model, _forward(system, state, control))
    return BodyState(data.qpos, data.qvel, data.qacc_warmstart)


def _forward(system: System, state: BodyState, control: Float[Array, "A"]) -> Any:
    """MJX's forward dynamics for models without tendons, sensors and cameras."""
    from mujoco import mjx

    model = system.model
    data = system.data.replace(qpos=state.q, qvel=state.qd, qacc_warmstart=state.warmstart, ctrl=control)
    data = kinematics(system, data)
    for stage in (mjx.com_pos, mjx.crb, mjx.factor_m, mjx.collision, mjx.make_constraint, mjx.transmission):
        data = stage(model, data)
    for stage in (mjx.fwd_velocity, mjx.fwd_actuation, mjx.fwd_acceleration, mjx.solve):
        data = stage(model, data)
    return data


def kinematics(system: System, data: Any) -> Any:
    """MJX's data with the places and orientations of bodies, joints and geoms for its `qpos`.

    The joints are sliders and hinges through the origins of their bodies; MJX's quaternions of the bodies,
    which nothing here reads, are left alone.
    """
    layout = system.layout
    turns, places = [jnp.eye(3, dtype=data.qpos.dtype)], [jnp.zeros(3, data.qpos.dtype)]
    anchors, axes = [], []
    for body in range(1, len(layout.parent)):
        parent = layout.parent[body]
        place = places[parent] + _dot(turns[parent], layout.offset[body])
        turn = _dot(turns[parent], layout.turn[body])
        for joint in np.flatnonzero(layout.joint_body == body):
            axis = _dot(turn, layout.axis[joint])
            if layout.slides[joint]:
                place = place + data.qpos[joint] * axis
            else:
                turn = _dot(turn, _rotation(layout.axis[joint], data.qpos[joint]))
            anchors.append(place)
            axes.append(axis)
        turns.append(turn)
        places.append(place)
    turn, place = jnp.stack(turns), jnp.stack(places)
    at = layout.geom_body
    return data.replace(
        xanchor=jnp.stack(anchors),
        xaxis=jnp.stack(axes),
        xpos=place,
        xmat=turn,
        xipos=place + _dot(turn, layout.centre[..., None])[..., 0],
        ximat=_dot(turn, layout.principal),
        geom_xpos=place[at] + _dot(turn[at], layout.geom_offset[..., None])[..., 0],
        geom_xmat=_dot(turn[at], layout.geom_turn),
    )


def _rotation(axis: np.ndarray, angle: Float[Array, ""]) -> Float[Array, "3 3"]:
    """Rodrigues' formula for a unit axis."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], np.float32)
    return jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * (cross @ cross)


def _dot(first: Array | np.ndarray, second: Array | np.ndarray) -> Array:
    return jnp.matmul(first, second, precision="highest")  # accelerators would round to fewer bits


def solids(system: System, q: Float[Array, "Q"]) -> Solids:
    """The axes of all solids with joints at `q`; a sphere's start is its end."""
    data = kinematics(system, system.data.replace(qpos=q))
    model = system.model.mj_model
    chosen = np.flatnonzero(np.isin(model.geom_type, (_SPHERE, _CAPSULE)))
    size = model.geom_size[chosen].astype(np.float32)
    half = np.where(model.geom_type[chosen] == _SPHERE, 0, size[:, 1])
    axis = data.geom_xmat[chosen, :, 2] * half[:, None]
    centre = data.geom_xpos[chosen]
    return Solids(centre - axis, centre + axis, size[:, 0])
