"""Convolutions and their weight gradients as matrix products, for CPUs.

Either images are shifted against the kernel and laid beside each other, or every part of the kernel
multiplies them first and the results are shifted, whichever multiplies fewer squares. A few images at a
time go through, so that their copies need not leave the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

Padding = tuple[tuple[int, int], tuple[int, int]]  # zeros above and below, left and right

_CACHE = 2_500_000  # bytes
_FEW = 16  # features below which copies are slow, as their rows are short


def convolve(x: Array, kernel: Array, padding: Padding) -> Array:
    """Cross-correlation [B H W I] x [h w I O] -> [B H' W' O] with stride 1."""
    height, width, inputs, outputs = kernel.shape
    if height == width == 1:
        return _gather_first(x, kernel, padding)
    if _grows(kernel, padding) or _few_inputs(kernel, padding):
        return _in_chunks(_multiply_first, x, kernel, padding, copies=height * width * outputs)
    return _in_chunks(_gather_first, x, kernel, padding, copies=width * inputs)


def kernel_gradient(x: Array, outward: Array, like: Array, padding: Padding) -> Array:
    """Gradient in the kernel, of the shape of `like`, from the gradient `outward` of the output."""
    height, width, inputs, outputs = like.shape
    whole = (x, outward)[_shifts_outward(like, padding)]
    copies = height * width * (outputs if _shifts_outward(like, padding) else inputs)
    chunk = _chunk(whole, copies)
    if chunk == len(x):
        return _kernel_gradient_of_few(x, outward, like, padding)
    x, outward = _split(x, chunk), _split(outward, chunk)

    def add(total: Array, i: Array) -> tuple[Array, None]:
        return total + _kernel_gradient_of_few(_few(x, i), _few(outward, i), like, padding), None

    return lax.scan(add, jnp.zeros_like(like), jnp.arange(x.shape[1]))[0]


def _grows(kernel: Array, padding: Padding) -> bool:
    """Whether the output has more squares than the input."""
    return any(sum(zeros) >= size for zeros, size in zip(padding, kernel.shape[:2], strict=True))


def _shifts_outward(kernel: Array, padding: Padding) -> bool:
    """Whether the output has fewer or better copies to make than the input."""
    if _shrinks(kernel, padding):
        return _few_inputs(kernel, padding)
    return _grows(kernel, padding) or kernel.shape[2] >= kernel.shape[3]


def _shrinks(kernel: Array, padding: Padding) -> bool:
    """Whether the output has fewer squares than the input."""
    return any(sum(zeros) < size - 1 for zeros, size in zip(padding, kernel.shape[:2], strict=True))


def _few_inputs(kernel: Array, padding: Padding) -> bool:
    """Whether outputs, although there are no more features of them, are better copied than inputs."""
    return _shrinks(kernel, padding) and kernel.shape[2] < _FEW


def _gather_first(x: Array, kernel: Array, padding: Padding) -> Array:
    """A product for each row of the kernel, with images shifted along theirs."""
    height, width, inputs, outputs = kernel.shape
    beside = jnp.pad(_windows(x, (1, width), ((0, 0), padding[1])), ((0, 0), padding[0], (0, 0), (0, 0)))
    rows = beside.shape[1] - height + 1
    by_row = kernel.reshape(height, width * inputs, outputs)
    y = beside[:, :rows] @ by_row[0]
    for i in range(1, height):
        y = y + beside[:, i : i + rows] @ by_row[i]
    return y


def _multiply_first(x: Array, kernel: Array, padding: Padding) -> Array:
    """One product with all of the kernel; its parts are shifted and added."""
    height, width, inputs, outputs = kernel.shape
    y = x @ jnp.moveaxis(kernel, 2, 0).reshape(inputs, -1)
    y = jnp.pad(y, ((0, 0), *padding, (0, 0)))
    rows, columns = y.shape[1] - height + 1, y.shape[2] - width + 1
    total = jnp.zeros((), y.dtype)
    for part, (i, j) in enumerate((i, j) for i in range(height) for j in range(width)):
        total = total + y[:, i : i + rows, j : j + columns, part * outputs : (part + 1) * outputs]
    return total


def _kernel_gradient_of_few(x: Array, outward: Array, like: Array, padding: Padding) -> Array:
    height, width, inputs, outputs = like.shape
    axes = ((0, 1, 2), (0, 1, 2))
    if not _shifts_outward(like, padding):
        return jnp.tensordot(_windows(x, (height, width), padding), outward, axes).reshape(like.shape)
    product = jnp.tensordot(x, _windows(outward, (height, width), turned(like, padding)), axes)
    backwards = product.reshape(inputs, height, width, outputs)[:, ::-1, ::-1]
    return jnp.moveaxis(backwards, 0, 2)


def turned(kernel: Array, padding: Padding) -> Padding:
    """The padding with which the kernel, turned round, takes outputs back to inputs."""
    (top, bottom), (left, right) = padding
    height, width = kernel.shape[0] - 1, kernel.shape[1] - 1
    return (height - top, height - bottom), (width - left, width - right)


def _windows(x: Array, size: tuple[int, int], padding: Padding) -> Array:
    """[B H W I] -> [B H' W' height*width*I]: all that a kernel of that size sees from each square."""
    height, width = size
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    shifts = [padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    return jnp.concatenate(shifts, axis=-1)


# ------------------------------------------------------------------ a few images at a time


def _in_chunks(
    form: Callable[[Array, Array, Padding], Array], x: Array, kernel: Array, padding: Padding, *, copies: int
) -> Array:
    chunk = _chunk(x, copies)
    if chunk == len(x):
        return form(x, kernel, padding)
    x = _split(x, chunk)
    y = lax.map(lambda i: form(_few(x, i), kernel, padding), jnp.arange(x.shape[1]))
    return y.swapaxes(0, 1).reshape(-1, *y.shape[2:])


def _chunk(x: Array, copies: int) -> int:
    """How many images at a time leave so many features in the cache: a divisor of the batch."""
    most = max(1, _CACHE // (copies * math.prod(x.shape[1:3]) * x.dtype.itemsize))
    return max(size for size in range(1, min(most, len(x)) + 1) if len(x) % size == 0)


def _split(x: Array, chunk: int) -> Array:
    """[B ...] -> [chunk, chunks ...]: where devices share a batch, each has a part of every chunk."""
    return x.reshape(chunk, -1, *x.shape[1:])


def _few(x: Array, i: Array) -> Array:
    return lax.dynamic_index_in_dim(x, i, 1, keepdims=False)
