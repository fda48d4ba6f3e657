"""Layers of units one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.networks.dense import Dense


class MLP(nn.Module):
    """Hidden layers with an activation, and a linear one.

    Attributes:
        hidden: units of each hidden layer.
        outputs: of the last layer.
        activation: after each hidden layer.
        dtype: of the products; weights and outputs are float32.
    """

    hidden: tuple[int, ...]
    outputs: int
    activation: Callable[[Array], Array] = nn.relu
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B I"]) -> Float[Array, "*B O"]:
        """Of any leading axes."""
        for units in self.hidden:
            x = self.activation(Dense(units, dtype=self.dtype)(x))
        return Dense(self.outputs, dtype=self.dtype)(x)


def activation(name: str) -> Callable[[Array], Array]:
    """The nonlinearity of a setting: relu, elu or silu."""
    return {"relu": nn.relu, "elu": nn.elu, "silu": nn.silu}[name]
