"""Motion capture as moving stick figures: one view from the side, one from ahead and above.

    positions = skeleton.metres * forward_kinematics(skeleton, motion.values)
    frames = stick_figure(positions, skeleton.parents, limb_sides(skeleton.joints))

The camera goes along with the root; strips on the ground, half a metre apart, show how it moves.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from imaginax.envs import drawing
from imaginax.types import ConfigError

_COLOURS = (drawing.ORANGE, drawing.INK, drawing.BLUE, drawing.STEEL)  # right, middle, left, the other figure
_GREY = 3
_STRIP = 0.5  # metres between two strips
_STRIPS = 12
_HALF_PATH = 0.35  # metres: half the width of the path


@dataclasses.dataclass(frozen=True)
class StickFigureConfig:
    """How the pictures look.

    Attributes:
        height: height of a frame in pixels.
        width: width of one view in pixels.
        views: yaw and elevation of the cameras in degrees: 0, 0 is level, at the figure's right hand.
        thickness: thickness of a limb in metres.
        fps: frames a second of an animation, at most.
    """

    height: int = 200
    width: int = 200
    views: tuple[tuple[float, float], ...] = ((0.0, 5.0), (50.0, 18.0))
    thickness: float = 0.035
    fps: float = 30.0

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if getattr(self, name) < 8:
                raise ConfigError(f"{name} must be at least 8, got {getattr(self, name)}")
        if not self.views:
            raise ConfigError("views must not be empty")
        for name in ("thickness", "fps"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")


class _Stage(NamedTuple):
    """Where the figure walks: orthonormal directions, and what a picture has to show, in metres."""

    ahead: Float[Array, "3"]
    right: Float[Array, "3"]
    ground: Float[Array, ""]
    size: Float[Array, ""]


class _Shapes(NamedTuple):
    """Segments in the order in which they are painted, seen by a camera."""

    starts: Float[Array, "*T K 2"]
    ends: Float[Array, "*T K 2"]
    colours: Float[Array, "*T K 3"]
    radii: Float[Array, "*T K"]


def limb_sides(joints: Sequence[str]) -> Int[np.ndarray, "J"]:
    """1 for joints of the left side, -1 for those of the right, 0 for the others.

    A name is one of a side if it has a partner on the other: `lfemur` and `rfemur`, `LeftLeg` and `RightLeg`.
    """
    swaps = {"l": "r", "r": "l", "L": "R", "R": "L", "left": "right", "right": "left"}
    swaps |= {"Left": "Right", "Right": "Left"}
    known = set(joints)

    def side(name: str) -> int:
        for mine, other in swaps.items():
            if name.startswith(mine) and other + name[len(mine) :] in known:
                return 1 if mine[0] in "lL" else -1
        return 0

    return np.array([side(name) for name in joints])


@functools.partial(jax.jit, static_argnames="config")
def stick_figure(
    positions: Float[Array, "T J 3"] | Float[np.ndarray, "T J 3"],
    parents: Int[Array, "J"] | Int[np.ndarray, "J"],
    sides: Int[Array, "J"] | Int[np.ndarray, "J"],
    original: Float[Array, "T J 3"] | Float[np.ndarray, "T J 3"] | None = None,
    *,
    config: StickFigureConfig = StickFigureConfig(),
) -> UInt8[Array, "T H W 3"]:
    """Frames of a figure: its left limbs are blue, its right ones orange.

    Args:
        positions: of the joints in metres, y upwards.
        parents: of each joint, -1 for the root, which is joint 0.
        sides: from `limb_sides`.
        original: a second figure, in grey behind the first: what was reconstructed.
        config: how the pictures look.

    Returns:
        Images with the views beside each other.
    """
    positions = jnp.asarray(positions, jnp.float32)
    other = positions[:, :0] if original is None else jnp.asarray(original, jnp.float32)
    parents, sides = jnp.asarray(parents), jnp.asarray(sides)
    stage = _stage(positions, other)
    views = []
    for yaw, elevation in config.views:
        camera = _camera(stage, yaw, elevation)
        centre = (_focus(positions[:, 0], stage) @ camera.T)[:, None, :2]
        shapes = _shapes(positions, other, parents, sides, stage, camera, config.thickness)
        shapes = shapes._replace(
            starts=(shapes.starts - centre) / stage.size,
            ends=(shapes.ends - centre) / stage.size,
            radii=shapes.radii / stage.size,
        )
        views.append(lax.map(functools.partial(_picture, config=config), shapes))
    return jnp.concatenate(views, axis=2)


# ----------------------------------------------------------------- geometry


def _stage(positions: Float[Array, "T J 3"], other: Float[Array, "T G 3"]) -> _Stage:
    """Ahead is where the root goes, or z where it stays; the ground is the lowest point ever."""
    everything = jnp.concatenate([positions, other], 1)
    way = (positions[-1, 0] - positions[0, 0]) * jnp.array([1.0, 0.0, 1.0])
    length = jnp.linalg.norm(way)
    z = jnp.array([0.0, 0.0, 1.0])
    ahead = jnp.where(length > 0.2, way / jnp.maximum(length, 0.2), z)
    ground = everything[..., 1].min()
    spread = jnp.abs(everything - positions[:, :1])[..., jnp.array([0, 2])].max()
    size = 1.25 * jnp.maximum(everything[..., 1].max() - ground, 2 * spread)
    up = jnp.array([0.0, 1.0, 0.0])
    return _Stage(ahead, jnp.cross(ahead, up), ground, jnp.maximum(size, 1e-3))


def _camera(stage: _Stage, yaw: float, elevation: float) -> Float[Array, "3 3"]:
    """Rows: what is to the right in the picture, what is up, and what is nearer."""
    turn, tip = np.deg2rad(yaw), np.deg2rad(elevation)
    up = jnp.array([0.0, 1.0, 0.0])
    nearer = np.cos(turn) * stage.right + np.sin(turn) * stage.ahead
    across = np.cos(turn) * stage.ahead - np.sin(turn) * stage.right
    return jnp.stack(
        [across, np.cos(tip) * up - np.sin(tip) * nearer, np.cos(tip) * nearer + np.sin(tip) * up]
    )


def _focus(root: Float[Array, "*T 3"], stage: _Stage) -> Float[Array, "*T 3"]:
    """The point in the middle of a picture: below or above the root, at half the height shown."""
    return root.at[..., 1].set(stage.ground + 0.4 * stage.size)


def _shapes(
    positions: Float[Array, "T J 3"],
    other: Float[Array, "T G 3"],
    parents: Int[Array, "J"],
    sides: Int[Array, "J"],
    stage: _Stage,
    camera: Float[Array, "3 3"],
    thickness: float,
) -> _Shapes:
    """Ground, then the other figure, then the figure with its nearest bones last."""
    parts = [_path(positions[:, 0], stage, camera)]
    colours = jnp.asarray(_COLOURS)
    for points, kinds in ((other, jnp.full_like(sides, _GREY)), (positions, sides + 1)):
        if not points.shape[1]:
            continue
        seen = points @ camera.T
        starts = seen[:, jnp.maximum(parents, 0)]
        order = jnp.argsort(starts[..., 2] + seen[..., 2], axis=1)[..., None]
        ends, starts = (jnp.take_along_axis(ends, order, 1)[..., :2] for ends in (seen, starts))
        radii = jnp.full(ends.shape[:2], thickness / 2)
        parts.append(_Shapes(starts, ends, colours[kinds][order[..., 0]], radii))
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays, 1), *parts)


def _path(root: Float[Array, "T 3"], stage: _Stage, camera: Float[Array, "3 3"]) -> _Shapes:
    """Two long edges and the strips across, of the ground near the root."""
    along = (root - root[:1]) @ stage.ahead
    places = (jnp.arange(_STRIPS) - _STRIPS // 2) * _STRIP + (jnp.floor(along / _STRIP) * _STRIP)[:, None]
    origin = (root[0] * jnp.array([1.0, 0.0, 1.0])).at[1].set(stage.ground)
    middle = origin + places[..., None] * stage.ahead
    aside = _HALF_PATH * stage.right
    starts = jnp.concatenate([middle - aside, middle[:, :1] - aside, middle[:, :1] + aside], 1)
    ends = jnp.concatenate([middle + aside, middle[:, -1:] - aside, middle[:, -1:] + aside], 1)
    starts, ends = (points @ camera.T for points in (starts, ends))
    shape = starts.shape[:2]
    colours = jnp.broadcast_to(jnp.asarray(drawing.SHADE), (*shape, 3))
    return _Shapes(starts[..., :2], ends[..., :2], colours, jnp.full(shape, 0.012))


def _picture(shapes: _Shapes, config: StickFigureConfig) -> UInt8[Array, "H W 3"]:
    """One view of one frame. Its smaller edge shows a length of 1."""
    extent = config.width / min(config.width, config.height)
    page = drawing.canvas(config.height, config.width, drawing.PAPER, extent=extent)
    page, _ = lax.scan(_paint, page, shapes)
    return drawing.pixels(page)


def _paint(page: drawing.Canvas, shape: _Shapes) -> tuple[drawing.Canvas, None]:
    radius = jnp.maximum(shape.radii, 0.6 * page.pixel)
    return drawing.capsule(page, shape.starts, shape.ends, radius, shape.colours), None
