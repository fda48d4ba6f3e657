"""The first update of systems that fit Gaussian processes once a trial."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.runtime.loop import first_state, make_chunk
from imaginax.runtime.precision import precision


def first_update(system):
    """(state after the random trial, state after the next chunk, its output), as numpy.

    Numpy keeps float64 outside of the scope too; keys stay keys.
    """
    with precision(system):
        state = jax.tree.map(
            lambda x: x[0], jax.jit(first_state(system))(jax.random.split(jax.random.key(0), 1))
        )
        random, control = (jax.jit(make_chunk(system, stage)) for stage in system.schedule)
        begun, _ = random(state, jnp.int32(0))
        return jax.tree.map(_number, (begun, *control(begun, jnp.int32(0))))


def _number(leaf):
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.asarray(leaf)
