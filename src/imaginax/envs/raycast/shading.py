"""The colour of what a ray meets: MuJoCo's lights on its materials, and the sky.

The formulas are those of OpenGL's fixed pipeline, which MuJoCo's renderer uses (OpenGL 2.1, section 2.14),
evaluated at every pixel. As there, a lit colour is at most 1 before the texture multiplies it, and what a
lamp that casts shadows gives is added in a pass of its own. Everything is in the frame of the camera, which
stands in the origin and looks along -z.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from imaginax.envs.raycast.materials import Material
from imaginax.envs.raycast.scene import Light
from imaginax.envs.raycast.vectors import Number, Vector, dot, minus, times, unit, vector


class Colour(NamedTuple):
    """The three channels."""

    red: Number
    green: Number
    blue: Number


class Lamps(NamedTuple):
    """The places of all lights, and the directions opposite to theirs."""

    place: Float[Array, "L 3"]
    back: Float[Array, "L 3"]


class Surface(NamedTuple):
    """A `Material` at every pixel; numbers where all materials agree."""

    colour: Colour
    texture: Colour
    specular: Number
    shininess: Number
    emission: Number


def surface(looks: Sequence[Material], index: Int[Array, "..."] | int, pattern: Number) -> Surface:
    """The material of every pixel.

    Args:
        looks: all materials.
        index: which of them.
        pattern: the share of a checker's first colour.
    """
    first, second, colour = (
        Colour(*(_pick(index, channel) for channel in zip(*colours, strict=True)))
        for colours in (
            [look.texture[0] for look in looks],
            [look.texture[1] for look in looks],
            [look.colour for look in looks],
        )
    )
    plain = all(look.texture[0] == look.texture[1] for look in looks)
    checkered = Colour(*(b + pattern * (a - b) for a, b in zip(first, second, strict=True)))
    return Surface(
        colour=colour,
        texture=first if plain else checkered,
        specular=_pick(index, [look.specular for look in looks]),
        shininess=_pick(index, [look.shininess for look in looks]),
        emission=_pick(index, [look.emission for look in looks]),
    )


def _pick(index: Int[Array, "..."] | int, values: Sequence[float]) -> Number:
    """values[index] as a chain of choices, which is faster than gathering from a few values."""
    if isinstance(index, int):
        return values[index]
    chosen: Number = values[0]
    for value in dict.fromkeys(values):
        if value != values[0]:
            here = [index == i for i, other in enumerate(values) if other == value]
            chosen = jnp.where(functools.reduce(operator.or_, here), value, chosen)
    return chosen


def lit(
    lights: Sequence[Light],
    lamps: Lamps,
    ambient: float,
    surface: Surface,
    point: Vector,
    normal: Vector,
) -> Colour:
    """The colour of points on a surface, each channel in [0, 1].

    Args:
        lights: all lights.
        lamps: where they are.
        ambient: light from everywhere.
        surface: what the points are made of.
        point: their places.
        normal: of length 1.
    """
    eye = unit(times(-1.0, point))
    shared = [colour * (surface.emission + ambient) for colour in surface.colour]
    total: list[Number] = [0.0, 0.0, 0.0]
    for i, light in enumerate(lights):
        added = _light(light, vector(lamps.place[i]), vector(lamps.back[i]), surface, point, normal, eye)
        if light.shadow:
            total = [so_far + jnp.minimum(more, 1.0) for so_far, more in zip(total, added, strict=True)]
        else:
            shared = [so_far + more for so_far, more in zip(shared, added, strict=True)]
    return Colour(
        *(
            jnp.minimum((jnp.minimum(first, 1.0) + rest) * texture, 1.0)
            for first, rest, texture in zip(shared, total, surface.texture, strict=True)
        )
    )


def _light(
    light: Light, place: Vector, back: Vector, surface: Surface, point: Vector, normal: Vector, eye: Vector
) -> Colour:
    """What one light adds: ambient, diffuse and, by Blinn's half vector, specular."""
    strength: Number = 1.0
    towards = back
    if not light.directional:
        way = minus(place, point)
        distance = jnp.sqrt(dot(way, way))
        towards = times(1 / distance, way)
        strength = _strength(light, distance, dot(towards, back))
    facing = jnp.maximum(dot(normal, towards), 0.0)
    shine: Number = 0.0
    if light.specular.any():
        half = unit(Vector(towards.x + eye.x, towards.y + eye.y, towards.z + eye.z))
        mirrored = _power(jnp.maximum(dot(normal, half), 0.0), surface.shininess)
        shine = jnp.where(facing > 0, surface.specular * mirrored, 0.0)
    lamp = zip(light.ambient.tolist(), light.diffuse.tolist(), light.specular.tolist(), strict=True)
    return Colour(
        *(
            strength * (colour * (ambient + diffuse * facing) + specular * shine)
            for colour, (ambient, diffuse, specular) in zip(surface.colour, lamp, strict=True)
        )
    )


def _strength(light: Light, distance: Number, cosine: Number) -> Number:
    """How much of a lamp's light arrives at a distance, at an angle to the axis of its cone."""
    constant, linear, quadratic = light.attenuation.tolist()
    steady = linear == 0 and quadratic == 0
    strength = 1 / (constant if steady else constant + distance * (linear + distance * quadratic))
    if light.cutoff <= -1:
        return strength
    inside = _power(jnp.maximum(cosine, 0.0), light.exponent)
    return jnp.where(cosine >= light.cutoff, inside * strength, 0.0)


def _power(base: Number, exponent: Number) -> Number:
    """base ** exponent; a few products for a whole number, which `pow` is not."""
    if isinstance(exponent, float) and exponent.is_integer():
        return base ** int(exponent)
    return jnp.power(base, exponent)


def checker(repeat: tuple[float, float], x: Number, y: Number, width_x: Number, width_y: Number) -> Number:
    """The share of the first colour of a checker, averaged over a pixel: distant fields blur into their mean.

    Args:
        repeat: fields a metre.
        x: place in metres, from the left edge to the right.
        y: place in metres, from the upper edge down.
        width_x: extent of the pixel on the plane in metres.
        width_y: the same.
    """
    along, across = repeat
    return 0.5 + 0.5 * _wave(along * x, along * width_x) * _wave(across * y, across * width_y)


def _wave(place: Number, width: Number) -> Number:
    """The mean over an interval of a square wave, 1 on [0, 1) and -1 on [1, 2), from its integral."""
    width = jnp.maximum(width, 0.01)
    start, end = (place + side * width for side in (-0.5, 0.5))
    return (_ramp(start) - _ramp(end)) / width


def _ramp(place: Number) -> Number:
    """Falls from 1 to 0 on [0, 1], rises to 1 on [1, 2], and so on; `%` would be a call for every pixel."""
    return jnp.abs(place - 2 * jnp.floor(place / 2) - 1)


def overhead(colours: Float[np.ndarray, "P 3"], up: Vector, along: Vector) -> Colour:
    """The colour of the sky in a direction; `up` is the vertical."""
    sine = dot(up, along) / jnp.sqrt(dot(along, along))
    total = Colour(*(jnp.full(jnp.shape(sine), colour) for colour in colours[0].tolist()))
    for row in colours[1:].tolist():
        total = Colour(*(so_far * sine + colour for so_far, colour in zip(total, row, strict=True)))
    return total
