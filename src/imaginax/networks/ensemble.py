"""An ensemble of multilayer perceptrons as one Flax module (Chua et al. 2018, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

MANY_ROWS = 64  # from here on plain matrix products win on a CPU; see benchmarks/ensemble_forms.py


class Layer(NamedTuple):
    """The weights of one dense layer of every member."""

    kernel: Float[Array, "*#K I O"]
    bias: Float[Array, "*#K 1 O"]


class EnsembleOutputs(NamedTuple):
    """What every member says of its own inputs.

    Attributes:
        mean: of the Gaussian outputs.
        log_variance: theirs; None where the members are deterministic.
        logits: of the Bernoulli outputs.
    """

    mean: Float[Array, "K M D"]
    log_variance: Float[Array, "K M D"] | None
    logits: Float[Array, "K M E"]


class EnsembleLayer(nn.Module):
    """Holds a `Layer`.

    Kernels start as a normal truncated at two deviations, of scale 1 / (2 sqrt(inputs)), biases at zero.
    """

    members: int
    features: int

    @nn.compact
    def __call__(self, inputs: int) -> Layer:
        scale = nn.initializers.truncated_normal(1.0 / (2.0 * inputs**0.5))
        kernel = self.param("kernel", scale, (self.members, inputs, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.members, 1, self.features))
        return Layer(kernel, bias)


class EnsembleMLP(nn.Module):
    """`members` perceptrons with swish units and, if probabilistic, a diagonal Gaussian output.

    `events` more outputs are logits of Bernoulli variables.

    The log variance is kept between two learned bounds, shared by the members and one per
    output dimension, by lv <- max - softplus(max - lv), lv <- min + softplus(lv - min)
    (appendix A.1 of the paper), which start at 0.5 and -10.
    """

    members: int
    hidden: Sequence[int]
    outputs: int
    probabilistic: bool = True
    events: int = 0

    @nn.compact
    def __call__(self, x: Float[Array, "K M F"]) -> EnsembleOutputs:
        """The outputs of each member on its own inputs."""
        gaussian = (2 if self.probabilistic else 1) * self.outputs
        layers, inputs = [], x.shape[-1]
        for index, features in enumerate((*self.hidden, gaussian + self.events)):
            layers.append(EnsembleLayer(self.members, features, name=f"layer_{index}")(inputs))
            inputs = features
        x = forward(layers, x)
        x, logits = x[..., :gaussian], x[..., gaussian:]
        if not self.probabilistic:
            return EnsembleOutputs(x, None, logits)
        mean, log_variance = jnp.split(x, 2, axis=-1)
        low, high = self._bounds()
        log_variance = high - jax.nn.softplus(high - log_variance)
        log_variance = low + jax.nn.softplus(log_variance - low)
        return EnsembleOutputs(mean, log_variance, logits)

    def _bounds(self) -> tuple[Float[Array, "D"], Float[Array, "D"]]:
        low = self.param("min_log_variance", nn.initializers.constant(-10.0), (self.outputs,))
        high = self.param("max_log_variance", nn.initializers.constant(0.5), (self.outputs,))
        return low, high


def forward(layers: Sequence[Layer], x: Float[Array, "K M F"]) -> Float[Array, "K M O"]:
    """Every member on its own rows.

    On a CPU XLA's batched matrix product is faster for a few rows (training) and slower for many
    (planning); elsewhere it is the right form. The platform is that which the program is compiled for.
    """
    if x.shape[1] < MANY_ROWS:
        return forward_at_once(layers, x)
    return jax.lax.platform_dependent(list(layers), x, cpu=forward_one_by_one, default=forward_at_once)


def forward_at_once(layers: Sequence[Layer], x: Float[Array, "*K M F"]) -> Float[Array, "*K M O"]:
    """One batched matrix product a layer; or, without the members' axis, one member."""
    for layer in layers[:-1]:
        x = swish(x @ layer.kernel + layer.bias)
    return x @ layers[-1].kernel + layers[-1].bias


def forward_one_by_one(layers: Sequence[Layer], x: Float[Array, "K M F"]) -> Float[Array, "K M O"]:
    """One member after the other; only its narrow output is stacked with the others'."""
    members = (jax.tree.map(lambda w, k=k: w[k], layers) for k in range(len(x)))
    return jnp.stack([forward_at_once(member, rows) for member, rows in zip(members, x, strict=True)])


def swish(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x sigmoid(x), by tanh, which XLA computes faster on a CPU than an exponential and a division."""
    half = 0.5 * x
    return half + half * jnp.tanh(half)


def weight_decay(network: Any, rates: Sequence[float]) -> Float[Array, ""]:
    """Sum over layers and members of rate * |W|^2 / 2, with one rate a layer and none on biases."""
    squares = [jnp.sum(network[f"layer_{i}"]["kernel"] ** 2) for i in range(len(rates))]
    return 0.5 * jnp.dot(jnp.asarray(rates), jnp.stack(squares))
