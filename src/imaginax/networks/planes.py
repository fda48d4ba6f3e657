"""Encoder and decoder of small boards, one plane of truth values for each kind of object (MinAtar)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.networks.mlp import MLP


class PlaneEncoder(nn.Module):
    """Planes [*B H W C] to [*B E]: one layer of 3 x 3 filters, as in MinAtar's agents (arXiv 1903.03176).

    Attributes:
        depth: filters.
    """

    depth: int = 16

    @nn.compact
    def __call__(self, planes: Float[Array, "*B H W C"]) -> Float[Array, "*B E"]:
        """With rectifiers."""
        x = planes.reshape(-1, *planes.shape[-3:])
        x = nn.relu(nn.Conv(self.depth, (3, 3), padding="VALID")(x))
        return x.reshape(*planes.shape[:-3], -1)


class PlaneDecoder(nn.Module):
    """Features [*B F] to logits [*B H W C] that a cell of a plane is set.

    Attributes:
        shape: (H, W, C).
        hidden: units of each hidden layer.
        activation: nonlinearity of these layers.
        dtype: of the products; weights and outputs are float32.
    """

    shape: tuple[int, ...]
    hidden: tuple[int, ...]
    activation: Callable[[Array], Array]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: Float[Array, "*B F"]) -> Float[Array, "*B H W C"]:
        """Dense layers."""
        x = MLP(self.hidden, math.prod(self.shape), self.activation, self.dtype)(features)
        return x.reshape(*features.shape[:-1], *self.shape)
