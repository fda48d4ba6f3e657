"""Functions whose batches a CPU computes one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree


def sequential_vmap(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """The function, whose batches under `jax.vmap` a CPU computes one after the other, in a loop.

    That serves three kinds of functions. Large working sets stay in a core's cache. A search that ends early
    does not go on until the last of its batch has ended. And LAPACK is not called in batches, which in jaxlib
    (0.10.2, `ParallelBatchMap`) hold a thread of the pool until other threads have done their parts: two of
    them side by side on two cores, or one on each of eight virtual devices, wait for ever.

    The result has no reverse-mode derivative; what calls it gives one by `jax.custom_jvp`.
    """
    single = jax.custom_batching.custom_vmap(function)

    @single.def_vmap
    def batch(size: int, batched: list[Any], *arguments: Any) -> tuple[PyTree, PyTree]:
        full = jax.tree.map(partial(_repeated, size), tuple(batched), arguments)
        results = jax.lax.platform_dependent(*full, cpu=partial(_in_turn, single), default=jax.vmap(function))
        return results, jax.tree.map(lambda _: True, results)

    return single


def _repeated(size: int, is_batched: bool, x: Array) -> Array:
    return x if is_batched else jnp.broadcast_to(x, (size, *x.shape))


def _in_turn(function: Callable[..., PyTree], *arguments: Any) -> PyTree:
    return jax.lax.map(lambda one: function(*one), arguments)
