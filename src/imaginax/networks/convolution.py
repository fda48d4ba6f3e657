"""The convolution of every network here, in the form that is fast where the program runs.

On a CPU XLA is fast at convolutions whose images and kernels are laid out as it expects, and slow at others:
at its own weight gradient, in which images and features change places, and at kernels that are batched by
`vmap`, as they are for several seeds. There the weight gradient is written as convolutions in the expected
layout, of a few images at a time, so that what is laid out anew need not leave the cache, and lanes follow
each other. benchmarks/convolution_forms.py has both. On accelerators XLA's own forms are the right ones.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from imaginax.networks.config import Backend

Padding = tuple[tuple[int, int], tuple[int, int]]  # zeros above and below, left and right

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_CACHE = 400_000  # bytes of images and their gradients at a time


def convolve(
    x: Float[Array, "B H W I"],
    kernel: Float[Array, "h w I O"],
    backend: Backend = "auto",
    padding: Padding | None = None,
) -> Float[Array, "B V U O"]:
    """Cross-correlation with stride 1.

    Args:
        x: images.
        kernel: of odd height and width if no padding is given.
        backend: `xla` leaves everything to XLA; `auto` does too, unless the program is compiled for a CPU:
            there the weight gradient and lanes with kernels of their own have another form. `auto` has no
            forward-mode derivative.
        padding: zeros (above, below), (left, right), fewer than the kernel is high and wide; default: as many
            as keep height and width.
    """
    if padding is None:
        height, width = (size // 2 for size in kernel.shape[:2])
        padding = (height, height), (width, width)
    if backend == "xla":
        return _xla(x, kernel, padding)
    return _with_own_gradient(padding)(x, kernel)


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


def _xla(x: Array, kernel: Array, padding: Padding) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_LAYOUT)


def _xla_kernel_gradient(x: Array, outward: Array, like: Array, padding: Padding) -> Array:
    return jax.linear_transpose(lambda kernel: _xla(x, kernel, padding), like)(outward)[0]


def _product_or_xla(x: Array, kernel: Array, padding: Padding) -> Array:
    return x @ kernel[0, 0] if kernel.shape[:2] == (1, 1) else _xla(x, kernel, padding)


def _kernel_gradient(x: Array, outward: Array, like: Array, padding: Padding) -> Array:
    """Gradient in the kernel, of the shape of `like`, from the gradient `outward` of the output."""
    few = _few(len(x), sum(math.prod(images.shape[1:]) * images.dtype.itemsize for images in (x, outward)))
    if few == len(x):
        return _kernel_gradient_of_few(x, outward, like, padding)
    # [few, B / few ...]: where devices share a batch, each has a part of every step.
    x, outward = (images.reshape(few, -1, *images.shape[1:]) for images in (x, outward))

    def add(total: Array, i: Array) -> tuple[Array, None]:
        some, their = (lax.dynamic_index_in_dim(images, i, 1, keepdims=False) for images in (x, outward))
        return total + _kernel_gradient_of_few(some, their, like, padding), None

    return lax.scan(add, jnp.zeros_like(like), jnp.arange(x.shape[1]))[0]


def _kernel_gradient_of_few(x: Array, outward: Array, like: Array, padding: Padding) -> Array:
    """A convolution in which images are the features, and the features of one side the images.

    The side with more squares is convolved with the other, so that no more zeros are added than XLA is fast
    with; if that is the output the kernel comes out turned round.
    """
    if math.prod(x.shape[1:3]) >= math.prod(outward.shape[1:3]):
        return _convolve_features(x, outward, padding).transpose(1, 2, 0, 3)
    backwards = _convolve_features(outward, x, _turned(like, padding))
    return backwards[:, ::-1, ::-1].transpose(1, 2, 3, 0)


def _convolve_features(x: Array, y: Array, padding: Padding) -> Array:
    """[B H W I], [B V U O] -> [I h w O]; the barriers keep XLA from undoing the layout."""
    x, y = lax.optimization_barrier((x.transpose(3, 1, 2, 0), y.transpose(1, 2, 0, 3)))
    return _xla(x, y, padding)


def _turned(kernel: Array, padding: Padding) -> Padding:
    """The padding with which the kernel, turned round, takes outputs back to inputs."""
    (top, bottom), (left, right) = padding
    height, width = kernel.shape[0] - 1, kernel.shape[1] - 1
    return (height - top, height - bottom), (width - left, width - right)


def _few(images: int, size: int) -> int:
    """How many images at a time, of so many bytes, stay in the cache: a divisor of their number."""
    most = min(images, max(1, _CACHE // size))
    return max(few for few in range(1, most + 1) if images % few == 0)


# ------------------------------------------------------------------ which one


def _by_platform(cpu: Callable[..., Array], default: Callable[..., Array]) -> Callable[..., Array]:
    def chosen(*given: Any) -> Array:
        *arrays, padding = given
        cpu_form, other = (functools.partial(form, padding=padding) for form in (cpu, default))
        return lax.platform_dependent(*arrays, cpu=cpu_form, default=other)

    return chosen


def _one_by_one(form: Callable[..., Array], *, merges: bool) -> Callable[..., Array]:
    """`form`, of which `vmap` takes one after the other; with `merges`, images alone become one batch."""
    return lambda *arrays, padding: _batched(form, padding, merges)(*arrays)


def _batched(form: Callable[..., Array], padding: Padding, merges: bool) -> Callable[..., Array]:
    batched = jax.custom_batching.custom_vmap(lambda *arrays: form(*arrays, padding=padding))

    @batched.def_vmap
    def rule(size: int, is_batched: list[bool], *arrays: Array) -> tuple[Array, bool]:
        if is_batched == [True] + [False] * (len(arrays) - 1) and merges:
            y = form(arrays[0].reshape(-1, *arrays[0].shape[2:]), *arrays[1:], padding)
            return y.reshape(size, -1, *y.shape[1:]), True
        lanes = [
            array if over else jnp.broadcast_to(array, (size, *array.shape))
            for array, over in zip(arrays, is_batched, strict=True)
        ]
        return lax.map(lambda lane: batched(*lane), tuple(lanes)), True

    return batched


_FORWARD = _by_platform(_one_by_one(_product_or_xla, merges=True), _xla)
_GRADIENT = _by_platform(_one_by_one(_kernel_gradient, merges=False), _xla_kernel_gradient)


@functools.cache
def _with_own_gradient(padding: Padding) -> Callable[[Array, Array], Array]:
    """`convolve` with a padding. Its gradient in the images is a convolution with the kernel turned round."""

    @jax.custom_vjp
    def form(x: Array, kernel: Array) -> Array:
        return _FORWARD(x, kernel, padding)

    def ahead(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
        return form(x, kernel), (x, kernel)

    def back(kept: tuple[Array, Array], outward: Array) -> tuple[Array, Array]:
        x, kernel = kept
        backwards = _FORWARD(outward, kernel[::-1, ::-1].swapaxes(2, 3), _turned(kernel, padding))
        return backwards, _GRADIENT(x, outward, kernel, padding)

    form.defvjp(ahead, back)
    return form
