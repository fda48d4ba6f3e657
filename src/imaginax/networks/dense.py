"""A dense layer that may multiply with fewer bits."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class Dense(nn.Module):
    """Flax's, with a bias that is added in float32.

    Its gradient is a sum over all rows, which in 16 bits stops growing at a few hundred equal ones.

    Attributes:
        features: of the output.
        use_bias: whether to add one number a feature.
        dtype: of the product; weights and outputs are float32.
        kernel_init: initialiser of the weights.
    """

    features: int
    use_bias: bool = True
    dtype: Any = jnp.float32
    kernel_init: Any = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "*B I"]) -> Float[Array, "*B O"]:
        """Of any leading axes."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        y = (x.astype(self.dtype) @ kernel.astype(self.dtype)).astype(jnp.float32)
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros, (self.features,))
        return y
