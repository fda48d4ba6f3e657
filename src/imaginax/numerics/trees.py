"""Operations on whole trees of arrays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree


def select(condition: Bool[Array, "*B"], chosen: PyTree, otherwise: PyTree) -> PyTree:
    """`chosen` where the condition holds, else `otherwise`, row by row.

    Args:
        condition: of every row.
        chosen: leaves [*B ...], or of a shape that broadcasts to it.
        otherwise: leaves [*B ...].
    """

    def leaf(new: Array, old: Array) -> Array:
        return jnp.where(condition.reshape(*condition.shape, *(1,) * (old.ndim - condition.ndim)), new, old)

    return jax.tree.map(leaf, chosen, otherwise)
