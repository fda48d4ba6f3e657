"""Recurrent cells that the latent models share."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class GRU(nn.Module):
    """A gated recurrent unit (Cho et al. 2014, arXiv 1406.1078) that resets after its product.

        r, z = sigmoid(W_r x + U_r h), sigmoid(W_z x + U_z h)
        h' = z h + (1 - z) tanh(W_n x + r U_n h)

    with a bias in every product. The three products of each input are one.

    Attributes:
        units: of the state.
    """

    units: int

    @nn.compact
    def __call__(self, h: Float[Array, "*B D"], x: Float[Array, "*B I"]) -> Float[Array, "*B D"]:
        """The next state."""
        recurrent = nn.initializers.orthogonal()
        of_x = jnp.split(nn.Dense(3 * self.units, name="input")(x), 3, axis=-1)
        of_h = jnp.split(nn.Dense(3 * self.units, kernel_init=recurrent, name="state")(h), 3, axis=-1)
        reset, keep = (nn.sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2], strict=True))
        return keep * h + (1 - keep) * jnp.tanh(of_x[2] + reset * of_h[2])
