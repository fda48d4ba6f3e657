"""The two pictures that the analytic environments share: a cart with a pole, and a chain of links."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import drawing
from imaginax.envs.drawing import BLUE, GREEN, INK, ORANGE, PAPER, RED, SHADE, STEEL, Canvas, Point, Scalar


def cart_scene(
    cart: Scalar,
    end: Point,
    *,
    rail: float,
    target: Point,
    push: Scalar,
    thickness: float,
    stops: bool = True,
) -> UInt8[Array, "192 448 3"]:
    """A cart on a rail with a pole hinged at its centre.

    Args:
        cart: position along the rail in metres.
        end: the pole's free end.
        rail: the picture shows the positions from -rail to rail.
        target: where the free end should be.
        push: the force on the cart, as a share in [-1, 1] of its maximum.
        thickness: the pole's.
        stops: whether the rail ends at +-rail.
    """
    unit = 1.7 * thickness
    half = rail + 1.6 * unit if stops else 2 * rail
    page = drawing.canvas(
        192, 448, PAPER, extent=2.1 * rail + 5.2 * unit, bottom=SHADE, centre=(0.0, 0.04 * rail)
    )
    page = drawing.box(page, (0.0, -1.1 * unit), (half, 0.2 * unit), STEEL, corner=0.2 * unit)
    for place in (-rail, -rail / 2, 0.0, rail / 2, rail):
        page = drawing.box(page, (place, -1.6 * unit), (0.06 * unit, 0.25 * unit), STEEL, 0.7)
    if stops:
        for side in (-1.0, 1.0):
            centre = (side * (rail + 1.9 * unit), -0.3 * unit)
            page = drawing.box(page, centre, (0.3 * unit, 1.2 * unit), STEEL, corner=0.3 * unit)
    page = _target(page, target, unit)
    size = (1.6 * unit, 0.9 * unit)
    page = drawing.box(page, (cart, 0.0), size, INK, corner=0.4 * unit)
    edge = cart + jnp.sign(push) * 1.8 * unit
    page = drawing.arrow(page, (edge, 0.0), (push * 7 * unit, 0.0), 0.5 * unit, RED)
    page = drawing.capsule(page, (cart, 0.0), end, thickness / 2, ORANGE)
    page = drawing.disc(page, (cart, 0.0), 0.22 * thickness, PAPER)
    return drawing.pixels(page)


def link_scene(
    joints: Float[Array, "J 2"], *, target: tuple[float, float], torques: Float[Array, "L"]
) -> UInt8[Array, "224 224 3"]:
    """A chain of links that hangs from a fixed pivot.

    Args:
        joints: from the pivot, at the origin, to the free end, in metres.
        target: where the free end should be.
        torques: shares in [-1, 1] of the maximum at each link's inner joint; drawn as arcs
            that grow from the direction of the link.
    """
    reach = math.hypot(*target)
    unit = 0.05 * reach
    page = drawing.canvas(224, 224, PAPER, extent=2.4 * reach, bottom=SHADE)
    page = drawing.ring(page, (0.0, 0.0), reach, 0.3 * unit, STEEL, 0.35)
    page = _target(page, target, unit)
    for colour, inner, outer in zip((ORANGE, BLUE), joints[:-1], joints[1:], strict=False):
        page = drawing.capsule(page, inner, outer, unit, colour)
    for inner, outer, torque in zip(joints[:-1], joints[1:], torques, strict=True):
        ahead = jnp.arctan2(outer[1] - inner[1], outer[0] - inner[0])
        shown = jnp.clip(10 * jnp.abs(torque), 0.0, 1.0)
        sweep = (ahead, ahead + 1.8 * torque)
        page = drawing.arc(page, inner, 4 * unit, 0.9 * unit, sweep, RED, shown)
        page = drawing.disc(page, inner, 0.5 * unit, PAPER)
    page = drawing.disc(page, (0.0, 0.0), 1.5 * unit, INK)
    page = drawing.disc(page, (0.0, 0.0), 0.5 * unit, PAPER)
    return drawing.pixels(page)


def _target(page: Canvas, target: Point, unit: Scalar) -> Canvas:
    page = drawing.disc(page, target, 1.4 * unit, GREEN, 0.18)
    page = drawing.ring(page, target, 1.1 * unit, 0.3 * unit, GREEN)
    return drawing.disc(page, target, 0.4 * unit, GREEN)
