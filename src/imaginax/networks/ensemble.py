"""An ensemble of multilayer perceptrons as one Flax module (Chua et al. 2018, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class EnsembleDense(nn.Module):
    """A dense layer with weights of its own for each of `members` networks.

    Kernels start as a normal truncated at two deviations, of scale 1 / (2 sqrt(inputs)), biases at zero.
    """

    members: int
    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "K M I"]) -> Float[Array, "K M O"]:
        inputs = x.shape[-1]
        scale = nn.initializers.truncated_normal(1.0 / (2.0 * inputs**0.5))
        kernel = self.param("kernel", scale, (self.members, inputs, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.members, 1, self.features))
        return jnp.einsum("kmi,kio->kmo", x, kernel) + bias


class EnsembleMLP(nn.Module):
    """`members` perceptrons with swish units and, if probabilistic, a diagonal Gaussian output.

    The log variance is kept between two learned bounds, shared by the members and one per
    output dimension, by lv <- max - softplus(max - lv), lv <- min + softplus(lv - min)
    (appendix A.1 of the paper), which start at 0.5 and -10.
    """

    members: int
    hidden: Sequence[int]
    outputs: int
    probabilistic: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "K M F"]) -> tuple[Float[Array, "K M D"], Float[Array, "K M D"] | None]:
        """The mean and the log variance (None where deterministic) of each member on its own inputs."""
        for index, features in enumerate(self.hidden):
            x = jax.nn.swish(EnsembleDense(self.members, features, name=f"layer_{index}")(x))
        heads = 2 if self.probabilistic else 1
        x = EnsembleDense(self.members, heads * self.outputs, name=f"layer_{len(self.hidden)}")(x)
        if not self.probabilistic:
            return x, None
        mean, log_variance = jnp.split(x, 2, axis=-1)
        low, high = self._bounds()
        log_variance = high - jax.nn.softplus(high - log_variance)
        log_variance = low + jax.nn.softplus(log_variance - low)
        return mean, log_variance

    def _bounds(self) -> tuple[Float[Array, "D"], Float[Array, "D"]]:
        low = self.param("min_log_variance", nn.initializers.constant(-10.0), (self.outputs,))
        high = self.param("max_log_variance", nn.initializers.constant(0.5), (self.outputs,))
        return low, high


def weight_decay(network: Any, rates: Sequence[float]) -> Float[Array, ""]:
    """Sum over layers and members of rate * |W|^2 / 2, with one rate a layer and none on biases."""
    squares = [jnp.sum(network[f"layer_{i}"]["kernel"] ** 2) for i in range(len(rates))]
    return 0.5 * sum(rate * square for rate, square in zip(rates, squares, strict=True))
