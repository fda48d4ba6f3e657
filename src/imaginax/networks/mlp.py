"""Layers of units one after the other."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float


class MLP(nn.Module):
    """Hidden layers with an activation, and a linear one.

    Attributes:
        hidden: units of each hidden layer.
        outputs: of the last layer.
        activation: after each hidden layer.
    """

    hidden: tuple[int, ...]
    outputs: int
    activation: Callable[[Array], Array] = nn.relu

    @nn.compact
    def __call__(self, x: Float[Array, "*B I"]) -> Float[Array, "*B O"]:
        """Of any leading axes."""
        for units in self.hidden:
            x = self.activation(nn.Dense(units)(x))
        return nn.Dense(self.outputs)(x)


def activation(name: str) -> Callable[[Array], Array]:
    """The nonlinearity of a setting: relu, elu or silu."""
    return {"relu": nn.relu, "elu": nn.elu, "silu": nn.silu}[name]
