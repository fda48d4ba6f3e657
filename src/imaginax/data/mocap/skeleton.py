"""Skeletons, and where their joints are: forward kinematics.

The same description serves both file formats. Joint j turns by

    G_j = G_parent(j)  A_j  M_j  A_j'         M_j: its elementary rotations, multiplied from left to right

and lies at

    p_j = p_parent(j) + G_carrier(j) (offset_j + moves_j)

In ASF a joint's point is the FAR end of its bone, which the bone's own rotation carries: carrier(j) = j. In
BVH it is the NEAR end, which the parent's rotation carries: carrier(j) = parent(j), and A_j is the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from imaginax.types import ConfigError

AXES = "xyz"


class Skeleton(NamedTuple):
    """J joints moved by D channels.

    Attributes:
        joints: names; parents come before their children, and joint 0 is the root.
        parents: of each joint, -1 for the root.
        carriers: the joint whose rotation carries the offset; -1 is the world.
        offsets: from the parent's point, where nothing is turned.
        frames: A_j, the axes about which the joint turns.
        turns: channel of each of the three factors of M_j, D for a factor that is missing.
        turn_axes: 0, 1 or 2: the factor turns about x, y or z.
        moves: channel added to x, y and z of the offset, D for none.
        channels: names such as `lfemur.rx` (degrees) or `root.ty` (the file's units of length).
        limits: smallest and greatest value of each channel, infinite where the file has none.
        metres: per unit of length.
    """

    joints: tuple[str, ...]
    parents: Int[np.ndarray, "J"]
    carriers: Int[np.ndarray, "J"]
    offsets: Float[np.ndarray, "J 3"]
    frames: Float[np.ndarray, "J 3 3"]
    turns: Int[np.ndarray, "J 3"]
    turn_axes: Int[np.ndarray, "J 3"]
    moves: Int[np.ndarray, "J 3"]
    channels: tuple[str, ...]
    limits: Float[np.ndarray, "D 2"]
    metres: float


class Motion(NamedTuple):
    """What a skeleton does.

    Attributes:
        values: of each channel in each frame, NaN where a file left one out; rotations in degrees.
        channels: names, as the skeleton has them.
        step_seconds: between two frames.
    """

    values: Float[np.ndarray, "T D"]
    channels: tuple[str, ...]
    step_seconds: float


class Joint(NamedTuple):
    """What a file says about one joint; `assemble` makes a skeleton of them.

    Attributes:
        name: of the joint or bone.
        parent: its name, empty for the root.
        offset: from the parent's point.
        dof: channels in the file's order: `tx ty tz rx ry rz` or some of them.
        order: of its rotations in M_j from left to right, such as `zyx`; every rotation of `dof` is in it.
        frame: A_j.
        own: whether the joint's own rotation carries the offset.
        limits: of the channels.
    """

    name: str
    parent: str
    offset: Float[np.ndarray, "3"]
    dof: tuple[str, ...]
    order: str
    frame: Float[np.ndarray, "3 3"]
    own: bool
    limits: Float[np.ndarray, "_ 2"]


class _Points(NamedTuple):
    """The joints placed so far, and the world after them."""

    rotations: Float[Array, "E *B 3 3"]
    positions: Float[Array, "E *B 3"]


def assemble(joints: Sequence[Joint], metres: float) -> Skeleton:
    """A skeleton of joints, each of which comes after its parent. The first is the root."""
    index = {joint.name: number for number, joint in enumerate(joints)}
    names = tuple(f"{joint.name}.{dof}" for joint in joints for dof in joint.dof)
    column = {name: number for number, name in enumerate(names)}
    turns = np.full((len(joints), 3), len(names))
    axes = np.zeros((len(joints), 3), int)
    moves = np.full((len(joints), 3), len(names))
    for number, joint in enumerate(joints):
        for place, axis in enumerate(joint.order):
            turns[number, place] = column[f"{joint.name}.r{axis}"]
            axes[number, place] = AXES.index(axis)
        for place, axis in enumerate(AXES):
            moves[number, place] = column.get(f"{joint.name}.t{axis}", len(names))
    parents = np.array([index.get(joint.parent, -1) for joint in joints])
    return Skeleton(
        joints=tuple(index),
        parents=parents,
        carriers=np.where([joint.own for joint in joints], np.arange(len(joints)), parents),
        offsets=np.stack([joint.offset for joint in joints]),
        frames=np.stack([joint.frame for joint in joints]),
        turns=turns,
        turn_axes=axes,
        moves=moves,
        channels=names,
        limits=np.concatenate([joint.limits for joint in joints]).reshape(-1, 2),
        metres=metres,
    )


def is_rotation(channel: str) -> bool:
    """Whether a channel is an angle in degrees, not a length."""
    return channel[-2] == "r"


def columns(skeleton: Skeleton, names: Sequence[str]) -> Int[np.ndarray, "N"]:
    """The places of channels.

    Raises:
        ConfigError: for a name that is no channel of the skeleton.
    """
    known = {name: number for number, name in enumerate(skeleton.channels)}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"channels {unknown} are not among the skeleton's: {', '.join(known)}")
    return np.array([known[name] for name in names], int)


def euler(order: str, degrees: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The product of rotations about the axes of `order` from left to right, for column vectors.

    Args:
        order: such as `zyx`.
        degrees: about x, y and z, whatever the order; anticlockwise seen from the axis' tip.
    """
    product = np.eye(3)
    for axis in map(AXES.index, order):
        identity, cross, outer = (term[axis] for term in _rodrigues(np.arange(3)))
        angle = np.deg2rad(degrees[axis])
        product = product @ (np.cos(angle) * identity + np.sin(angle) * cross + (1 - np.cos(angle)) * outer)
    return product


def forward_kinematics(
    skeleton: Skeleton, values: Float[Array, "*B D"] | Float[np.ndarray, "*B D"]
) -> Float[Array, "*B J 3"]:
    """Where the joints are, in the file's units of length. Differentiable, in the dtype of `values`.

    Args:
        skeleton: J joints and D channels.
        values: of the channels; rotations in degrees.

    Raises:
        ConfigError: if the number of channels is another.
    """
    if values.shape[-1] != len(skeleton.channels):
        raise ConfigError(f"values have {values.shape[-1]} channels, the skeleton {len(skeleton.channels)}")
    values = jnp.asarray(values)
    terms = [jnp.asarray(term, values.dtype) for term in _rodrigues(skeleton.turn_axes)]
    frames = jnp.asarray(skeleton.frames, values.dtype)
    padded = jnp.concatenate([values, jnp.zeros_like(values[..., :1])], -1)  # 0 for what is no channel
    local = _local_rotations(padded[..., skeleton.turns], terms, frames)
    offsets = jnp.asarray(skeleton.offsets, values.dtype) + padded[..., skeleton.moves]
    return _chain(local, offsets, jnp.asarray(skeleton.parents), jnp.asarray(skeleton.carriers))


@jax.jit
def _local_rotations(
    degrees: Float[Array, "*B J 3"], terms: list[Float[Array, "J 3 3 3"]], frames: Float[Array, "J 3 3"]
) -> Float[Array, "*B J 3 3"]:
    """A M A' of every joint."""
    angles = jnp.deg2rad(degrees)[..., None, None]
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    factors = cos * terms[0] + sin * terms[1] + (1 - cos) * terms[2]
    turned = _product(_product(factors[..., 0, :, :], factors[..., 1, :, :]), factors[..., 2, :, :])
    return _product(_product(frames, turned), frames.mT)


@jax.jit
def _chain(
    local: Float[Array, "*B J 3 3"],
    offsets: Float[Array, "*B J 3"],
    parents: Int[Array, "J"],
    carriers: Int[Array, "J"],
) -> Float[Array, "*B J 3"]:
    """Positions, from the root outwards. The world is one more joint at the end: index -1."""
    local, offsets = jnp.moveaxis(local, -3, 0), jnp.moveaxis(offsets, -2, 0)
    world = jnp.broadcast_to(jnp.eye(3, dtype=local.dtype), local[:1].shape)
    rotations = jnp.concatenate([jnp.zeros_like(local), world])
    points = _Points(rotations, jnp.zeros_like(rotations[..., 0]))
    joints = (jnp.arange(len(parents)), parents, carriers, local, offsets)
    points, _ = lax.scan(_place, points, joints)
    return jnp.moveaxis(points.positions[:-1], 0, -2)


def _place(points: _Points, joint: tuple[Array, ...]) -> tuple[_Points, None]:
    """Turns and places one joint, whose parent has been placed."""
    number, parent, carrier, local, offset = joint
    rotations = points.rotations.at[number].set(_product(points.rotations[parent], local))
    carried = _product(rotations[carrier], offset[..., None])[..., 0]
    return _Points(rotations, points.positions.at[number].set(points.positions[parent] + carried)), None


def _rodrigues(axes: Int[np.ndarray, "*S"]) -> list[Float[np.ndarray, "*S 3 3"]]:
    """I, [u]x and u u' of the unit vectors u: a rotation is cos I + sin [u]x + (1 - cos) u u'."""
    unit = np.eye(3)[axes]
    cross = np.cross(unit[..., None, :], np.eye(3)).mT
    outer = unit[..., :, None] * unit[..., None, :]
    return [np.broadcast_to(np.eye(3), outer.shape), cross, outer]


def _product(left: Float[Array, "*L"], right: Float[Array, "*R"]) -> Array:
    return jnp.matmul(left, right, precision=lax.Precision.HIGHEST)
