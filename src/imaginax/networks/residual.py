"""Policy and value networks for boards: AlphaGo Zero's tower and the four variants of its Figure 4.

Silver et al. 2017 (doi 10.1038/nature24270, Methods, "Neural network architecture"): a convolution of 3x3,
residual blocks of two such convolutions each, and a head each for the policy and for the value, all with
batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) before each rectifier.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped

from imaginax.networks.config import NetworkConfig
from imaginax.networks.convolution import Convolution
from imaginax.types import ConfigError

Variables = PyTree

_LAST = ("policy", "policy_planes", "value", "reward")  # layers without a rectifier after them


class Network(NamedTuple):
    """A network as pure functions; its variables are {"params": ..., "batch_stats": ...}.

    init:  key -> variables
    apply: (variables, planes [B H W C]) -> (logits [B A], value [B] in (-1, 1)); each row on its own, with
        the running statistics
    train: (variables, planes) -> (logits, value, the new running statistics), with those of the batch
    """

    init: Callable[[Array], Variables]
    apply: Callable[[Variables, Shaped[Array, "B H W C"]], tuple[Float[Array, "B A"], Float[Array, "B"]]]
    train: Callable[
        [Variables, Shaped[Array, "B H W C"]], tuple[Float[Array, "B A"], Float[Array, "B"], PyTree]
    ]


def make_network(
    config: NetworkConfig,
    planes: tuple[int, ...],
    actions: int,
    layout: Int[np.ndarray, "A"] | None = None,
) -> Network:
    """The network of a configuration.

    Args:
        config: its sizes.
        planes: [H, W, C] of its input.
        actions: of the game.
        layout: for `policy="conv"`, the place of each action in the flat output [H, W, kinds of move], see
            `networks.action_planes`; by default they are in that order.

    Raises:
        ConfigError: if `policy="conv"` does not fit the game.
    """
    if config.policy == "conv":
        _check_squares(planes, actions)
    else:
        layout = None
    tower = Tower(config, actions)

    def apply(variables: Variables, planes: Array) -> tuple[Array, Array]:
        logits, value = cast(tuple[Array, Array], tower.apply(variables, planes, train=False))
        return ordered(logits), value

    def train(variables: Variables, planes: Array) -> tuple[Array, Array, PyTree]:
        (logits, value), new = tower.apply(variables, planes, train=True, mutable=["batch_stats"])
        return ordered(logits), value, new["batch_stats"]

    def ordered(logits: Array) -> Array:
        return logits if layout is None else logits[:, layout]

    def init(key: Array) -> Variables:
        shapes = jax.eval_shape(partial(tower.init, train=False), key, jnp.zeros((1, *planes)))
        return fresh_variables(shapes, key)

    return Network(init, apply, train)


def fresh_variables(shapes: Variables, key: Array) -> Variables:
    """Variables of given shapes: kernels normal, scales and variances one, the rest zero.

    A kernel's variance is 2 / inputs, for the rectifier after it (He et al. 2015, arXiv 1502.01852). Those of
    the last layers are zero: an untrained network has no opinion, logits and value are 0 everywhere, and
    search has the rules alone. All are of one draw, since each draw takes a second to compile on a CPU.
    """
    named, structure = jax.tree.flatten_with_path(shapes)
    names = [[part.key for part in path] for path, _ in named]
    drawn = [name[-1] == "kernel" and name[-2] not in _LAST for name in names]
    sizes = [leaf.size if random else 0 for random, (_, leaf) in zip(drawn, named, strict=True)]
    normal = jnp.split(jax.random.normal(key, (sum(sizes),)), list(accumulate(sizes))[:-1])
    leaves = []
    for name, (_, leaf), values in zip(names, named, normal, strict=True):
        if values.size:
            leaves.append(values.reshape(leaf.shape) * math.sqrt(2.0 * leaf.shape[-1] / leaf.size))
        else:
            leaves.append(jnp.full(leaf.shape, float(name[-1] in ("scale", "var"))))
    return jax.tree.unflatten(structure, leaves)


def _check_squares(planes: tuple[int, ...], actions: int) -> None:
    squares = math.prod(planes[:2])
    if actions % squares:
        raise ConfigError(
            f"network.policy=conv needs as many actions for each of the {squares} squares, and the game"
            f" has {actions}: use network.policy=fc"
        )


class Tower(nn.Module):
    """Trunk and heads."""

    config: NetworkConfig
    actions: int

    @nn.compact
    def __call__(
        self, planes: Shaped[Array, "B H W C"], *, train: bool
    ) -> tuple[Float[Array, "B A"], Float[Array, "B"]]:
        """Logits of the policy and the value; `train` normalises by the batch."""
        x = planes.astype(self.config.dtype)
        if self.config.trunks == "dual":
            for_policy = for_value = Trunk(self.config, name="trunk")(x, train=train)
        else:
            for_policy = Trunk(self.config, name="policy_trunk")(x, train=train)
            for_value = Trunk(self.config, name="value_trunk")(x, train=train)
        return self._policy(for_policy, train), self._value(for_value, train)

    def _policy(self, x: Float[Array, "B H W F"], train: bool) -> Float[Array, "B A"]:
        config = self.config
        if config.policy == "conv":
            x = Block(config, config.channels, name="policy_block")(x, train=train)
            kinds = self.actions // math.prod(x.shape[1:3])
            x = _convolution(config, kinds, 1, bias=True, name="policy_planes")(x)
            return x.reshape(len(x), -1).astype(jnp.float32)
        filters = config.policy_filters or config.channels
        x = Block(config, filters, 1, name="policy_block")(x, train=train)
        return nn.Dense(self.actions, name="policy")(x.reshape(len(x), -1).astype(jnp.float32))

    def _value(self, x: Float[Array, "B H W F"], train: bool) -> Float[Array, "B"]:
        config = self.config
        x = Block(config, config.value_filters, 1, name="value_block")(x, train=train)
        x = x.reshape(len(x), -1).astype(jnp.float32)
        x = nn.relu(nn.Dense(config.value_hidden, name="value_hidden")(x))
        return jnp.tanh(nn.Dense(1, name="value")(x))[:, 0]


class Trunk(nn.Module):
    """The first convolution and the blocks."""

    config: NetworkConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool) -> Float[Array, "B H W F"]:
        """Features of every square."""
        config = self.config
        x = Block(config, config.channels, name="first")(x, train=train)
        for i in range(config.blocks):
            skip = x if config.kind == "residual" else None
            x = Block(config, config.channels, name=f"block_{i}_a")(x, train=train)
            x = Block(config, config.channels, name=f"block_{i}_b")(x, skip, train=train)
        return x


class Block(nn.Module):
    """Convolution, batch normalisation, the sum with `skip` if there is one, rectifier."""

    config: NetworkConfig
    features: int
    size: int = 3

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W I"], skip: Float[Array, "B H W O"] | None = None, *, train: bool
    ) -> Float[Array, "B H W O"]:
        """Of every square."""
        config = self.config
        x = _convolution(config, self.features, self.size)(x)
        x = nn.BatchNorm(
            use_running_average=not train,
            momentum=config.momentum,
            epsilon=config.epsilon,
            dtype=jnp.dtype(config.dtype),
        )(x)
        return nn.relu(x if skip is None else x + skip)


def _convolution(config: NetworkConfig, features: int, size: int, **options: Any) -> Convolution:
    return Convolution(features, size, backend=config.backend, dtype=jnp.dtype(config.dtype), **options)
