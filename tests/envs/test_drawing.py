"""Areas and places of the drawn shapes against geometry."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs import drawing

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
EXTENT, WIDTH, HEIGHT = 4.0, 400, 300
PIXEL = EXTENT / WIDTH
CENTRE = (0.5, -0.2)


def blank():
    return drawing.canvas(HEIGHT, WIDTH, BLACK, centre=CENTRE, extent=EXTENT)


def moments(page):
    """Area in square metres and centre of the white part."""
    weight = np.array(page.image[..., 0], np.float64)
    area = weight.sum()
    x = (weight * np.array(page.x)).sum() / area
    y = (weight * np.array(page.y)).sum() / area
    return area * PIXEL**2, (x, y)


SHAPES = {
    "disc": (lambda p: drawing.disc(p, (0.7, 0.1), 0.3, WHITE), np.pi * 0.09, (0.7, 0.1)),
    "ring": (lambda p: drawing.ring(p, (0.7, 0.1), 0.3, 0.1, WHITE), np.pi * 0.06, (0.7, 0.1)),
    "capsule": (
        lambda p: drawing.capsule(p, (0.0, 0.0), (0.6, 0.8), 0.1, WHITE),
        0.2 + np.pi * 0.01,
        (0.3, 0.4),
    ),
    "line": (
        lambda p: drawing.line(p, (0.0, 0.0), (1.0, 0.0), 0.05, WHITE),
        0.05 + np.pi * 0.025**2,
        (0.5, 0.0),
    ),
    "box": (lambda p: drawing.box(p, (0.4, -0.3), (0.5, 0.2), WHITE, angle=0.6), 0.4, (0.4, -0.3)),
    "round box": (
        lambda p: drawing.box(p, (0.4, -0.3), (0.5, 0.2), WHITE, corner=0.1),
        0.4 - (4 - np.pi) * 0.01,
        (0.4, -0.3),
    ),
    # a shaft of 0.7 x 0.1 and a head 0.3 long, whose slope of 3 in 4 makes it 0.225 to either side
    "arrow": (
        lambda p: drawing.arrow(p, (0.0, 0.0), (0.0, 1.0), 0.1, WHITE),
        0.07 + 0.3 * 0.225,
        (0.0, (0.07 * 0.35 + 0.3 * 0.225 * 0.8) / (0.07 + 0.3 * 0.225)),
    ),
    "half arc": (
        lambda p: drawing.arc(p, (0.5, 0.0), 0.5, 0.1, (0.0, np.pi), WHITE),
        np.pi * 0.5 * 0.1 + np.pi * 0.05**2,
        None,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_area_and_centre(shape):
    paint, area, centre = SHAPES[shape]
    found, place = moments(paint(blank()))
    np.testing.assert_allclose(found, area, rtol=0.01)
    if centre is not None:
        np.testing.assert_allclose(place, centre, atol=0.3 * PIXEL)


def test_arc_lies_between_its_angles_whichever_comes_first():
    pages = [drawing.arc(blank(), (0.0, 0.0), 1.0, 0.1, angles, WHITE) for angles in ((0.2, 1.2), (1.2, 0.2))]
    np.testing.assert_allclose(pages[0].image, pages[1].image, atol=1e-6)
    x, y = np.broadcast_arrays(pages[0].x, pages[0].y)
    painted = np.array(pages[0].image[..., 0]) > 0.5
    angles = np.arctan2(y[painted], x[painted])
    assert angles.min() == pytest.approx(0.2 - 0.05, abs=0.02)  # the round ends add half the thickness
    assert angles.max() == pytest.approx(1.2 + 0.05, abs=0.02)


def test_opacity_blends_and_edges_are_half_covered():
    page = drawing.disc(blank(), CENTRE, 0.5, WHITE, 0.25)
    np.testing.assert_allclose(page.image[HEIGHT // 2, WIDTH // 2], 0.25, atol=1e-6)
    edge = drawing.box(blank(), CENTRE, (PIXEL / 2, 1.0), WHITE)  # one pixel wide, between two columns
    np.testing.assert_allclose(edge.image[HEIGHT // 2, WIDTH // 2 - 1 : WIDTH // 2 + 1, 0], 0.5, atol=1e-4)


def test_pixels_round_and_the_background_fades():
    page = drawing.canvas(5, 2, (1.0, 0.5, 0.0), bottom=(0.0, 0.5, 1.0))
    np.testing.assert_array_equal(drawing.pixels(page)[:, 0], [
        [255, 128, 0], [191, 128, 64], [128, 128, 128], [64, 128, 191], [0, 128, 255],
    ])  # fmt: skip


def test_drawing_is_a_function_of_traced_positions():
    def picture(x):
        return drawing.pixels(drawing.disc(blank(), (x, 0.0), 0.3, WHITE))

    places = jnp.array([-0.5, 0.0, 1.0])
    frames = jax.jit(jax.vmap(picture))(places)
    for place, frame in zip(places, frames, strict=True):
        np.testing.assert_array_equal(frame, picture(place))
