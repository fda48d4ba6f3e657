"""Settings of MuZero's model."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError
from imaginax.networks.config import Backend

# Each block is traced and compiled on its own: thousands of them would take hours.
_BOUNDS = {
    "channels": (1, 100_000),
    "blocks": (0, 200),
    "latent": (2, 1_000_000),
    "policy_filters": (1, 100_000),
    "value_filters": (1, 100_000),
    "hidden": (1, 1_000_000),
    "bins": (0, 100_001),
}


@dataclasses.dataclass(frozen=True)
class MuZeroModelConfig:
    """Representation, dynamics and prediction; the defaults are the published ones for Atari.

    Planes (boards, MinAtar, frames) pass residual blocks and keep the shape of the board; vectors, and boards
    with `dense`, pass dense layers.

    Attributes:
        channels: filters of each convolution, and planes of a hidden state.
        blocks: residual blocks, or dense layers, of the representation and of the dynamics.
        latent: numbers of a hidden state, in dense layers.
        dense: whether planes too are seen as one vector, which suits boards on which all squares are near.
        downsample: whether the representation first takes frames to 1/16 of their height and width.
        policy: kind of the policy head: `fc`, a dense layer; or `conv`, which gives a logit to each kind of
            move from (or to) each square of chess and shogi.
        policy_filters: filters of the 1x1 convolution before the dense layer of the policy head.
        value_filters: filters of the 1x1 convolution before the dense layers of value and reward heads.
        hidden: units of the dense layer of each head, and of other dense layers.
        bins: atoms of the support of values and rewards, an odd number; 0 for one number in (-1, 1) and a
            squared error, which is the paper's choice for board games.
        largest: largest atom, on the transformed scale.
        transform: whether values and rewards are learned as h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x.
        dtype: number type of the computation; weights and outputs are float32.
        backend: implementation of the convolutions, see `networks.convolution`.
    """

    channels: int = 256
    blocks: int = 16
    latent: int = 64
    dense: bool = False
    downsample: bool = False
    policy: Literal["fc", "conv"] = "fc"
    policy_filters: int = 2
    value_filters: int = 1
    hidden: int = 256
    bins: int = 601
    largest: float = 300.0
    transform: bool = True
    dtype: Literal["float32", "bfloat16"] = "float32"
    backend: Backend = "auto"

    def __post_init__(self):
        for name, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"model.{name} must lie in [{least}, {most}], got {getattr(self, name)}")
        if self.bins and (self.bins % 2 == 0 or self.bins < 3):
            raise ConfigError(f"model.bins must be an odd number from 3 on, or 0, got {self.bins}")
        if not 0.0 < self.largest <= 1e6:
            raise ConfigError(f"model.largest must lie in (0, 1e6], got {self.largest}")
