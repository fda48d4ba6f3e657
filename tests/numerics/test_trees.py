"""Choices between trees of arrays."""

import jax.numpy as jnp
import numpy as np

from imaginax.numerics.trees import select


def test_every_leaf_is_chosen_by_its_rows():
    condition = jnp.array([True, False])
    old = {"a": jnp.zeros(2), "b": jnp.zeros((2, 3), jnp.int32)}
    new = {"a": jnp.ones(2), "b": jnp.full((1, 3), 7)}
    chosen = select(condition, new, old)
    np.testing.assert_array_equal(chosen["a"], [1, 0])
    np.testing.assert_array_equal(chosen["b"], [[7, 7, 7], [0, 0, 0]])
