"""Batches computed one by one are those of `jax.vmap`, and call LAPACK for single matrices."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.numerics.cholesky import cholesky, solve_lower
from imaginax.numerics.sequential_vmap import sequential_vmap


def _scale(matrix, factor):
    return matrix * factor["by"] + 1.0


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 0)])
def test_values_are_those_of_vmap(axes):
    matrix, factor = jnp.arange(12.0).reshape(3, 4), {"by": jnp.array([2.0, -1.0, 0.5])}
    matrix = matrix.T if axes[0] == 1 else matrix
    got = jax.jit(jax.vmap(sequential_vmap(_scale), axes))(matrix, factor if axes[1] == 0 else {"by": 2.0})
    expected = jax.vmap(_scale, axes)(matrix, factor if axes[1] == 0 else {"by": 2.0})
    np.testing.assert_array_equal(got, expected)


def _halvings(x, key):
    """A search that takes as many turns as its start asks for, with something drawn."""
    end = jax.lax.while_loop(lambda c: c[0] > 1.0, lambda c: (c[0] / 2, c[1] + 1), (x, 0))
    return {"end": end, "drawn": jax.random.normal(key)}


def test_searches_with_several_results_end_each_on_its_own():
    starts, keys = jnp.array([0.5, 40.0, 3.0]), jax.random.split(jax.random.key(0), 3)
    got = jax.jit(jax.vmap(sequential_vmap(_halvings)))(starts, keys)
    expected = jax.vmap(_halvings)(starts, keys)
    jax.tree.map(np.testing.assert_array_equal, got, expected)
    if jax.default_backend() == "cpu":  # under `jax.vmap` each turn asks all three whether they have ended
        alone, together = (
            jax.jit(jax.vmap(f)).lower(starts, keys).compile().as_text()
            for f in (sequential_vmap(_halvings), _halvings)
        )
        assert "pred[3]" in together and "pred[3]" not in alone


def test_batches_of_batches_call_lapack_for_single_matrices():
    """The batches of LAPACK calls that two cores cannot do side by side."""
    size = 5
    root = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
    matrices = jnp.asarray(root @ np.swapaxes(root, -1, -2) + size * np.eye(size, dtype=np.float32))

    def inverse(matrix):
        half = solve_lower(cholesky(matrix), jnp.eye(size))
        return half.T @ half

    program = jax.jit(jax.vmap(jax.vmap(inverse))).lower(matrices).compile()
    np.testing.assert_allclose(program(matrices), np.linalg.inv(matrices), rtol=1e-3, atol=1e-5)
    calls = [line for line in program.as_text().splitlines() if re.search(r"lapack_s(potrf|trsm)_ffi", line)]
    assert len(calls) >= 2
    if jax.default_backend() == "cpu":
        assert all(f"[1,{size},{size}]" in line or f"f32[{size},{size}]" in line for line in calls), calls
