"""Two-dimensional drawing in pure JAX: shapes are signed distances, painted with anti-aliased edges.

A `Canvas` knows the world coordinates of its pixels (y upwards), so shapes are given in metres:

    page = canvas(160, 240, WHITE, centre=(0.0, 0.0), extent=3.0)
    page = capsule(page, (0.0, 0.0), tip, 0.05, RED)
    image = pixels(page)  # uint8 [160, 240, 3]

Positions, radii and opacities may be traced values, so an image is a function of an environment's state.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

Colour = tuple[float, float, float] | Float[Array, "3"]  # red, green, blue in [0, 1]
Scalar = Float[Array, ""] | float | int
Point = tuple[Scalar, Scalar] | Float[Array, "2"]

PAPER: Colour = (0.965, 0.968, 0.976)
SHADE: Colour = (0.890, 0.901, 0.925)
INK: Colour = (0.176, 0.204, 0.259)
STEEL: Colour = (0.545, 0.588, 0.663)
BLUE: Colour = (0.212, 0.420, 0.737)
ORANGE: Colour = (0.918, 0.467, 0.157)
GREEN: Colour = (0.200, 0.627, 0.420)
RED: Colour = (0.835, 0.243, 0.243)


class Canvas(NamedTuple):
    """An unfinished image.

    Attributes:
        image: colours in [0, 1], row 0 on top.
        x: world coordinate of each column's centre, in metres.
        y: world coordinate of each row's centre, in metres.
        pixel: edge of a pixel in metres.
    """

    image: Float[Array, "H W 3"]
    x: Float[Array, "1 W"]
    y: Float[Array, "H 1"]
    pixel: float


def canvas(
    height: int,
    width: int,
    colour: Colour,
    *,
    centre: Point = (0.0, 0.0),
    extent: float = 2.0,
    bottom: Colour | None = None,
) -> Canvas:
    """A plain image whose middle shows the world's `centre` and whose width spans `extent` metres.

    With `bottom` the colour fades from `colour` on top to `bottom` below.
    """
    pixel = extent / width
    x = centre[0] + (jnp.arange(width) - (width - 1) / 2)[None, :] * pixel
    y = centre[1] - (jnp.arange(height) - (height - 1) / 2)[:, None] * pixel
    fade = jnp.linspace(0.0, 1.0, height)[:, None, None]
    image = (1 - fade) * jnp.asarray(colour) + fade * jnp.asarray(bottom or colour)
    return Canvas(jnp.broadcast_to(image, (height, width, 3)), x, y, pixel)


def pixels(page: Canvas) -> UInt8[Array, "H W 3"]:
    """The finished image."""
    return jnp.round(255 * jnp.clip(page.image, 0, 1)).astype(jnp.uint8)


def disc(page: Canvas, centre: Point, radius: Scalar, colour: Colour, opacity: Scalar = 1.0) -> Canvas:
    """A filled circle."""
    distance = _length(page.x - centre[0], page.y - centre[1]) - radius
    return _paint(page, distance, colour, opacity)


def ring(
    page: Canvas, centre: Point, radius: Scalar, thickness: Scalar, colour: Colour, opacity: Scalar = 1.0
) -> Canvas:
    """A circle's outline."""
    distance = jnp.abs(_length(page.x - centre[0], page.y - centre[1]) - radius) - thickness / 2
    return _paint(page, distance, colour, opacity)


def arc(
    page: Canvas,
    centre: Point,
    radius: Scalar,
    thickness: Scalar,
    angles: Point,
    colour: Colour,
    opacity: Scalar = 1.0,
) -> Canvas:
    """A part of a circle with round ends, between two `angles` in radians (anticlockwise from +x)."""
    middle, half = (angles[0] + angles[1]) / 2, jnp.abs(angles[1] - angles[0]) / 2
    dx, dy = page.x - centre[0], page.y - centre[1]
    cos, sin = jnp.cos(middle), jnp.sin(middle)
    along, aside = cos * dx + sin * dy, jnp.abs(cos * dy - sin * dx)
    to_circle = jnp.abs(_length(dx, dy) - radius)
    to_end = _length(along - radius * jnp.cos(half), aside - radius * jnp.sin(half))
    distance = jnp.where(jnp.arctan2(aside, along) <= half, to_circle, to_end)
    return _paint(page, distance - thickness / 2, colour, opacity)


def capsule(
    page: Canvas, start: Point, end: Point, radius: Scalar, colour: Colour, opacity: Scalar = 1.0
) -> Canvas:
    """A thick segment with round ends."""
    along = (end[0] - start[0], end[1] - start[1])
    from_start = (page.x - start[0], page.y - start[1])
    squared = along[0] ** 2 + along[1] ** 2
    share = (from_start[0] * along[0] + from_start[1] * along[1]) / jnp.maximum(squared, 1e-12)
    share = jnp.clip(share, 0.0, 1.0)
    distance = _length(from_start[0] - share * along[0], from_start[1] - share * along[1]) - radius
    return _paint(page, distance, colour, opacity)


def line(
    page: Canvas, start: Point, end: Point, width: Scalar, colour: Colour, opacity: Scalar = 1.0
) -> Canvas:
    """A segment `width` metres wide; never thinner than a pixel."""
    return capsule(page, start, end, jnp.maximum(width, page.pixel) / 2, colour, opacity)


def box(
    page: Canvas,
    centre: Point,
    half_size: Point,
    colour: Colour,
    opacity: Scalar = 1.0,
    *,
    angle: Scalar = 0.0,
    corner: Scalar = 0.0,
) -> Canvas:
    """A filled rectangle, turned by `angle` radians (anticlockwise), with corners of radius `corner`."""
    dx, dy = page.x - centre[0], page.y - centre[1]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    across = jnp.abs(cos * dx + sin * dy) - half_size[0] + corner
    up = jnp.abs(cos * dy - sin * dx) - half_size[1] + corner
    outside = _length(jnp.maximum(across, 0.0), jnp.maximum(up, 0.0))
    inside = jnp.minimum(jnp.maximum(across, up), 0.0)
    return _paint(page, outside + inside - corner, colour, opacity)


def arrow(
    page: Canvas, start: Point, vector: Point, width: Scalar, colour: Colour, opacity: Scalar = 1.0
) -> Canvas:
    """An arrow from `start` along `vector`; one too short for its head shrinks and fades away."""
    length = jnp.sqrt(vector[0] ** 2 + vector[1] ** 2 + 1e-12)
    direction = (vector[0] / length, vector[1] / length)
    head = jnp.minimum(3 * width, length)
    dx, dy = page.x - start[0], page.y - start[1]
    along = dx * direction[0] + dy * direction[1]
    aside = jnp.abs(dy * direction[0] - dx * direction[1])
    shaft = jnp.maximum(jnp.maximum(aside - width / 2, -along), along - (length - head))
    tip = jnp.maximum(0.8 * aside + 0.6 * (along - length), length - head - along)
    fade = jnp.clip(length / (2 * width), 0.0, 1.0)
    return _paint(page, jnp.minimum(shaft, tip), colour, opacity * fade)


def _length(x: Array, y: Array) -> Float[Array, "H W"]:
    return jnp.sqrt(x * x + y * y)


def _paint(page: Canvas, distance: Float[Array, "H W"], colour: Colour, opacity: Scalar) -> Canvas:
    """Blends a colour where the signed distance is negative; half of it on the edge."""
    coverage = opacity * jnp.clip(0.5 - distance / page.pixel, 0.0, 1.0)[..., None]
    return page._replace(image=page.image * (1 - coverage) + jnp.asarray(colour) * coverage)
