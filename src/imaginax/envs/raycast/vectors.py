"""Vectors as three separate components, which may be numbers or arrays that broadcast against each other.

A picture's rays all start in one point, and their directions are a row and a column of numbers: written in
components nothing of the size of the picture is stored before the compiler has fused it all into one loop.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

Number = Float[Array, "..."] | float


class Vector(NamedTuple):
    """Three components."""

    x: Number
    y: Number
    z: Number


def vector(array: Float[Array, "3"]) -> Vector:
    """The components of an array."""
    return Vector(array[0], array[1], array[2])


def dot(first: Vector, second: Vector) -> Number:
    """The inner product."""
    return first.x * second.x + first.y * second.y + first.z * second.z


def at(origin: Vector, distance: Number, along: Vector) -> Vector:
    """origin + distance * along."""
    return Vector(*(start + distance * step for start, step in zip(origin, along, strict=True)))


def minus(first: Vector, second: Vector) -> Vector:
    """The difference."""
    return Vector(*(a - b for a, b in zip(first, second, strict=True)))


def times(scale: Number, v: Vector) -> Vector:
    """Another length."""
    return Vector(scale * v.x, scale * v.y, scale * v.z)


def unit(v: Vector) -> Vector:
    """The direction of a vector other than zero."""
    return times(1 / jnp.sqrt(dot(v, v)), v)


def turned(turn: Float[Array, "3 3"], v: Vector) -> Vector:
    """turn @ v."""
    return Vector(*(turn[i, 0] * v.x + turn[i, 1] * v.y + turn[i, 2] * v.z for i in range(3)))


def turned_back(turn: Float[Array, "3 3"], v: Vector) -> Vector:
    """turn.T @ v."""
    return Vector(*(turn[0, i] * v.x + turn[1, i] * v.y + turn[2, i] * v.z for i in range(3)))


def choose(first: Array, yes: Vector, no: Vector) -> Vector:
    """`yes` where `first`, else `no`."""
    return Vector(*(jnp.where(first, a, b) for a, b in zip(yes, no, strict=True)))
