"""The actors of Dreamer and DreamerV2: a network from a belief to a distribution over actions.

    Dreamer (arXiv 1912.01603, appendix A)    tanh(x), x ~ N(5 tanh(m / 5), softplus(s + s_0))
    DreamerV2 (arXiv 2010.02193, appendix)    normal in [-1, 1], mean tanh(m), deviation 2 sigmoid(s / 2)
    discrete actions                          one-hot, with straight-through gradients

m and s are the outputs of the network. Continuous actions lie in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.distributions import StraightThroughOneHot, TanhNormal, TruncatedNormal
from imaginax.networks.mlp import MLP, activation
from imaginax.policies.config import ActorConfig
from imaginax.types import Belief, Discrete, EnvSpec, Params


class Actor(NamedTuple):
    """A policy that needs no search.

    init: key -> params
    act:  (params, belief [*B ...]) -> distribution over actions [*B A]
    """

    init: Callable[[Array], Params]
    act: Callable[[Params, Belief], Any]


def make_actor(
    spec: EnvSpec, config: ActorConfig, features: Callable[[Belief], Float[Array, "*B F"]], width: int
) -> Actor:
    """The actor of an environment.

    Args:
        spec: of the environment, continuous actions in [-1, 1].
        config: sizes, and the distribution of continuous actions.
        features: what the network sees of a belief.
        width: F, their number.
    """
    if isinstance(spec.action, Discrete):
        outputs, stands_for = spec.action.size, StraightThroughOneHot
    else:
        outputs, stands_for = 2 * spec.action.shape[-1], partial(_CONTINUOUS[config.continuous], config)
    network = MLP(config.hidden, outputs, activation(config.activation))

    def init(key: Array) -> Params:
        return network.init(key, jnp.zeros((1, width)))["params"]

    def act(params: Params, belief: Belief) -> Any:
        return stands_for(network.apply({"params": params}, features(belief)))  # pyright: ignore

    return Actor(init, act)


def tanh_normal(config: ActorConfig, outputs: Float[Array, "*B O"]) -> TanhNormal:
    """Dreamer's: the mean is bounded, and an untrained deviation is `config.init_std`."""
    mean, std = jnp.split(outputs, 2, axis=-1)
    mean = config.mean_scale * jnp.tanh(mean / config.mean_scale)
    offset = math.log(math.expm1(config.init_std))
    return TanhNormal(mean, jax.nn.softplus(std + offset) + config.min_std)


def truncated_normal(config: ActorConfig, outputs: Float[Array, "*B O"]) -> TruncatedNormal:
    """DreamerV2's: mean and deviation are bounded, and an untrained deviation is 1 and `config.min_std`."""
    mean, std = jnp.split(outputs, 2, axis=-1)
    return TruncatedNormal(jnp.tanh(mean), 2 * jax.nn.sigmoid(std / 2) + config.min_std)


_CONTINUOUS = {"tanh_normal": tanh_normal, "truncated_normal": truncated_normal}
