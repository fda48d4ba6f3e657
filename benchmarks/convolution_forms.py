"""Which form of a 3x3 convolution is fast on this machine, where training has it: inside a `lax.scan`.

    python benchmarks/convolution_forms.py                        a few boards
    python benchmarks/convolution_forms.py --batches 64 256 1024

Prints GFLOP/s of four convolutions with rectifiers, forward, and forward with the gradients of weights and
images, for each back end of `networks.convolution`; then the same for two seeds at once, each with weights of
its own. The last column is a large matrix product's rate. Run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.networks.config import Backend
from imaginax.networks.convolution import convolve
from imaginax.runtime.bench import matrix_product

BOARDS = ((64, 6, 7), (64, 9, 9), (128, 9, 9), (16, 16, 16))  # channels, height, width; an image last
BACKENDS: tuple[Backend, ...] = ("auto", "xla")
LAYERS, STEPS, REPEATS, SIZE = 4, 2, 3, 2048


def program(backend: Backend, *, gradient: bool) -> Callable[[Array, Array], tuple[Array, Array]]:
    """`STEPS` passes one after the other; each needs the one before."""

    def total(kernels: Array, x: Array) -> Array:
        for kernel in kernels:
            x = jax.nn.relu(convolve(x, kernel, backend))
        return jnp.sum(x**2)

    def step(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        kernels, x = carry
        if not gradient:
            return (kernels, x + 1e-9 * total(kernels, x)), None
        slope, outward = jax.grad(total, (0, 1))(kernels, x)
        return (kernels - 1e-9 * slope, x - 1e-9 * outward), None

    return lambda kernels, x: jax.lax.scan(step, (kernels, x), length=STEPS)[0]


def rate(backend: Backend, shape: tuple[int, int, int], batch: int, seeds: int, *, gradient: bool) -> float:
    """GFLOP/s of the fastest of a few calls."""
    channels, height, width = shape
    key = jax.random.key(0)
    lanes = (seeds,) if seeds > 1 else ()
    x = jax.random.normal(key, (*lanes, batch, height, width, channels))
    kernels = jax.random.normal(key, (*lanes, LAYERS, 3, 3, channels, channels)) / (3 * channels**0.5)
    function: Any = program(backend, gradient=gradient)
    call = jax.jit(jax.vmap(function) if seeds > 1 else function)
    jax.block_until_ready(call(kernels, x))
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(call(kernels, x))
        taken.append(time.perf_counter() - start)
    passes = STEPS * LAYERS * max(seeds, 1) * (3 if gradient else 1)
    return passes * 2 * batch * height * width * 9 * channels**2 / min(taken) / 1e9


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[64])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    options = parser.parse_args()
    columns = [f"{backend} {what}" for backend in options.backends for what in ("forward", "both")]
    print(
        f"{'board, batch, seeds':<28}" + "".join(f"{column:>16}" for column in columns) + f"{'product':>10}"
    )
    product = matrix_product(SIZE)
    for shape in BOARDS:
        for batch in options.batches:
            for seeds in options.seeds:
                rates = [
                    rate(backend, shape, batch, seeds, gradient=gradient)
                    for backend in options.backends
                    for gradient in (False, True)
                ]
                start = time.perf_counter()
                jax.block_until_ready(product())
                rates.append(2.0 * SIZE**3 / (time.perf_counter() - start) / 1e9)
                channels, height, width = shape
                name = f"{channels} x {height} x {width}, {batch}, {seeds}"
                print(f"{name:<28}" + "".join(f"{r:>16.0f}" for r in rates[:-1]) + f"{rates[-1]:>10.0f}")


if __name__ == "__main__":
    main()
