"""Small operations on batches, for the loops of matches and searches."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.types import TimeStep


def select(condition: Bool[Array, "*B"], chosen: PyTree, otherwise: PyTree) -> PyTree:
    """Leaf by leaf `jnp.where`; the condition's axes are the leading ones of every leaf."""

    def leaf(a: Array, b: Array) -> Array:
        shape = condition.shape + (1,) * (jnp.ndim(a) - condition.ndim)
        return jnp.where(condition.reshape(shape), a, b)

    return jax.tree.map(leaf, chosen, otherwise)


def draw(allowed: Bool[Array, "B A"], key: Array) -> Int[Array, "B"]:
    """One of the allowed actions of each row, all equally likely."""
    return jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf)).astype(jnp.int32)


def shares(allowed: Bool[Array, "B A"]) -> Float[Array, "B A"]:
    """The probabilities that `draw` gives."""
    return allowed.astype(jnp.float32) / allowed.sum(axis=-1, keepdims=True)


def legal_of(timestep: TimeStep) -> Bool[Array, "*B A"]:
    """The legal actions of a board game's time step, where they are always known."""
    assert timestep.legal is not None
    return timestep.legal
