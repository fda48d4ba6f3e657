"""What the reacher and the pusher share: an arm of seven hinges, its kinematics and its picture.

The joints, from the base: shoulder pan (about z), shoulder lift (y), upper arm roll (x), elbow flex (y),
forearm roll (x), wrist flex (y), wrist roll (x); at zero the arm points along +x.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import drawing
from imaginax.envs.brax.physics import Solids
from imaginax.envs.drawing import BLUE, INK, ORANGE, PAPER, SHADE, STEEL, Canvas, Colour

SHOULDER = 0.1  # metres from the pan axis to the lift axis
UPPER_ARM = 0.4  # from there to the elbow
FOREARM = 0.321  # from there to the wrist
JOINTS = 7

# An orthographic view from above: the camera stands at the side of -y, a little towards +x.
_AZIMUTH, _ELEVATION = math.radians(20.0), math.radians(38.0)
_RIGHT = (math.cos(_AZIMUTH), math.sin(_AZIMUTH), 0.0)
_FLATTENING = math.sin(_ELEVATION)  # of circles on the ground
_UP = (-math.sin(_AZIMUTH) * _FLATTENING, math.cos(_AZIMUTH) * _FLATTENING, math.cos(_ELEVATION))
_TILE = 0.2  # metres between the lines on the ground
_SHADOW = 0.16
# eyes, trunk, shoulder and upper arm, elbow and forearm; then the hand
_COLOURS = (STEEL,) * 2 + (INK,) * 3 + (BLUE,) * 3 + (ORANGE,) * 3


def point_on_hand(
    angles: Float[Array, "*batch 7"], *, base: tuple[float, float, float], ahead: float
) -> Float[Array, "*batch 3"]:
    """World position of the point of the hand `ahead` metres beyond the wrist, on the hand's axis.

    The frame of the arm is turned joint by joint. The published formula for the reacher instead recovers each
    hinge's axis as a normalised cross product, which is undefined for a straight elbow, where episodes start,
    and takes the wrong sign for one bent backwards; inside the joints' ranges the two agree.

    Args:
        angles: joint angles in radians.
        base: where the pan axis meets the height of the shoulder.
        ahead: distance from the wrist in metres.
    """
    pan, lift, upper_roll, elbow, fore_roll, wrist, _ = jnp.moveaxis(angles, -1, 0)[..., None]
    x, y, z = (jnp.broadcast_to(axis, (*angles.shape[:-1], 3)) for axis in jnp.eye(3, dtype=angles.dtype))
    x, y = _turn(x, y, pan)
    point = jnp.asarray(base, angles.dtype) + SHOULDER * x
    z, x = _turn(z, x, lift)
    point = point + UPPER_ARM * x
    y, z = _turn(y, z, upper_roll)
    z, x = _turn(z, x, elbow)
    point = point + FOREARM * x
    y, z = _turn(y, z, fore_roll)
    z, x = _turn(z, x, wrist)
    return point + ahead * x


def _turn(first: Array, second: Array, angle: Array) -> tuple[Array, Array]:
    """Two axes of a frame after a turn of `angle` about the third, from the first towards the second."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * first + sin * second, cos * second - sin * first


def ground(centre: tuple[float, float, float], extent: float, level: float) -> Canvas:
    """An image whose middle shows `centre`, with a tiled ground at height `level`.

    Args:
        centre: a point of the world in metres.
        extent: the width of the image in metres.
        level: height of the ground.
    """
    middle = project(jnp.asarray(centre))
    page = drawing.canvas(192, 256, PAPER, centre=middle, extent=extent, bottom=SHADE)
    ahead = (page.y - level * _UP[2]) / _FLATTENING
    east = page.x * _RIGHT[0] - ahead * _RIGHT[1]
    north = page.x * _RIGHT[1] + ahead * _RIGHT[0]
    lines = jnp.maximum(_near_line(east, page.pixel), _near_line(north, page.pixel))
    aside = jnp.hypot(east - centre[0], north - centre[1])
    lines = 0.4 * lines * jnp.clip(1.6 - 1.9 * aside / extent, 0.0, 1.0)
    return _blend(page, lines, STEEL)


def project(point: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
    """Image coordinates in metres of a point in space."""
    return jnp.stack([point @ jnp.asarray(_RIGHT), point @ jnp.asarray(_UP)], axis=-1)


def shadow(page: Canvas, parts: Solids, level: float) -> Canvas:
    """The shadow on the ground of what is above it, under a light from straight above."""
    mask = page._replace(image=jnp.zeros_like(page.image))
    for start, end, radius in zip(parts.start, parts.end, parts.radius, strict=True):
        feet = (project(start.at[2].set(level)), project(end.at[2].set(level)))
        mask = drawing.capsule(mask, *feet, float(radius), (1.0, 1.0, 1.0))
    return _blend(page, _SHADOW * mask.image[..., 0], INK)


def ball(page: Canvas, centre: Float[Array, "3"], radius: float, level: float, colour: Colour) -> Canvas:
    """A ball with a plumb line down to a mark on the ground, which tells where in space it is."""
    foot, head = project(centre.at[2].set(level)), project(centre)
    page = plate(page, centre.at[2].set(level), radius, colour, 0.5)
    page = drawing.line(page, foot, head, 0.006, colour, 0.7)
    page = drawing.disc(page, head, 1.6 * radius, colour, 0.2)
    return drawing.disc(page, head, radius, colour)


def plate(
    page: Canvas, centre: Float[Array, "3"], radius: float, colour: Colour, opacity: float = 1.0
) -> Canvas:
    """A flat disc that lies on the ground."""
    x, y = project(centre)
    stretched = page._replace(y=page.y / _FLATTENING)
    painted = drawing.disc(stretched, (x, y / _FLATTENING), radius, colour, opacity)
    return page._replace(image=painted.image)


def cylinder(page: Canvas, axis: tuple[Array, Array], radius: float, colour: Colour) -> Canvas:
    """An upright cylinder between the two ends of its axis, lower one first."""
    bottom, top = project(axis[0]), project(axis[1])
    page = plate(page, axis[0], radius, colour)
    page = drawing.box(page, (bottom + top) / 2, (radius, (top - bottom)[1] / 2), colour)
    page = plate(page, axis[1], radius, colour)
    return plate(page, axis[1], 0.82 * radius, PAPER, 0.25)


def arm(page: Canvas, parts: Solids, solids: int) -> UInt8[Array, "192 256 3"]:
    """The finished image, with the first `solids` of the parts painted from the base to the hand."""
    colours = _COLOURS + (INK,) * (solids - len(_COLOURS))
    for start, end, radius, colour in zip(parts.start, parts.end, parts.radius, colours, strict=False):
        page = drawing.capsule(page, project(start), project(end), float(radius), colour)
    return drawing.pixels(page)


def _near_line(place: Float[Array, "H W"], pixel: float) -> Float[Array, "H W"]:
    distance = jnp.abs(place - _TILE * jnp.round(place / _TILE))
    return jnp.clip(1.0 - distance / pixel, 0.0, 1.0)


def _blend(page: Canvas, opacity: Float[Array, "H W"], colour: Colour) -> Canvas:
    opacity = opacity[..., None]
    return page._replace(image=page.image * (1 - opacity) + jnp.asarray(colour) * opacity)
