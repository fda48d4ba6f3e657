"""Rigid-body physics by MJX, MuJoCo's own algorithms in JAX: one function that advances a small state.

The stages of MJX are called one by one here, for two reasons:

- MJX follows a chain of bodies with products of quaternions. XLA's CPU compiler fuses those element-wise
  operations and recomputes each link's frame inside the next one's, exponentially in the depth: for an arm of
  seven joints that is 90% of the running time and most of the compilation. `kinematics` uses matrix
  products instead, which are not fused.
- The state is a few short vectors, not the hundreds of arrays of MJX's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

_SLIDE = 2  # MuJoCo's numbers for joints
_RK4 = 1  # and integrators


class BodyState(NamedTuple):
    """State of a system of rigid bodies.

    Attributes:
        q: joint positions in radians or metres.
        qd: their velocities.
        warmstart: accelerations of the last step, where the contact solver starts.
        sensors: what the model's sensors measured in the last physics step [Y]; None for a model without.
    """

    q: Float[Array, "Q"]
    qd: Float[Array, "Q"]
    warmstart: Float[Array, "Q"]
    sensors: PyTree = None


class Attached(NamedTuple):
    """Things fixed to bodies.

    Attributes:
        body: the body that each belongs to.
        offset: its centre in the body's frame.
        turn: its orientation there.
    """

    body: np.ndarray
    offset: np.ndarray
    turn: np.ndarray


class Layout(NamedTuple):
    """A kinematic tree of bodies (0 is the world), joints, geoms and sites; numpy, for it is fixed.

    Attributes:
        parent: of each body.
        offset: each body's origin in its parent's frame.
        turn: each body's orientation there.
        centre: its centre of mass, in its own frame.
        principal: its principal axes of inertia, as columns.
        joint_body: the body that each joint moves.
        slides: whether the joint is a slider; a hinge otherwise.
        pivot: where the joint's axis passes, in the frame of its body.
        axis: the joint's direction there.
        rest: the joint's position in the reference pose.
        geoms: where the geoms are.
        sites: and the sites.
    """

    parent: np.ndarray
    offset: np.ndarray
    turn: np.ndarray
    centre: np.ndarray
    principal: np.ndarray
    joint_body: np.ndarray
    slides: np.ndarray
    pivot: np.ndarray
    axis: np.ndarray
    rest: np.ndarray
    geoms: Attached
    sites: Attached


class System(NamedTuple):
    """A loaded model.

    Attributes:
        mj_model: MuJoCo's.
        model: MJX's.
        data: MJX's working memory, in the reference pose.
        layout: the kinematic tree.
        frames: physics steps to one control.
    """

    mj_model: Any
    model: Any
    data: Any
    layout: Layout
    frames: int


def layout(model: Any) -> Layout:
    """The kinematic tree of MuJoCo's model."""
    return Layout(
        parent=model.body_parentid,
        offset=_single(model.body_pos),
        turn=_matrices(model.body_quat),
        centre=_single(model.body_ipos),
        principal=_matrices(model.body_iquat),
        joint_body=model.jnt_bodyid,
        slides=model.jnt_type == _SLIDE,
        pivot=_single(model.jnt_pos),
        axis=_single(model.jnt_axis),
        rest=_single(model.qpos0),
        geoms=Attached(model.geom_bodyid, _single(model.geom_pos), _matrices(model.geom_quat)),
        sites=Attached(model.site_bodyid, _single(model.site_pos), _matrices(model.site_quat)),
    )


def _single(field: np.ndarray) -> np.ndarray:
    return field.astype(np.float32)


def _matrices(quaternions: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 3 3"]:
    """Rotation matrices of unit quaternions [w, x, y, z]."""
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows, np.float32).transpose(2, 0, 1)


def resting(q: Float[Array, "Q"], qd: Float[Array, "Q"], *, sensors: int = 0) -> BodyState:
    """A first state, in which each of the `sensors` shows 0."""
    return BodyState(q, qd, jnp.zeros_like(q), jnp.zeros(sensors, q.dtype) if sensors else None)


def advance(system: System, state: BodyState, control: Float[Array, "A"]) -> BodyState:
    """One control period: `frames` physics steps; the motors clip the constant control to their range."""
    integrate = _runge_kutta_step if system.mj_model.opt.integrator == _RK4 else _euler_step

    def step(state: BodyState, _) -> tuple[BodyState, None]:
        return integrate(system, state, control), None

    with jax.default_matmul_precision("highest"):  # accelerators would round to fewer bits
        return jax.lax.scan(step, state, length=system.frames)[0]


def _runge_kutta_step(system: System, state: BodyState, control: Float[Array, "A"]) -> BodyState:
    """The classical fourth-order step; a scan over its stages, as each copy takes seconds to compile."""
    dt = system.mj_model.opt.timestep

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
    sensors = data.sensordata if system.mj_model.nsensor else None
    return BodyState(data.qpos, data.qvel, data.qacc_warmstart, sensors)


def _forward(system: System, state: BodyState, control: Float[Array, "A"]) -> Any:
    """MJX's forward dynamics; of the sensors only those that need accelerations and contact forces."""
    from mujoco import mjx

    model = system.model
    data = system.data.replace(qpos=state.q, qvel=state.qd, qacc_warmstart=state.warmstart, ctrl=control)
    data = mjx.com_pos(model, kinematics(system, data))
    if system.mj_model.ntendon:
        data = mjx.tendon(model, data)
    for stage in (mjx.crb, mjx.factor_m, mjx.collision, mjx.make_constraint, mjx.transmission):
        data = stage(model, data)
    for stage in (mjx.fwd_velocity, mjx.fwd_actuation, mjx.fwd_acceleration):
        data = stage(model, data)
    if not data._impl.efc_J.size:
        return data.replace(qacc=data.qacc_smooth)
    data = mjx.solve(model, data)
    return mjx.sensor_acc(model, data) if system.mj_model.nsensor else data


def kinematics(system: System, data: Any) -> Any:
    """MJX's data with the places and orientations of bodies, joints, geoms and sites for its `qpos`.

    The joints are sliders and hinges; MJX's quaternions of the bodies, which nothing here reads, are left
    alone.
    """
    layout = system.layout
    turns, places = [jnp.eye(3, dtype=data.qpos.dtype)], [jnp.zeros(3, data.qpos.dtype)]
    anchors, axes = [], []
    for body in range(1, len(layout.parent)):
        parent = layout.parent[body]
        place = places[parent] + _dot(turns[parent], layout.offset[body])
        turn = _dot(turns[parent], layout.turn[body])
        for joint in np.flatnonzero(layout.joint_body == body):
            anchor, axis = _displaced(place, turn, layout.pivot[joint]), _dot(turn, layout.axis[joint])
            position = data.qpos[joint]
            if layout.rest[joint]:
                position = position - layout.rest[joint]
            if layout.slides[joint]:
                place = place + position * axis
            else:
                turn = _dot(turn, _rotation(layout.axis[joint], position))
                place = _displaced(anchor, turn, -layout.pivot[joint])
            anchors.append(anchor)
            axes.append(axis)
        turns.append(turn)
        places.append(place)
    turn, place = jnp.stack(turns), jnp.stack(places)
    data = data.replace(
        xanchor=jnp.stack(anchors),
        xaxis=jnp.stack(axes),
        xpos=place,
        xmat=turn,
        xipos=place + _dot(turn, layout.centre[..., None])[..., 0],
        ximat=_dot(turn, layout.principal),
    )
    geom_place, geom_turn = _carried(place, turn, layout.geoms)
    data = data.replace(geom_xpos=geom_place, geom_xmat=geom_turn)
    if not len(layout.sites.body):
        return data
    site_place, site_turn = _carried(place, turn, layout.sites)
    return data.replace(site_xpos=site_place, site_xmat=site_turn)


def _displaced(place: Float[Array, "3"], turn: Float[Array, "3 3"], by: np.ndarray) -> Float[Array, "3"]:
    return place + _dot(turn, by) if by.any() else place


def _carried(
    place: Float[Array, "M 3"], turn: Float[Array, "M 3 3"], things: Attached
) -> tuple[Float[Array, "G 3"], Float[Array, "G 3 3"]]:
    """Places and orientations of things that bodies carry."""
    at = things.body
    return place[at] + _dot(turn[at], things.offset[..., None])[..., 0], _dot(turn[at], things.turn)


def _rotation(axis: np.ndarray, angle: Float[Array, ""]) -> Float[Array, "3 3"]:
    """Rodrigues' formula for a unit axis."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], np.float32)
    return jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * (cross @ cross)


def _dot(first: Array | np.ndarray, second: Array | np.ndarray) -> Array:
    return jnp.matmul(first, second, precision="highest")  # accelerators would round to fewer bits
