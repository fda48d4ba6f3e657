"""Recurrent cells that the latent models share."""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.networks.dense import Dense


class GRU(nn.Module):
    """A gated recurrent unit (Cho et al. 2014, arXiv 1406.1078) that resets after its product.

        r, z = sigmoid(W_r x + U_r h), sigmoid(W_z x + U_z h)
        h' = z h + (1 - z) tanh(W_n x + r U_n h)

    with a bias in every product. The three products of each input are one.

    Attributes:
        units: of the state.
        dtype: of the products; weights, gates and state are float32.
    """

    units: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, h: Float[Array, "*B D"], x: Float[Array, "*B I"]) -> Float[Array, "*B D"]:
        """The next state."""
        recurrent = nn.initializers.orthogonal()
        dense = partial(Dense, 3 * self.units, dtype=self.dtype)
        of_x = jnp.split(dense(name="input")(x), 3, axis=-1)
        of_h = jnp.split(dense(kernel_init=recurrent, name="state")(h), 3, axis=-1)
        reset, keep = (nn.sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2], strict=True))
        return keep * h + (1 - keep) * jnp.tanh(of_x[2] + reset * of_h[2])


class LayerNormGRU(nn.Module):
    """The GRU of DreamerV2 (Hafner et al. 2021, arXiv 2010.02193): one normalised product for all gates.

        r, n, z = LayerNorm(W [x, h] + b)
        h' = z' tanh(sigmoid(r) n) + (1 - z') h,    z' = sigmoid(z - 1)

    The bias of -1 on the update gate makes the cell remember at first.

    Attributes:
        units: of the state.
        update_bias: added to the update gate.
        dtype: of the product; weights, normalisation, gates and state are float32.
    """

    units: int
    update_bias: float = -1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, h: Float[Array, "*B D"], x: Float[Array, "*B I"]) -> Float[Array, "*B D"]:
        """The next state."""
        dense = Dense(3 * self.units, dtype=self.dtype, name="gates")
        gates = dense(jnp.concatenate([x, h], axis=-1))
        gates = nn.LayerNorm(epsilon=1e-3, name="norm")(gates)  # that of Keras
        reset, candidate, update = jnp.split(gates, 3, axis=-1)
        candidate = jnp.tanh(nn.sigmoid(reset) * candidate)
        update = nn.sigmoid(update + self.update_bias)
        return update * candidate + (1 - update) * h
