"""Where a ray enters one of MuJoCo's primitive shapes.

Every function takes the ray's origin and direction in the shape's own frame and the shape's `size` as MuJoCo
defines it (half lengths and radii in metres; https://mujoco.readthedocs.io/en/stable/XMLreference.html#body-geom).
The direction has any length, which is the unit of the distances. All are closed formulas without branches,
over rays of any shape.

A shape is seen from outside: a ray that starts inside it misses it, as MuJoCo's renderer culls back faces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.envs.raycast.vectors import Number, Vector, at, dot, times, unit

_TINY = 1e-12  # in place of a zero divisor

Size = tuple[float, float, float]


class Hit(NamedTuple):
    """The nearest point of a shape on each ray.

    Attributes:
        distance: from the origin in lengths of the direction; infinite where the ray misses.
        normal: of length 1 and outward, in the shape's frame; arbitrary where the ray misses.
    """

    distance: Float[Array, "..."]
    normal: Vector


def sphere(origin: Vector, along: Vector, size: Size) -> Hit:
    """A ball of radius size[0]."""
    distance, hits = _ball(origin, along, size[0])
    return _hit(distance, hits, times(1 / size[0], at(origin, distance, along)))


def capsule(origin: Vector, along: Vector, size: Size) -> Hit:
    """All points within size[0] of the segment from (0, 0, -size[1]) to (0, 0, size[1]).

    The ray enters the endless tube around the segment at some height, and the capsule where it enters the
    ball that lies in the tube at this height, limited to the segment.
    """
    radius, half = size[0], size[1]
    tube = _tube(origin, along, radius)[0]
    height = jnp.clip(origin.z + tube * along.z, -half, half)
    start = Vector(origin.x, origin.y, origin.z - height)
    distance, hits = _ball(start, along, radius)
    return _hit(distance, hits, times(1 / radius, at(start, distance, along)))


def ellipsoid(origin: Vector, along: Vector, size: Size) -> Hit:
    """Half axes size[0], size[1] and size[2]: a ball of radius 1 in coordinates divided by them."""
    start = Vector(*(x / axis for x, axis in zip(origin, size, strict=True)))
    step = Vector(*(x / axis for x, axis in zip(along, size, strict=True)))
    distance, hits = _ball(start, step, 1.0)
    point = at(start, distance, step)
    return _hit(distance, hits, unit(Vector(*(x / axis for x, axis in zip(point, size, strict=True)))))


def cylinder(origin: Vector, along: Vector, size: Size) -> Hit:
    """Radius size[0], from z = -size[1] to size[1]: what an endless tube and a slab have in common."""
    radius, half = size[0], size[1]
    tube_in, tube_out, hits = _tube(origin, along, radius)
    slab_in, slab_out = _slab(origin.z, along.z, half)
    distance = jnp.maximum(tube_in, slab_in)
    hits &= distance < jnp.minimum(tube_out, slab_out)
    flat = slab_in > tube_in
    point = at(origin, distance, along)
    side = (jnp.where(flat, 0.0, point.x / radius), jnp.where(flat, 0.0, point.y / radius))
    return _hit(distance, hits, Vector(*side, jnp.where(flat, _against(along.z), 0.0)))


def box(origin: Vector, along: Vector, size: Size) -> Hit:
    """Half edges size[0], size[1] and size[2]: what three slabs have in common."""
    (x_in, x_out), (y_in, y_out), (z_in, z_out) = (
        _slab(start, step, half) for start, step, half in zip(origin, along, size, strict=True)
    )
    distance = jnp.maximum(jnp.maximum(x_in, y_in), z_in)
    hits = distance < jnp.minimum(jnp.minimum(x_out, y_out), z_out)
    through_x = x_in == distance
    through_y = (y_in == distance) & ~through_x
    normal = Vector(
        jnp.where(through_x, _against(along.x), 0.0),
        jnp.where(through_y, _against(along.y), 0.0),
        jnp.where(through_x | through_y, 0.0, _against(along.z)),
    )
    return _hit(distance, hits, normal)


def plane(origin: Vector, along: Vector, size: Size) -> Hit:
    """The rectangle z = 0 with half edges size[0] and size[1], endless where 0; seen from above only."""
    distance = -origin.z / _nonzero(along.z)
    hits = jnp.asarray(along.z < 0)
    for start, step, half in zip(origin[:2], along[:2], size[:2], strict=True):
        if half > 0:
            hits &= jnp.abs(start + distance * step) <= half
    return _hit(distance, hits, Vector(0.0, 0.0, 1.0))


# By MuJoCo's numbers (mjtGeom).
SHAPES: dict[int, Callable[[Vector, Vector, Size], Hit]] = {
    0: plane,
    2: sphere,
    3: capsule,
    4: ellipsoid,
    5: cylinder,
    6: box,
}


def _hit(distance: Number, hits: Array, normal: Vector) -> Hit:
    return Hit(jnp.where(hits & (distance > 0), distance, jnp.inf), normal)


def _ball(origin: Vector, along: Vector, radius: float) -> tuple[Number, Array]:
    """The distance at which a ray enters a ball, of its middle where it misses it, and whether it hits."""
    a, b = dot(along, along), dot(origin, along)
    root = b * b - a * (dot(origin, origin) - radius * radius)
    return -(b + jnp.sqrt(jnp.maximum(root, 0.0))) / a, jnp.asarray(root >= 0)


def _tube(origin: Vector, along: Vector, radius: float) -> tuple[Number, Number, Array]:
    """The distances at which a ray enters and leaves an endless tube around the z axis; whether it does."""
    a = jnp.maximum(along.x * along.x + along.y * along.y, _TINY)
    b = origin.x * along.x + origin.y * along.y
    root = b * b - a * (origin.x * origin.x + origin.y * origin.y - radius * radius)
    width = jnp.sqrt(jnp.maximum(root, 0.0))
    return -(b + width) / a, (width - b) / a, jnp.asarray(root >= 0)


def _slab(start: Number, step: Number, half: float) -> tuple[Number, Number]:
    """The distances at which a ray enters and leaves the space between -half and half."""
    inverse = 1 / _nonzero(step)
    middle, width = -start * inverse, half * jnp.abs(inverse)
    return middle - width, middle + width


def _nonzero(number: Number) -> Number:
    return jnp.where(jnp.abs(number) < _TINY, _TINY, number)


def _against(step: Number) -> Number:
    return jnp.where(step > 0, -1.0, 1.0)
