"""The three networks of MuZero (Schrittwieser et al. 2020, arXiv 1911.08265, appendix F), as Flax modules.

    representation  h: observation -> hidden state
    dynamics        g: hidden state, action -> hidden state, reward
    prediction      f: hidden state -> policy, value

Hidden states are scaled to [0, 1], s = (s - min s) / (max s - min s), over all numbers of a state. Layers are
normalised by themselves (LayerNorm), not by the batch: a state is then the same in any batch.
"""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.networks.convolution import Convolution


def scaled(state: Float[Array, "B *S"]) -> Float[Array, "B *S"]:
    """Each state with its minimum at 0 and its maximum at 1; zeros where all numbers are equal."""
    axes = tuple(range(1, state.ndim))
    low, high = state.min(axes, keepdims=True), state.max(axes, keepdims=True)
    return (state - low) / jnp.maximum(high - low, 1e-5)


class MuZeroNetwork(nn.Module):
    """The three networks, called as `represent`, `advance` and `predict`.

    Attributes:
        config: sizes.
        planes: whether hidden states are planes [H W F] rather than vectors.
        actions: number of actions.
        outputs: of the value head, and of the reward head.
    """

    config: MuZeroModelConfig
    planes: bool
    actions: int
    outputs: int

    def setup(self):
        kind = Tower if self.planes else Layers
        self.representation = kind(self.config, downsample=self.config.downsample)
        self.dynamics = kind(self.config)
        self.policy_head = Head(self.config, self.planes, self.actions, "policy")
        self.value_head = Head(self.config, self.planes, self.outputs, "value")
        self.reward_head = Head(self.config, self.planes, self.outputs, "reward")

    def __call__(self, observation: Array, action: Array) -> tuple[Array, ...]:
        """All of them once, which makes their weights."""
        state = self.represent(observation)
        following, reward = self.advance(state, action)
        return (reward, *self.predict(following))

    def represent(self, observation: Shaped[Array, "B *D"]) -> Float[Array, "B *S"]:
        """h: the hidden state of what is seen."""
        dtype = jnp.dtype(self.config.dtype)
        x = observation.astype(dtype) / (255 if observation.dtype == jnp.uint8 else 1)
        return scaled(self.representation(x if self.planes else x.reshape(len(x), -1)))

    def advance(
        self, state: Float[Array, "B *S"], action: Float[Array, "B *A"]
    ) -> tuple[Float[Array, "B *S"], Float[Array, "B C"]]:
        """g: the hidden state after an encoded action, and the outputs of the reward head."""
        x = jnp.concatenate([state, action.astype(state.dtype)], axis=-1)
        following = self.dynamics(x, state)
        return scaled(following), self.reward_head(following)

    def predict(self, state: Float[Array, "B *S"]) -> tuple[Float[Array, "B A"], Float[Array, "B C"]]:
        """f: logits of the policy, and the outputs of the value head."""
        return self.policy_head(state), self.value_head(state)


class Tower(nn.Module):
    """A convolution and residual blocks; `skip` is added before the blocks."""

    config: MuZeroModelConfig
    downsample: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W I"], skip: Float[Array, "B H W F"] | None = None
    ) -> Float[Array, "B V U F"]:
        """Features of every square."""
        config = self.config
        if self.downsample:
            x = Downsampling(config, name="downsampling")(x)
        x = _norm(config)(_convolution(config, config.channels, name="first")(x))
        x = nn.relu(x if skip is None else x + skip)
        for i in range(config.blocks):
            x = ResidualBlock(config, config.channels, name=f"block_{i}")(x)
        return x


class Downsampling(nn.Module):
    """Frames of 96x96 to 6x6, as published: two convolutions of stride 2, residual blocks, two poolings."""

    config: MuZeroModelConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B V U F"]:
        """Half of `channels` before the second convolution, all after it."""
        config = self.config
        half = max(1, config.channels // 2)
        for stage, (filters, blocks) in enumerate(((half, 2), (config.channels, 3))):
            x = nn.Conv(filters, (3, 3), strides=2, use_bias=False, dtype=jnp.dtype(config.dtype))(x)
            for i in range(blocks):
                x = ResidualBlock(config, filters, name=f"stage_{stage}_block_{i}")(x)
        x = nn.avg_pool(x, (3, 3), (2, 2), "SAME")
        for i in range(3):
            x = ResidualBlock(config, config.channels, name=f"last_block_{i}")(x)
        return nn.avg_pool(x, (3, 3), (2, 2), "SAME")


class ResidualBlock(nn.Module):
    """Two convolutions of 3x3 with normalisation, the sum with the input, rectifier."""

    config: MuZeroModelConfig
    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W F"]) -> Float[Array, "B H W F"]:
        """Of every square."""
        y = nn.relu(_norm(self.config)(_convolution(self.config, self.features)(x)))
        return nn.relu(x + _norm(self.config)(_convolution(self.config, self.features)(y)))


class Layers(nn.Module):
    """Dense layers, with the interface of `Tower`."""

    config: MuZeroModelConfig
    downsample: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "B I"], skip: Float[Array, "B F"] | None = None
    ) -> Float[Array, "B F"]:
        """The last layer gives the hidden state's numbers."""
        dtype = jnp.dtype(self.config.dtype)
        for _ in range(self.config.blocks):
            x = nn.relu(nn.LayerNorm(dtype=dtype)(nn.Dense(self.config.hidden, dtype=dtype)(x)))
        x = nn.Dense(self.config.latent, dtype=dtype)(x)
        return x if skip is None else x + skip


class Head(nn.Module):
    """A head: its last layer is called `kind`, for which fresh weights are zero."""

    config: MuZeroModelConfig
    planes: bool
    outputs: int
    kind: str

    @nn.compact
    def __call__(self, x: Float[Array, "B *S"]) -> Float[Array, "B O"]:
        """In float32."""
        config = self.config
        if self.planes and self.kind == "policy" and config.policy == "conv":
            x = nn.relu(_norm(config)(_convolution(config, config.channels)(x)))
            kinds = self.outputs // math.prod(x.shape[1:3])
            x = _convolution(config, kinds, 1, bias=True, name=self.kind)(x)
            return x.reshape(len(x), -1).astype(jnp.float32)
        if self.planes:
            filters = config.policy_filters if self.kind == "policy" else config.value_filters
            x = nn.relu(_norm(config)(_convolution(config, filters, 1)(x)))
        x = x.reshape(len(x), -1).astype(jnp.float32)
        if not (self.planes and self.kind == "policy"):
            x = nn.relu(nn.Dense(config.hidden, name="hidden")(x))
        return nn.Dense(self.outputs, name=self.kind)(x)


def _norm(config: MuZeroModelConfig) -> nn.Module:
    return nn.LayerNorm(reduction_axes=(-3, -2, -1), feature_axes=-1, dtype=jnp.dtype(config.dtype))


def _convolution(config: MuZeroModelConfig, features: int, size: int = 3, **options: Any) -> Convolution:
    return Convolution(features, size, backend=config.backend, dtype=jnp.dtype(config.dtype), **options)
