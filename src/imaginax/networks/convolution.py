"""The convolution of every network here, in the form that is fast where the program runs.

On a CPU XLA's own weight gradient is a trap: inside a `lax.scan`, where training steps are, it runs some
twenty times slower than as a matrix product, and so does a convolution whose kernel is batched by `vmap`,
as it is for several seeds. The convolution itself is often faster as matrix products while images are
small and have many features, and slower otherwise (benchmarks/convolution_forms.py has both). On
accelerators XLA's forms are the right ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from imaginax.networks import products
from imaginax.networks.products import Padding

Backend = Literal["auto", "xla", "matmul"]
Form = Callable[[Array, Array], Array]

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_SQUARES, _FEATURES = 100, 64  # products win in images of so few squares with so many features


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
        backend: `xla` leaves everything to XLA; `matmul` makes matrix products of it; `auto` is `xla` unless
            the program is compiled for a CPU: there the weight gradient is by matrix products, and so is the
            convolution itself where that is faster. `auto` and `matmul` have no forward-mode derivative.
        padding: zeros (above, below), (left, right), fewer than the kernel is high and wide; default: as many
            as keep height and width.
    """
    if padding is None:
        height, width = (size // 2 for size in kernel.shape[:2])
        padding = (height, height), (width, width)
    return _form(backend, padding)(x, kernel)


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


@functools.cache
def _form(backend: Backend, padding: Padding) -> Form:
    if backend == "xla":
        return lambda x, kernel: _xla(x, kernel, padding)
    if backend == "matmul":
        return _with_gradient(products.convolve, products.kernel_gradient, padding)
    return _with_gradient(
        _by_platform(_one_by_one(_by_shape, merges=True), _xla),
        _by_platform(_one_by_one(products.kernel_gradient, merges=False), _xla_kernel_gradient),
        padding,
    )


def _xla(x: Array, kernel: Array, padding: Padding) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_LAYOUT)


def _by_shape(x: Array, kernel: Array, padding: Padding) -> Array:
    height, width, inputs, _ = kernel.shape
    board = x.shape[1] * x.shape[2] <= _SQUARES and inputs >= _FEATURES
    return (products.convolve if board or height == width == 1 else _xla)(x, kernel, padding)


def _xla_kernel_gradient(x: Array, outward: Array, like: Array, padding: Padding) -> Array:
    return jax.linear_transpose(lambda kernel: _xla(x, kernel, padding), like)(outward)[0]


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


def _with_gradient(
    forward: Callable[..., Array], kernel_gradient: Callable[..., Array], padding: Padding
) -> Form:
    """`forward`, whose gradient in the images is `forward` with the kernel turned round."""

    @jax.custom_vjp
    def form(x: Array, kernel: Array) -> Array:
        return forward(x, kernel, padding)

    def ahead(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
        return forward(x, kernel, padding), (x, kernel)

    def back(kept: tuple[Array, Array], outward: Array) -> tuple[Array, Array]:
        x, kernel = kept
        backwards = forward(outward, kernel[::-1, ::-1].swapaxes(2, 3), products.turned(kernel, padding))
        return backwards, kernel_gradient(x, outward, kernel, padding)

    form.defvjp(ahead, back)
    return form


def _by_platform(cpu: Callable[..., Array], default: Callable[..., Array]) -> Callable[..., Array]:
    def chosen(*given: Any) -> Array:
        *arrays, padding = given
        cpu_form, other = (functools.partial(form, padding=padding) for form in (cpu, default))
        return lax.platform_dependent(*arrays, cpu=cpu_form, default=other)

    return chosen
