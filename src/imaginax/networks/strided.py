"""Convolutions that halve images and transposed ones that double them, through those of stride 1.

Squares of 2x2 become one with four times the features ("space to depth"), so that a stride of 2 is one of 1:
the same work, in a form that has fast gradients everywhere (`networks.convolution`).
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.networks.config import Backend
from imaginax.networks.convolution import convolve


def convolve_down(
    x: Float[Array, "B H W I"], kernel: Float[Array, "k k I O"], backend: Backend = "auto"
) -> Float[Array, "B V U O"]:
    """Cross-correlation with stride 2 without padding: V = (H - k) // 2 + 1. k is even."""
    size = kernel.shape[0]
    used = (2 * ((length - size) // 2) + size for length in x.shape[1:3])
    rows, columns = used
    blocks = _to_depth(x[:, :rows, :columns])
    return convolve(blocks, _of_blocks(kernel), backend, ((0, 0), (0, 0)))


def convolve_up(
    x: Float[Array, "B H W I"], kernel: Float[Array, "k k I O"], backend: Backend = "auto"
) -> Float[Array, "B V U O"]:
    """Transposed convolution with stride 2 and all of what comes out: V = 2 (H - 1) + k.

    Every square adds its features times the kernel to the k x k squares that begin at twice its place.
    """
    size, outputs = kernel.shape[0], kernel.shape[3]
    rows, columns = (2 * (length - 1) + size for length in x.shape[1:3])
    if x.shape[1] == x.shape[2] == 1:
        return jnp.einsum("bi,hwio->bhwo", x[:, 0, 0], kernel)
    even = jnp.pad(kernel, ((0, size % 2), (0, size % 2), (0, 0), (0, 0)))
    half = even.shape[0] // 2
    parts = even.reshape(half, 2, half, 2, -1, outputs)[::-1, :, ::-1]
    parts = parts.transpose(0, 2, 4, 1, 3, 5).reshape(half, half, -1, 4 * outputs)
    reach = (half - 1, half - 1)
    y = convolve(x, parts, backend, (reach, reach))
    return _to_space(y)[:, :rows, :columns]


class StridedConvolution(nn.Module):
    """`convolve_down` with weights and a bias.

    Attributes:
        features: of the output.
        size: of the square kernel, even.
        backend: see `networks.convolution`.
        dtype: of the computation; weights are float32.
    """

    features: int
    size: int
    backend: Backend = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B V U O"]:
        """Of a batch of images."""
        return _layer(self, convolve_down, x)


class TransposedConvolution(nn.Module):
    """`convolve_up` with weights and a bias; the attributes are those of `StridedConvolution`."""

    features: int
    size: int
    backend: Backend = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B V U O"]:
        """Of a batch of images."""
        return _layer(self, convolve_up, x)


def _layer(module: Any, form: Any, x: Array) -> Array:
    shape = (module.size, module.size, x.shape[-1], module.features)
    kernel = module.param("kernel", nn.initializers.glorot_uniform(), shape).astype(module.dtype)
    bias = module.param("bias", nn.initializers.zeros, (module.features,))
    y = form(x.astype(module.dtype), kernel, module.backend)
    # In 32 bits, as in `networks.dense`: the bias's gradient is a sum over all pixels.
    return (y.astype(jnp.float32) + bias).astype(module.dtype)


def _to_depth(x: Array) -> Array:
    """[B 2H 2W C] -> [B H W 4C]."""
    batch, rows, columns, channels = x.shape
    x = x.reshape(batch, rows // 2, 2, columns // 2, 2, channels).swapaxes(2, 3)
    return x.reshape(batch, rows // 2, columns // 2, 4 * channels)


def _to_space(x: Array) -> Array:
    """[B H W 4C] -> [B 2H 2W C]."""
    batch, rows, columns, channels = x.shape
    x = x.reshape(batch, rows, columns, 2, 2, channels // 4).swapaxes(2, 3)
    return x.reshape(batch, 2 * rows, 2 * columns, channels // 4)


def _of_blocks(kernel: Array) -> Array:
    """[2k 2k I O] -> [k k 4I O]."""
    half = kernel.shape[0] // 2
    parts = kernel.reshape(half, 2, half, 2, *kernel.shape[2:]).swapaxes(1, 2)
    return parts.reshape(half, half, -1, kernel.shape[3])
