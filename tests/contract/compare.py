"""How far two learners are apart."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


def words(tree) -> list[np.ndarray]:
    """The leaves of a tree, keys as words."""
    return [_word(leaf) for leaf in jax.tree.leaves(tree)]


def difference(learner, others: Sequence[np.ndarray]) -> float:
    """The largest difference of an array, relative to the largest number in its part of the learner.

    A part is what lies under one field: all parameters, all first moments. A bias whose gradient is a small
    difference of large terms is thus not measured against itself.

    Args:
        learner: a learner.
        others: `words` of another.
    """
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(learner)]
    differences, scales = {}, {}
    for path, a, b in zip(paths, words(learner), others, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, path
        if not np.issubdtype(a.dtype, np.floating):
            assert np.array_equal(a, b), path
        elif a.size:
            part = tuple(str(entry) for entry in path if not isinstance(entry, jax.tree_util.DictKey))
            differences[part] = max(differences.get(part, 0.0), float(np.abs(a - b).max()))
            scales[part] = max(scales.get(part, 0.0), float(np.abs(a).max()))
    return max((largest / (scales[part] or 1.0) for part, largest in differences.items()), default=0.0)


def _word(leaf) -> np.ndarray:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)
