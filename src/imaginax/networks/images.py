"""Encoder and decoder of images: those of World Models, which PlaNet and Dreamer kept.

Ha and Schmidhuber 2018 (arXiv 1803.10122, appendix): four convolutions of 4x4 with stride 2 take 64x64 to
2x2; four transposed ones of 5x5, 5x5, 6x6 and 6x6 bring one square back. Images of 32x32 pass one layer less.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.networks.config import Backend
from imaginax.networks.dense import Dense
from imaginax.networks.strided import StridedConvolution, TransposedConvolution
from imaginax.types import ConfigError

KERNELS = {64: (5, 5, 6, 6), 32: (5, 6, 6)}  # of the decoder: their sizes decide what comes out


def check_size(shape: tuple[int, ...]) -> None:
    """Whether images of [H W C] can pass.

    Raises:
        ConfigError: for a size without an architecture.
    """
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] not in KERNELS:
        sizes = " or ".join(f"{size}x{size}" for size in KERNELS)
        raise ConfigError(f"images must be {sizes} with some channels, got {'x'.join(map(str, shape))}")


class Encoder(nn.Module):
    """Images [*B H W C] to [*B E].

    Attributes:
        depth: filters of the first layer; each further one has twice as many.
        backend: of the convolutions, see `networks.convolution`.
        dtype: of the computation.
    """

    depth: int = 32
    backend: Backend = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "*B H W C"]) -> Float[Array, "*B E"]:
        """Four layers, or three, with rectifiers."""
        x = images.reshape(-1, *images.shape[-3:])
        for layer in range(len(KERNELS[images.shape[-2]])):
            convolution = StridedConvolution(self.depth * 2**layer, 4, self.backend, self.dtype)
            x = nn.relu(convolution(x))
        return x.reshape(*images.shape[:-3], -1).astype(jnp.float32)


class Decoder(nn.Module):
    """Features [*B F] to the means of images [*B H W C].

    Attributes:
        size: of the square images, 64 or 32.
        channels: of the images.
        depth: filters of the last layer but one; each earlier one has twice as many.
        backend: of the convolutions, see `networks.convolution`.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    depth: int = 32
    backend: Backend = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: Float[Array, "*B F"]) -> Float[Array, "*B H W C"]:
        """A linear layer, then transposed convolutions with rectifiers between them."""
        kernels = KERNELS[self.size]
        width = self.depth * 2 ** len(kernels) * 2  # as many as the encoder gives in the end
        x = Dense(width, dtype=self.dtype)(features.reshape(-1, features.shape[-1])).reshape(-1, 1, 1, width)
        for layer, size in enumerate(kernels):
            left = len(kernels) - 1 - layer
            filters = self.depth * 2 ** (left - 1) if left else self.channels
            x = TransposedConvolution(filters, size, self.backend, self.dtype)(x)
            x = nn.relu(x) if left else x
        return x.reshape(*features.shape[:-1], *x.shape[1:]).astype(jnp.float32)
