"""Values and rewards as heads learn them: a distribution over a support on a transformed scale, or a number.

Schrittwieser et al. 2020 (arXiv 1911.08265), appendix F, "Network architecture": a scalar x is learned as
h(x), two neighbouring atoms of whose support carry its weight; h is that of Pohlen et al. 2018
(arXiv 1805.11593, Proposition A.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.distributions import TwoHot
from imaginax.models.muzero.config import MuZeroModelConfig

EPSILON = 1e-3


class Scalar(NamedTuple):
    """How a head's outputs stand for a number.

    outputs: how many the head has
    decode:  outputs [*B C] -> numbers [*B]
    loss:    (outputs [*B C], targets [*B]) -> losses [*B]
    """

    outputs: int
    decode: Callable[[Array], Array]
    loss: Callable[[Array, Array], Array]


def signed_hyperbolic(x: Float[Array, "*B"], epsilon: float = EPSILON) -> Float[Array, "*B"]:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + epsilon x."""
    return jnp.sign(x) * (jnp.sqrt(jnp.abs(x) + 1) - 1) + epsilon * x


def signed_parabolic(x: Float[Array, "*B"], epsilon: float = EPSILON) -> Float[Array, "*B"]:
    """The inverse of `signed_hyperbolic`: with w = sqrt(|x| + 1), eps w^2 + w = |h(x)| + 1 + eps.

    The published form sign(y) (((sqrt(1 + 4 eps (|y| + 1 + eps)) - 1) / (2 eps))^2 - 1) subtracts near
    numbers twice. The same root is w - 1 = 2 |y| / (1 + 2 eps + sqrt(1 + 4 eps (|y| + 1 + eps))).
    """
    size = jnp.abs(x)
    root = jnp.sqrt(1 + 4 * epsilon * (size + 1 + epsilon))
    beyond = 2 * size / (1 + 2 * epsilon + root)  # w - 1
    return jnp.sign(x) * beyond * (beyond + 2)


def make_scalar(config: MuZeroModelConfig) -> Scalar:
    """The representation of a configuration."""
    if not config.bins:
        return Scalar(1, _bounded, lambda outputs, target: (_bounded(outputs) - target) ** 2)
    half = np.linspace(0.0, config.largest, config.bins // 2 + 1, dtype=np.float32)
    support = np.concatenate([-half[:0:-1], half])
    ahead, back = (signed_hyperbolic, signed_parabolic) if config.transform else (_same, _same)

    def decode(outputs: Array) -> Array:
        return back(TwoHot(outputs, support).mean())

    def loss(outputs: Array, target: Array) -> Array:
        return -TwoHot(outputs, support).log_prob(jax.lax.stop_gradient(ahead(target)))

    return Scalar(config.bins, decode, loss)


def _bounded(outputs: Float[Array, "*B 1"]) -> Float[Array, "*B"]:
    return jnp.tanh(outputs[..., 0])


def _same(x: Array) -> Array:
    return x
