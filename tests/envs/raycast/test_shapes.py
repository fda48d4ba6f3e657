"""Every shape against MuJoCo's own ray casting."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("brax")

import mujoco  # noqa: E402  (comes with brax)

from imaginax.envs.raycast import shapes  # noqa: E402
from imaginax.envs.raycast.vectors import Vector  # noqa: E402

RAYS = 4000
SIZES = {
    "plane": (0, (0.7, 0.5, 0.1)),
    "endless plane": (0, (0.0, 0.0, 0.1)),
    "strip": (0, (0.0, 0.4, 0.1)),
    "sphere": (2, (0.6, 0.0, 0.0)),
    "capsule": (3, (0.3, 0.7, 0.0)),
    "thin capsule": (3, (0.02, 0.9, 0.0)),
    "ellipsoid": (4, (0.3, 0.5, 0.8)),
    "cylinder": (5, (0.4, 0.6, 0.0)),
    "disc": (5, (0.7, 0.02, 0.0)),
    "box": (6, (0.3, 0.5, 0.7)),
}


def random_rays(seed=0):
    """From outside, towards a cube around the shape; a quarter of them along the axes."""
    rng = np.random.default_rng(seed)
    origin = rng.normal(size=(RAYS, 3))
    origin *= rng.uniform(2, 4, (RAYS, 1)) / np.linalg.norm(origin, axis=1, keepdims=True)
    along = rng.uniform(-1, 1, (RAYS, 3)) - origin
    axes = np.arange(RAYS) % 3
    straight = np.arange(RAYS) % 4 == 0
    along[straight] = -np.eye(3)[axes[straight]] * np.sign(origin[straight, axes[straight], None])
    return origin.astype(np.float32), along.astype(np.float32)


def mujoco_hits(shape, size, origin, along):
    distance, normal = np.zeros(RAYS), np.zeros((RAYS, 3))
    place, turn, size = np.zeros(3), np.eye(3).ravel(), np.array(size)
    for i, (start, step) in enumerate(zip(origin.astype(float), along.astype(float), strict=True)):
        distance[i] = mujoco.mju_rayGeom(place, turn, size, start, step, shape, normal[i])
    return np.where(distance < 0, np.inf, distance), normal


def hits(shape, size, origin, along):
    enter = jax.jit(lambda start, step: shapes.SHAPES[shape](start, step, size))
    hit = enter(Vector(*origin.T), Vector(*along.T))
    normal = np.stack([np.broadcast_to(part, len(origin)) for part in hit.normal], axis=-1)
    return np.asarray(hit.distance), normal


@pytest.mark.parametrize("name", SIZES)
def test_distances_and_normals_are_mujocos(name):
    shape, size = SIZES[name]
    origin, along = random_rays()
    expected, normal = mujoco_hits(shape, size, origin, along)
    distance, found_normal = hits(shape, size, origin, along)
    both = np.isfinite(expected) & np.isfinite(distance)
    assert 0.01 < both.mean() < 0.98
    # a ray that grazes an edge may pass on either side of it in single precision
    assert (np.isfinite(expected) != np.isfinite(distance)).mean() < 1e-3
    error = np.abs(distance[both] - expected[both]) * np.linalg.norm(along[both], axis=1)
    assert np.quantile(error, 0.99) < 3e-4 and error.max() < 1e-2
    off = np.linalg.norm(found_normal - normal, axis=1)[both]
    assert (off > 1e-2).mean() < 5e-3


@pytest.mark.parametrize("name", SIZES)
def test_nothing_is_seen_from_inside_or_behind(name):
    shape, size = SIZES[name]
    directions = np.random.default_rng(1).normal(size=(100, 3)).astype(np.float32)
    inside = np.zeros_like(directions) - (shape == 0) * np.array([0, 0, 0.1], np.float32)
    assert np.isinf(hits(shape, size, inside, directions)[0]).all()
    origin, along = random_rays()
    if shape:  # rays that lead away from it
        assert np.isinf(hits(shape, size, origin, -along)[0]).all()


def test_hand_computed():
    """Down the z axis, from a height of 3."""
    tops = {
        2: (0.6, 0.0, 0.0),
        3: (0.2, 0.4, 0.0),
        4: (0.1, 0.2, 0.6),
        5: (0.3, 0.6, 0.0),
        6: (0.1, 0.2, 0.6),
    }
    for shape, size in tops.items():
        hit = shapes.SHAPES[shape](Vector(0.0, 0.0, jnp.array(3.0)), Vector(0.0, 0.0, -2.0), size)
        assert hit.distance == pytest.approx(1.2)
        np.testing.assert_allclose([float(part) for part in hit.normal], [0, 0, 1], atol=1e-6)


def test_components_broadcast_under_vmap():
    """A row and a column of numbers make a picture."""

    def depth(height):
        along = Vector(jnp.linspace(-1, 1, 5)[None, :], jnp.linspace(-1, 1, 7)[:, None], -1.0)
        return shapes.sphere(Vector(0.0, 0.0, height), along, (1.0, 0.0, 0.0)).distance

    depths = jax.vmap(depth)(jnp.array([2.0, 3.0]))
    assert depths.shape == (2, 7, 5)
    np.testing.assert_allclose(depths[:, 3, 2], [1, 2], rtol=1e-6)
