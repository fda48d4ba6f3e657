"""Pictures that environments outside of JAX show or draw, whatever their form, as uint8 [H W C]."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8


def is_picture(space: Any) -> bool:
    """Whether a `Box` holds images: bytes from 0 to 255 with two axes, three, or four for several frames."""
    if space.dtype != np.uint8 or not 2 <= len(space.shape) <= 4:
        return False
    return bool((space.low == 0).all() and (space.high == 255).all())


def channels_last(image: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "H W C"]:
    """An image as [H W C], from [H W], [H W C], [C H W] or frames [K H W], [K H W C], [K C H W].

    Channels or frames come first where that axis is the shortest; those of frames [K ...] are joined.
    """
    if image.ndim == 2:
        return image[..., None]
    if image.ndim == 4:
        return np.concatenate([channels_last(frame) for frame in image], axis=-1)
    return np.moveaxis(image, 0, -1) if image.shape[0] < min(image.shape[1:]) else image


def frame(drawn: Any) -> UInt8[np.ndarray, "H W 3"] | None:
    """What `render` returned as an RGB image; None if it is no image.

    Takes grey images, an alpha channel, channels first, numbers from 0 to 1, and the last of several frames.
    """
    if isinstance(drawn, list | tuple) and drawn and np.ndim(drawn[-1]) >= 2:
        drawn = drawn[-1]
    image = np.asarray(drawn)
    if image.dtype.kind not in "buif" or image.ndim not in (2, 3) or not image.size:
        return None
    image = channels_last(image)
    if image.dtype.kind == "b" or (image.dtype.kind == "f" and image.max() <= 1):
        image = 255.0 * image
    image = np.clip(np.nan_to_num(image), 0, 255).astype(np.uint8)
    return image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)


def resized(image: UInt8[np.ndarray, "H W C"], size: tuple[int, int]) -> UInt8[np.ndarray, "h w C"]:
    """The image with `size` = (h, w) pixels, each the mean of the area that it covers, rounded."""
    height, width, channels = image.shape
    if (height, width) == size:
        return image
    rows = _areas(height, size[0]) @ image.reshape(height, width * channels).astype(np.float32)
    columns = _areas(width, size[1]) @ rows.reshape(size[0], width, channels)
    return np.floor(columns + np.float32(0.5)).astype(np.uint8)


@functools.cache
def _areas(length: int, size: int) -> Float[np.ndarray, "size length"]:
    """The share of each of `length` old pixels in each of `size` new ones."""
    edges, old = np.linspace(0, length, size + 1), np.arange(length)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return (np.maximum(overlap, 0) * size / length).astype(np.float32)
