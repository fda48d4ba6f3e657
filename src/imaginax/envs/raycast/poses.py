"""Where everything in a scene is: all of it follows from the places of the bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# MuJoCo's numbers for what a camera or light does when its body moves (mjtCamLight); 0 is fixed to it.
_TRACK, _TRACK_COM, _TARGET, _TARGET_COM = 1, 2, 3, 4


class Pose(NamedTuple):
    """Places and orientations of all bodies, the world first, then of loose geoms, in the world's frame.

    Attributes:
        place: origins of the bodies' frames in metres.
        turn: their axes, as columns.
    """

    place: Float[Array, "N 3"]
    turn: Float[Array, "N 3 3"]


class Frames(NamedTuple):
    """Places and orientations of some parts in one common frame."""

    place: Float[Array, "G 3"]
    turn: Float[Array, "G 3 3"]


class Mount(NamedTuple):
    """How a camera or light is fixed to the bodies; numpy, for it never changes.

    Attributes:
        mode: one of MuJoCo's numbers, mjtCamLight.
        body: that carries it.
        place: its place in the body's frame.
        turn: its axes there, as columns; a light shines along its -z.
        place0: its place relative to the body in the reference pose, in the world's axes, for `track`.
        place_com0: the same, relative to the centre of mass of the body's subtree.
        turn0: its axes in the reference pose.
        mass: the share of each body's mass in that of the subtree of its own body.
        target: the body at which it looks.
        target_mass: the share of each body's mass in that of the target's subtree.
        centre: centres of mass of all bodies, each in its own frame.
    """

    mode: int
    body: int
    place: Float[np.ndarray, "3"]
    turn: Float[np.ndarray, "3 3"]
    place0: Float[np.ndarray, "3"]
    place_com0: Float[np.ndarray, "3"]
    turn0: Float[np.ndarray, "3 3"]
    mass: Float[np.ndarray, "N"]
    target: int
    target_mass: Float[np.ndarray, "N"]
    centre: Float[np.ndarray, "N 3"]


def pose_of(data: Any, loose: Sequence[int] = ()) -> Pose:
    """The pose in MJX's data, in MuJoCo's, or in the pipeline state of brax's MJX backend.

    MuJoCo computes it before it integrates: after a step it is one time step older than `qpos`.

    Args:
        data: with the places of all bodies.
        loose: numbers of geoms that move without a body, in the order in which the renderer was given them.
    """
    places, turns = _single(data.xpos), _single(data.xmat).reshape(-1, 3, 3)
    if not loose:
        return Pose(places, turns)
    others = np.array(loose)
    moved, turned = _single(data.geom_xpos)[others], _single(data.geom_xmat).reshape(-1, 3, 3)[others]
    return Pose(jnp.concatenate([places, moved]), jnp.concatenate([turns, turned]))


def pose_of_brax(state: Any) -> Pose:
    """The pose in a pipeline state of any brax backend, whose links are the bodies without the world."""
    world = Pose(jnp.zeros((1, 3)), jnp.eye(3)[None])
    links = Pose(_single(state.x.pos), matrices(_single(state.x.rot)))
    return Pose(*(jnp.concatenate(pair) for pair in zip(world, links, strict=True)))


def _single(array: Any) -> Array:
    return jnp.asarray(array, jnp.float32)


def matrices(quaternions: Float[Array, "N 4"]) -> Float[Array, "N 3 3"]:
    """Rotation matrices of unit quaternions [w, x, y, z]."""
    rows = _rotation_rows(*(quaternions[:, i] for i in range(4)))
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def fixed_matrices(quaternions: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 3 3"]:
    """The same in numpy."""
    rows = _rotation_rows(*(quaternions[:, i] for i in range(4)))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2).astype(np.float32)


def _rotation_rows(w: Any, x: Any, y: Any, z: Any) -> list[list[Any]]:
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]


def attached(
    pose: Pose,
    body: np.ndarray,
    place: Float[np.ndarray, "G 3"],
    turn: Float[np.ndarray, "G 3 3"],
) -> Frames:
    """The world frames of parts with a fixed place and orientation on their bodies."""
    carrier = pose.turn[body]
    return Frames(pose.place[body] + product(carrier, place[..., None])[..., 0], product(carrier, turn))


def mounted(pose: Pose, mount: Mount) -> tuple[Float[Array, "3"], Float[Array, "3 3"]]:
    """The place and the axes of a camera or light in the world's frame."""
    if mount.mode == _TRACK:
        return pose.place[mount.body] + mount.place0, jnp.asarray(mount.turn0)
    if mount.mode == _TRACK_COM:
        return _mean_place(pose, mount, mount.mass) + mount.place_com0, jnp.asarray(mount.turn0)
    carrier = pose.turn[mount.body]
    place = pose.place[mount.body] + product(carrier, mount.place[:, None])[:, 0]
    if mount.mode not in (_TARGET, _TARGET_COM):
        return place, product(carrier, mount.turn)
    centred = mount.mode == _TARGET_COM
    target = _mean_place(pose, mount, mount.target_mass) if centred else pose.place[mount.target]
    return place, _looking(place - target)


def _mean_place(pose: Pose, mount: Mount, mass: Float[np.ndarray, "N"]) -> Float[Array, "3"]:
    """The centre of mass of the bodies with these shares."""
    bodies = len(mount.centre)
    turn = pose.turn[:bodies]
    centres = pose.place[:bodies] + product(turn, mount.centre[..., None])[..., 0]
    return product(mass[None], centres)[0]


def _looking(back: Float[Array, "3"]) -> Float[Array, "3 3"]:
    """Axes whose z is `back` and whose x is level."""
    z = back / jnp.linalg.norm(back)
    x = jnp.cross(jnp.array([0.0, 0.0, 1.0]), z)
    x = x / jnp.linalg.norm(x)
    return jnp.stack([x, jnp.cross(z, x), z], axis=1)


def product(first: Array | np.ndarray, second: Array | np.ndarray) -> Array:
    """The matrix product, in full precision where accelerators would round to fewer bits."""
    return jnp.matmul(first, second, precision="highest")
