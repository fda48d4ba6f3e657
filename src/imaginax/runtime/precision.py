"""Which numbers programs compute with: the same wherever and however a run was started.

Floating point numbers of 64 bits are for the systems that need them, never for a whole process.
"""

from __future__ import annotations

import contextlib

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from imaginax.types import System

# Settings of jax that change numbers or keys, or refuse what the libraries of games and physics write.
_SETTINGS = {
    "jax_enable_x64": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
}


def pin() -> None:
    """Sets what `JAX_ENABLE_X64`, `JAX_DEFAULT_PRNG_IMPL` and their like would change, for this process.

    A run is then that of its config.json. Call it before a system is made.
    """
    for name, value in _SETTINGS.items():
        jax.config.update(name, value)


def precision(system: System) -> contextlib.AbstractContextManager:
    """Where the programs of a system are traced, compiled and called, with the bits that it asks for."""
    return jax.enable_x64(system.float64)


def precision_of(tree: PyTree) -> contextlib.AbstractContextManager:
    """The same for a program that is known by its arguments, or their shapes, alone."""
    wide = any(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype"))
    return jax.enable_x64(True) if wide else contextlib.nullcontext()
