from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs.raycast import shading
from imaginax.envs.raycast.materials import Material
from imaginax.envs.raycast.scene import Light
from imaginax.envs.raycast.vectors import Vector

WHITE = (1.0, 1.0, 1.0)
GREY = Material((0.5, 0.5, 0.5), (WHITE, WHITE), 0.0, 64.0, 0.0, None)


def light(**changes):
    black = np.zeros(3, np.float32)
    steady = np.array([1, 0, 0], np.float32)
    return Light(None, True, black, black, black, -1.0, 0.0, steady, False)._replace(**changes)


def shade(
    lights, place=(0.0, 0.0, 0.0), back=(0.0, 0.0, 1.0), *, look=GREY, ambient=0.0, normal=(0.0, 0.0, 1.0)
):
    """Red of a point 2 m before the camera, with every light at one place."""
    lamps = shading.Lamps(jnp.array([place] * len(lights)), jnp.array([back] * len(lights)))
    surface = shading.surface([look], 0, 1.0)
    point = Vector(0.0, 0.0, -2.0)
    return float(shading.lit(lights, lamps, ambient, surface, point, Vector(*normal))[0])


def colour(value):
    return np.full(3, value, np.float32)


def test_ambient_and_diffuse_light():
    sun = light(ambient=colour(0.2), diffuse=colour(0.6))
    assert shade([sun]) == pytest.approx(0.5 * 0.8)
    assert shade([sun], normal=(0.8, 0.0, 0.6)) == pytest.approx(0.5 * (0.2 + 0.6 * 0.6))
    assert shade([sun], normal=(0.0, 0.0, -1.0)) == pytest.approx(0.5 * 0.2)  # turned away
    assert shade([], ambient=0.3, look=GREY._replace(emission=0.5)) == pytest.approx(0.5 * 0.8)


def test_highlights_are_where_the_half_vector_is_the_normal():
    sun = light(specular=colour(0.8))
    shiny = GREY._replace(specular=0.5, shininess=10.0)
    assert shade([sun], look=shiny) == pytest.approx(0.4)
    aside = (np.sin(0.4), 0.0, np.cos(0.4))
    assert shade([sun], back=aside, look=shiny) == pytest.approx(0.4 * np.cos(0.2) ** 10, rel=1e-5)
    dull = shiny._replace(shininess=10.5)
    assert shade([sun], back=aside, look=dull) == pytest.approx(0.4 * np.cos(0.2) ** 10.5, rel=1e-5)


def test_lamps_fade_with_distance_and_outside_their_cone():
    lamp = light(directional=False, diffuse=colour(0.8), attenuation=np.array([1, 0.5, 0.25], np.float32))
    assert shade([lamp]) == pytest.approx(0.4 / (1 + 0.5 * 2 + 0.25 * 4))
    spot = light(directional=False, diffuse=colour(0.8), cutoff=0.8, exponent=3.0)
    assert shade([spot]) == pytest.approx(0.4)
    assert shade([spot], back=(0.436, 0.0, 0.9)) == pytest.approx(0.4 * 0.9**3)
    assert shade([spot], back=(0.714, 0.0, 0.7)) == 0


def test_lamps_that_cast_shadows_are_added_after_saturation():
    strong = light(diffuse=colour(3.0))
    checkered = GREY._replace(colour=WHITE, texture=((0.3, 0.3, 0.3), WHITE))
    assert shade([strong, strong], look=checkered) == pytest.approx(0.3)
    assert shade([strong, strong._replace(shadow=True)], look=checkered) == pytest.approx(0.6)
    assert shade([strong] + [strong._replace(shadow=True)] * 5, look=checkered) == 1


def test_each_pixel_has_its_own_material():
    red, green = GREY._replace(colour=(1.0, 0.0, 0.0)), GREY._replace(colour=(0.0, 1.0, 0.0), emission=1.0)
    index = jnp.array([[0, 1], [2, 0]])
    surface = shading.surface([red, green, red], index, 0.0)
    np.testing.assert_array_equal(surface.colour[0], [[1, 0], [1, 1]])
    np.testing.assert_array_equal(surface.emission, [[0, 1], [0, 0]])
    assert surface.specular == 0.0  # shared by all, so a number


def test_checkers_blur_into_their_mean():
    x = jnp.linspace(0.05, 3.95, 40)
    sharp = shading.checker((1.0, 0.5), x, jnp.array(0.3), jnp.array(0.01), jnp.array(0.01))
    expected = (np.floor(np.array(x)) % 2 == 0).astype(float)
    np.testing.assert_allclose(sharp, expected, atol=0.01)
    far = shading.checker((1.0, 0.5), x, jnp.array(2.3), jnp.array(40.0), jnp.array(0.01))
    np.testing.assert_allclose(far, 0.5, atol=0.03)
    edge = shading.checker((1.0, 1.0), jnp.array(1.0), jnp.array(0.5), jnp.array(0.4), jnp.array(0.1))
    assert float(edge) == pytest.approx(0.5)


def test_the_sky_is_a_polynomial_of_the_elevation():
    colours = np.array([[1, 0, 2], [0.5, 0.25, 0]], np.float32)
    along = Vector(0.0, jnp.array(2 * 0.6), jnp.array(-2 * 0.8))
    found = shading.overhead(colours, Vector(0.0, 1.0, 0.0), along)
    np.testing.assert_allclose([float(part) for part in found], [1.1, 0.25, 1.2], rtol=1e-6)
