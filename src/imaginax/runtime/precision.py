"""Floating point numbers of 64 bits for the systems that need them, never for a whole process."""

from __future__ import annotations

import contextlib

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from imaginax.types import System


def precision(system: System) -> contextlib.AbstractContextManager:
    """Where the programs of a system are traced, compiled and called.

    In it new arrays have 64 bits if the system asks for that; for any other system it changes nothing.
    """
    return jax.enable_x64(True) if system.float64 else contextlib.nullcontext()


def precision_of(tree: PyTree) -> contextlib.AbstractContextManager:
    """The same for a program that is known by its arguments, or their shapes, alone."""
    wide = any(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype"))
    return jax.enable_x64(True) if wide else contextlib.nullcontext()
