"""Images between a camera and a network."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def dithered(images: UInt8[Array, "*B"], bits: int, key: Array) -> Float[Array, "*B"]:
    """Images of fewer levels, each with noise as wide as a level, in [-0.5, 0.5).

    With it the density of an image is that of its levels (Kingma and Dhariwal 2018, arXiv 1807.03039; PlaNet
    takes 5 bits).

    Args:
        images: of 256 levels.
        bits: of what is left, 1 to 8.
        key: of the noise; consumed.
    """
    levels = 2**bits
    noise = jax.random.uniform(key, images.shape)
    return (jnp.floor(images.astype(jnp.float32) / 2 ** (8 - bits)) + noise) / levels - 0.5


def pixels(images: Float[Array, "*B"]) -> UInt8[Array, "*B"]:
    """Images in [-0.5, 0.5], as a decoder gives them, of 256 levels."""
    return jnp.clip(jnp.round((images + 0.5) * 255), 0, 255).astype(jnp.uint8)
