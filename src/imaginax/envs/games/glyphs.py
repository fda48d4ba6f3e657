"""Shapes of pieces: chessmen of a few strokes, and capital letters of 5x7 dots."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from imaginax.envs.drawing import Canvas, Colour, Scalar, box, capsule, disc

# A shape stands on y = -0.36 in a square of edge 1 round the origin. Discs: x, y, radius. Boxes: x, y, half
# width, half height. Strokes: from x, y to x, y, radius.
_FOOT = (("box", 0.0, -0.32, 0.27, 0.05),)
_CHESSMEN = {
    "P": (
        ("disc", 0.0, 0.10, 0.13),
        ("stroke", 0.0, 0.05, 0.0, -0.25, 0.07),
        ("stroke", -0.13, -0.24, 0.13, -0.24, 0.07),
    ),
    "N": (
        ("stroke", 0.12, -0.22, 0.14, 0.08, 0.12),
        ("stroke", 0.10, 0.14, -0.04, 0.22, 0.10),
        ("stroke", -0.02, 0.16, -0.22, 0.00, 0.08),
        ("stroke", 0.00, 0.24, 0.04, 0.34, 0.04),
        ("stroke", -0.08, -0.24, 0.16, -0.24, 0.08),
    ),
    "B": (
        ("disc", 0.0, 0.33, 0.05),
        ("stroke", 0.0, 0.16, 0.0, 0.02, 0.13),
        ("stroke", 0.0, 0.00, 0.0, -0.22, 0.07),
        ("stroke", -0.14, -0.23, 0.14, -0.23, 0.06),
    ),
    "R": (
        ("box", 0.0, -0.06, 0.14, 0.20),
        ("box", 0.0, 0.14, 0.21, 0.05),
        ("box", -0.16, 0.23, 0.05, 0.06),
        ("box", 0.0, 0.23, 0.05, 0.06),
        ("box", 0.16, 0.23, 0.05, 0.06),
        ("box", 0.0, -0.24, 0.20, 0.05),
    ),
    "Q": (
        ("stroke", -0.16, -0.16, -0.26, 0.20, 0.05),
        ("stroke", -0.06, -0.16, -0.09, 0.26, 0.05),
        ("stroke", 0.06, -0.16, 0.09, 0.26, 0.05),
        ("stroke", 0.16, -0.16, 0.26, 0.20, 0.05),
        ("disc", -0.26, 0.22, 0.06),
        ("disc", -0.09, 0.28, 0.06),
        ("disc", 0.09, 0.28, 0.06),
        ("disc", 0.26, 0.22, 0.06),
        ("box", 0.0, -0.15, 0.20, 0.10),
    ),
    "K": (
        ("box", 0.0, 0.28, 0.035, 0.12),
        ("box", 0.0, 0.29, 0.10, 0.035),
        ("disc", -0.13, 0.04, 0.13),
        ("disc", 0.13, 0.04, 0.13),
        ("box", 0.0, -0.12, 0.18, 0.14),
    ),
}

# Each row of seven is five dots, the leftmost the highest bit.
_LETTERS = {
    "B": (0x1E, 0x11, 0x11, 0x1E, 0x11, 0x11, 0x1E),
    "C": (0x0E, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0E),
    "E": (0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F),
    "G": (0x0E, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0F),
    "K": (0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11),
    "L": (0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F),
    "N": (0x11, 0x19, 0x19, 0x15, 0x13, 0x13, 0x11),
    "P": (0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10),
    "R": (0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11),
    "S": (0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E),
}


def chessman(page: Canvas, letter: str, colour: Colour, outline: Colour, width: float = 0.025) -> Canvas:
    """A chessman of `colour`, within an outline of `width` squares."""
    for grown, paint in ((width, outline), (-width, colour)):
        for shape in (*_FOOT, *_CHESSMEN[letter]):
            page = _shape(page, shape, grown, paint)
    return page


def _shape(page: Canvas, shape: tuple, grown: float, colour: Colour) -> Canvas:
    kind, *numbers = shape
    if kind == "disc":
        x, y, radius = numbers
        return disc(page, (x, y), radius + grown, colour)
    if kind == "box":
        x, y, width, height = numbers
        return box(page, (x, y), (width + grown, height + grown), colour)
    x0, y0, x1, y1, radius = numbers
    return capsule(page, (x0, y0), (x1, y1), radius + grown, colour)


def letter(
    page: Canvas, name: str, colour: Colour, *, height: Scalar = 0.5, upside_down: bool = False
) -> Canvas:
    """A capital letter in the middle of the page."""
    dot = height / 7
    turn = -1 if upside_down else 1
    for row, bits in enumerate(_LETTERS[name]):
        for column in range(5):
            if bits >> (4 - column) & 1:
                centre = (turn * (column - 2) * dot, turn * (3 - row) * dot)
                page = box(page, centre, (0.54 * dot, 0.54 * dot), colour)
    return page


def tag(page: Canvas, colour: Colour, edge: Colour, *, upside_down: bool = False) -> Canvas:
    """The five-sided tile of shogi, pointing at the opponent."""
    turn = -1 if upside_down else 1
    for grown, paint in ((0.02, edge), (0.0, colour)):
        y = turn * page.y
        sides = jnp.maximum(jnp.abs(page.x) + 0.16 * y - 0.34, 0.45 * jnp.abs(page.x) + y - 0.42)
        distance = jnp.maximum(sides, -y - 0.42) - grown
        page = _fill(page, distance, paint)
    return page


def _fill(page: Canvas, distance: Array, colour: Colour) -> Canvas:
    cover = jnp.clip(0.5 - distance / page.pixel, 0.0, 1.0)[..., None]
    return page._replace(image=page.image * (1 - cover) + jnp.asarray(colour) * cover)
