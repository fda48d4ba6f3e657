"""The convolution of every network here, in the form that is fast where the program runs.

On a CPU XLA's own weight gradient is a trap: inside a `lax.scan`, where training steps are, it runs some
twenty times slower than as a matrix product, and so does a convolution whose kernel is batched by `vmap`,
as it is for several seeds; the convolution itself reaches half the rate of matrix products while there are
few features (benchmarks/convolution_forms.py). On accelerators XLA's forms are the right ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Backend = Literal["auto", "xla", "matmul"]
Form = Callable[[Array, Array], Array]

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_CACHE = 2_500_000  # bytes of shifted copies of images that stay in a CPU's cache
_MANY = 128  # features from which XLA's convolution is as fast as products


def convolve(
    x: Float[Array, "B H W I"], kernel: Float[Array, "h w I O"], backend: Backend = "auto"
) -> Float[Array, "B H W O"]:
    """Cross-correlation with stride 1 and as much padding of zeros as keeps height and width.

    Args:
        x: images.
        kernel: of odd height and width.
        backend: `xla` leaves everything to XLA; `matmul` makes matrix products of it; `auto` is `xla` unless
            the program is compiled for a CPU: there the weight gradient is by matrix products, and so is the
            convolution itself below 128 features. `auto` and `matmul` have no forward-mode derivative.
    """
    return {"auto": _auto, "xla": _xla, "matmul": _matmul}[backend](x, kernel)


class Convolution(nn.Module):
    """`convolve` with its weights.

    Attributes:
        features: of the output.
        size: of the square kernel.
        bias: whether to add one number a feature; not where batch normalisation follows.
        backend: see `convolve`.
        dtype: of the computation; weights are float32.
    """

    features: int
    size: int = 3
    bias: bool = False
    backend: Backend = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B H W O"]:
        """Of a batch of images."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        y = convolve(x.astype(self.dtype), kernel.astype(self.dtype), self.backend)
        if self.bias:
            y = y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return y


# ------------------------------------------------------------------ forms


def _xla(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def _products(x: Array, kernel: Array) -> Array:
    """The same as matrix products: one for each row of the kernel, with images shifted along theirs."""
    height, width, inputs, outputs = kernel.shape
    rows = x.shape[1]

    def of_few(x: Array) -> Array:
        beside = jnp.pad(_shifted(x, 1, width), ((0, 0), (height // 2,) * 2, (0, 0), (0, 0)))
        by_row = kernel.reshape(height, width * inputs, outputs)
        return sum(
            (beside[:, i : i + rows] @ by_row[i] for i in range(1, height)), beside[:, :rows] @ by_row[0]
        )

    chunk = _chunk(x, width)
    if chunk == len(x) or height == width == 1:
        return of_few(x)
    x = _split(x, chunk)
    y = lax.map(lambda i: of_few(_few(x, i)), jnp.arange(x.shape[1]))
    return y.swapaxes(0, 1).reshape(-1, *y.shape[2:])


def _by_features(x: Array, kernel: Array) -> Array:
    return (_xla if kernel.shape[2] >= _MANY else _products)(x, kernel)


def _shifted(x: Array, height: int, width: int) -> Array:
    """[B H W I] -> [B H W height*width*I]: all that a kernel of that size sees from each square."""
    if height == width == 1:
        return x
    rows, columns = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
    shifts = [padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    return jnp.concatenate(shifts, axis=-1)


def _chunk(x: Array, copies: int) -> int:
    """How many images at a time leave so many shifted copies in the cache: a divisor of the batch."""
    most = max(1, _CACHE // (copies * math.prod(x.shape[1:]) * x.dtype.itemsize))
    return max(size for size in range(1, len(x) + 1) if len(x) % size == 0 and size <= most)


def _split(x: Array, chunk: int) -> Array:
    """[B ...] -> [chunk, chunks ...]: where devices share a batch, each has a part of every chunk."""
    return x.reshape(chunk, -1, *x.shape[1:])


def _few(x: Array, i: Array) -> Array:
    return lax.dynamic_index_in_dim(x, i, 1, keepdims=False)


def _xla_kernel_gradient(x: Array, outward: Array, like: Array) -> Array:
    return jax.linear_transpose(lambda kernel: _xla(x, kernel), like)(outward)[0]


def _products_kernel_gradient(x: Array, outward: Array, like: Array) -> Array:
    height, width, inputs, outputs = like.shape
    chunk = _chunk(x if inputs < outputs else outward, height * width)
    if chunk == len(x):
        return _product_of_few(x, outward, like)
    x, outward = _split(x, chunk), _split(outward, chunk)

    def add(total: Array, i: Array) -> tuple[Array, None]:
        return total + _product_of_few(_few(x, i), _few(outward, i), like), None

    return lax.scan(add, jnp.zeros_like(like), jnp.arange(x.shape[1]))[0]


def _product_of_few(x: Array, outward: Array, like: Array) -> Array:
    """Shifts whichever has fewer features: the images, or backwards the gradient of the output."""
    height, width, inputs, outputs = like.shape
    axes = ((0, 1, 2), (0, 1, 2))
    if inputs < outputs:
        return jnp.tensordot(_shifted(x, height, width), outward, axes).reshape(like.shape)
    product = jnp.tensordot(x, _shifted(outward, height, width), axes)
    backwards = product.reshape(inputs, height, width, outputs)[:, ::-1, ::-1]
    return jnp.moveaxis(backwards, 0, 2)


def _one_by_one(form: Callable[..., Array], *, merges: bool) -> Callable[..., Array]:
    """`form`, of which `vmap` takes one after the other; with `merges`, images alone become one batch."""
    batched = jax.custom_batching.custom_vmap(form)

    @batched.def_vmap
    def rule(size: int, is_batched: list[bool], *arrays: Array) -> tuple[Array, bool]:
        if is_batched == [True] + [False] * (len(arrays) - 1) and merges:
            y = form(arrays[0].reshape(-1, *arrays[0].shape[2:]), *arrays[1:])
            return y.reshape(size, -1, *y.shape[1:]), True
        lanes = [
            array if over else jnp.broadcast_to(array, (size, *array.shape))
            for array, over in zip(arrays, is_batched, strict=True)
        ]
        return lax.map(lambda lane: batched(*lane), tuple(lanes)), True

    return batched


def _with_gradient(forward: Form, kernel_gradient: Callable[[Array, Array, Array], Array]) -> Form:
    """`forward`, whose gradient in the images is `forward` with the kernel turned round."""

    @jax.custom_vjp
    def form(x: Array, kernel: Array) -> Array:
        return forward(x, kernel)

    def ahead(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
        return forward(x, kernel), (x, kernel)

    def back(kept: tuple[Array, Array], outward: Array) -> tuple[Array, Array]:
        x, kernel = kept
        turned = kernel[::-1, ::-1].swapaxes(2, 3)
        return forward(outward, turned), kernel_gradient(x, outward, kernel)

    form.defvjp(ahead, back)
    return form


def _by_platform(cpu: Callable[..., Array], default: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *arrays: lax.platform_dependent(*arrays, cpu=cpu, default=default)


_matmul = _with_gradient(_products, _products_kernel_gradient)
_auto = _with_gradient(
    _by_platform(_one_by_one(_by_features, merges=True), _xla),
    _by_platform(_one_by_one(_products_kernel_gradient, merges=False), _xla_kernel_gradient),
)
