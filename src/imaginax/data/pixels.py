"""Images between a camera and a network."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def dequantised(images: UInt8[Array, "*B"], bits: int, key: Array) -> Float[Array, "*B"]:
    """Images of fewer levels, each with noise as wide as a level, in [-0.5, 0.5).

    With it the density of an image is that of its levels (Kingma and Dhariwal 2018, arXiv 1807.03039; PlaNet
    takes 5 bits). The noise has 256 values, as one drawn number of 32 bits gives that of four pixels: with a
    number for each, the noise takes a quarter of the time of a small model's update on a CPU.

    Args:
        images: of 256 levels.
        bits: of what is left, 1 to 8.
        key: of the noise; consumed.
    """
    levels = 2**bits
    drawn = jax.random.bits(key, (-(-images.size // 4),), jnp.uint32)
    bytes_ = jax.lax.bitcast_convert_type(drawn, jnp.uint8).reshape(-1)[: images.size]
    noise = (bytes_.reshape(images.shape).astype(jnp.float32) + 0.5) / 256
    return (jnp.floor(images.astype(jnp.float32) / 2 ** (8 - bits)) + noise) / levels - 0.5


def pixels(images: Float[Array, "*B"]) -> UInt8[Array, "*B"]:
    """Images in [-0.5, 0.5], as a decoder gives them, of 256 levels."""
    return jnp.clip(jnp.round((images + 0.5) * 255), 0, 255).astype(jnp.uint8)
