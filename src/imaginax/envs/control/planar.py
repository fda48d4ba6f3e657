"""Geometry of mechanisms that move in the plane of x and z and turn about y.

A body turned by phi about +y carries a point (a, e) of its frame to (a cos phi + e sin phi,
e cos phi - a sin phi). Any weighted sum of the bodies' centres of mass is then the root's position plus one
such term a body: its `levers`, found once from the model, replace a pass through the kinematic tree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

_XZ = [0, 2]
_HINGE = 3  # MuJoCo's number


class Mechanism(NamedTuple):
    """A planar tree of bodies.

    Attributes:
        turns: makes of joint positions each body's angle about +y, and of joint velocities its rate.
        lever: each body's share (a, e) in the centre of mass of all.
    """

    turns: Float[np.ndarray, "M Q"]
    lever: Float[np.ndarray, "M 2"]


def mechanism(model: Any) -> Mechanism:
    """Reads MuJoCo's model; what `levers` says of the model holds here too."""
    turns = np.zeros((model.nbody, model.nv), np.float32)
    for body in range(1, model.nbody):
        turns[body] = turns[model.body_parentid[body]]
        for joint in np.flatnonzero((model.jnt_bodyid == body) & (model.jnt_type == _HINGE)):
            turns[body, joint] += model.jnt_axis[joint, 1]
    mass = model.body_mass[1:]
    return Mechanism(turns[1:], levers(model, mass / mass.sum()))


def levers(model: Any, weights: Float[np.ndarray, "M"]) -> Float[np.ndarray, "M 2"]:
    """Each body's share (a, e) in the weighted sum of the centres of mass, counted from the root's origin.

    The bodies form one tree, whose frames are parallel in the reference pose; the root's joints pass through
    its origin.
    """
    weights = np.concatenate([[0.0], weights])
    behind = weights.copy()  # of a body and all that it carries
    lever = weights[:, None] * model.body_ipos[:, _XZ]
    for body in range(model.nbody - 1, 1, -1):
        joint = np.flatnonzero(model.jnt_bodyid == body)[0]
        pivot = model.jnt_pos[joint, _XZ]
        parent = model.body_parentid[body]
        behind[parent] += behind[body]
        lever[parent] += behind[body] * (model.body_pos[body, _XZ] + pivot)
        lever[body] -= behind[body] * pivot
    return lever[1:].astype(np.float32)


def rises(
    lever: Float[np.ndarray, "M 2"], cos: Float[Array, "*b M"], sin: Float[Array, "*b M"]
) -> Float[Array, "*b M"]:
    """What each body adds to the weighted sum's height; times its rate about +y, to its speed along x."""
    a, e = jnp.asarray(lever).T
    return e * cos - a * sin


def forward_speed(
    body: Mechanism, angle: Float[Array, "*b M"], qd: Float[Array, "*b Q"], speed: Float[Array, "*b"]
) -> Float[Array, "*b"]:
    """Speed of the centre of mass along x, of bodies turned by `angle`, when the root's is `speed`."""
    rate = apply(body.turns, qd)
    return speed + jnp.sum(rate * rises(body.lever, jnp.cos(angle), jnp.sin(angle)), axis=-1)


def apply(turns: Float[np.ndarray, "M Q"], joints: Float[Array, "*b Q"]) -> Float[Array, "*b M"]:
    """`turns` of joint positions or velocities."""
    return jnp.matmul(joints, turns.T, precision="highest")  # accelerators would round to fewer bits


def rotate(angle: Float[Array, ""], points: Float[np.ndarray, "K 2"]) -> Float[Array, "K 2"]:
    """Points (x, z) of a body turned by `angle` about +y."""
    a, e = points[:, 0], points[:, 1]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([a * cos + e * sin, e * cos - a * sin], axis=-1)


def gap(first: Float[Array, "2 2"], second: Float[Array, "2 2"]) -> Float[Array, ""]:
    """Distance between two segments, each given by its ends; 0 where they cross."""
    ends = (*(_distance(end, second) for end in first), *(_distance(end, first) for end in second))
    nearest = jnp.min(jnp.stack(ends))
    return jnp.where(_divides(first, second) & _divides(second, first), 0.0, nearest)


def _distance(point: Float[Array, "2"], segment: Float[Array, "2 2"]) -> Float[Array, ""]:
    start, along = segment[0], segment[1] - segment[0]
    share = jnp.sum((point - start) * along) / jnp.maximum(jnp.sum(along**2), 1e-12)
    return jnp.linalg.norm(point - start - jnp.clip(share, 0.0, 1.0) * along)


def _divides(segment: Float[Array, "2 2"], other: Float[Array, "2 2"]) -> Bool[Array, ""]:
    """Whether the line through `segment` passes between the ends of `other`."""
    along = segment[1] - segment[0]
    side = [along[0] * (end - segment[0])[1] - along[1] * (end - segment[0])[0] for end in other]
    return side[0] * side[1] < 0
