"""Whatever form a picture has: against the same picture written out, and Pillow's box filter."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from gymnasium import spaces  # noqa: E402

from imaginax.envs.host import pictures  # noqa: E402

COLOURS = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)
GREY = COLOURS[..., 0]


@pytest.mark.parametrize(
    ("space", "picture"),
    [
        (spaces.Box(0, 255, (8, 10, 3), np.uint8), True),
        (spaces.Box(0, 255, (8, 10), np.uint8), True),
        (spaces.Box(0, 255, (4, 8, 10, 3), np.uint8), True),
        (spaces.Box(0, 255, (80,), np.uint8), False),
        (spaces.Box(0, 2, (8, 10), np.uint8), False),  # a board
        (spaces.Box(0, 1, (8, 10, 3), np.float32), False),
        (spaces.Box(0, 255, (8, 10, 3), np.int64), False),
    ],
)
def test_only_bytes_are_pictures(space, picture):
    assert pictures.is_picture(space) is picture


def test_channels_come_last():
    last = pictures.channels_last
    np.testing.assert_array_equal(last(COLOURS), COLOURS)
    np.testing.assert_array_equal(last(np.moveaxis(COLOURS, -1, 0)), COLOURS)
    np.testing.assert_array_equal(last(GREY), GREY[..., None])
    frames = np.stack([COLOURS, 255 - COLOURS])
    joined = np.concatenate([COLOURS, 255 - COLOURS], axis=-1)
    np.testing.assert_array_equal(last(frames), joined)
    np.testing.assert_array_equal(last(np.moveaxis(frames, -1, 1)), joined)
    np.testing.assert_array_equal(last(frames[..., 0]), joined[..., [0, 3]])


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (COLOURS, COLOURS),
        ([GREY, COLOURS], COLOURS),
        (np.concatenate([COLOURS, GREY[..., None]], axis=-1), COLOURS),
        (np.moveaxis(COLOURS, -1, 0), COLOURS),
        (COLOURS.astype(np.int64), COLOURS),
        (COLOURS.astype(np.float32), COLOURS),
        (COLOURS / 255.0, COLOURS),
        (GREY, np.stack([GREY] * 3, -1)),
        (GREY[..., None], np.stack([GREY] * 3, -1)),
        (GREY > 99, 255 * np.stack([GREY > 99] * 3, -1)),
        (None, None),
        ([], None),
        ("ansi", None),
        (np.zeros((0, 4, 3), np.uint8), None),
        (np.zeros(5), None),
    ],
)
def test_a_frame_is_rgb_or_none(drawn, expected):
    found = pictures.frame(drawn)
    if expected is None:
        assert found is None
    else:
        assert found.dtype == np.uint8
        np.testing.assert_allclose(
            found.astype(int), expected, atol=1 if np.asarray(drawn[0]).dtype == "f8" else 0
        )


@pytest.mark.parametrize("size", [(4, 5), (3, 3), (8, 10), (16, 20), (5, 7)])
def test_pixels_are_means_of_areas(size):
    image_module = pytest.importorskip("PIL.Image")
    found = pictures.resized(COLOURS, size)
    grown = np.kron(COLOURS.astype(float), np.ones((size[0], size[1], 1)))  # every new pixel is a block of it
    blocks = grown.reshape(size[0], COLOURS.shape[0], size[1], COLOURS.shape[1], 3).mean((1, 3))
    np.testing.assert_allclose(found, blocks, atol=0.502)
    if size == (4, 5):
        boxed = image_module.fromarray(COLOURS).resize((5, 4), image_module.Resampling.BOX)
        np.testing.assert_allclose(found.astype(int), np.asarray(boxed), atol=1)
