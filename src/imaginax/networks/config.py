"""Settings of networks."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError

Backend = Literal["auto", "xla"]

# Each block is traced and compiled on its own: thousands of them would take hours.
_BOUNDS = {
    "channels": (1, 100_000),
    "blocks": (0, 200),
    "policy_filters": (0, 100_000),
    "value_filters": (1, 100_000),
    "value_hidden": (1, 1_000_000),
}


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """A policy and value network; the defaults are AlphaGo Zero's smaller one.

    Attributes:
        channels: filters of each convolution of the trunk.
        blocks: blocks of two convolutions each after the first convolution.
        kind: blocks with a skip connection (`residual`) or without (`convolutional`).
        trunks: one trunk for both heads (`dual`) or one for each (`separate`).
        policy: kind of the policy head: `fc`, a dense layer over the board; or `conv`, AlphaZero's for chess
            and shogi, which gives a logit to each kind of move from (or to) each square.
        policy_filters: filters of the 1x1 convolution before the dense layer of `fc`; 0: as many as
            `channels`.
        value_filters: filters of the 1x1 convolution of the value head.
        value_hidden: units of the dense layer of the value head.
        momentum: decay of the running statistics of batch normalisation in a training step.
        epsilon: number that batch normalisation adds to the variance.
        dtype: number type of the computation; weights, statistics and outputs are float32.
        backend: implementation of the convolutions, see `networks.convolution`.
    """

    channels: int = 256
    blocks: int = 19
    kind: Literal["residual", "convolutional"] = "residual"
    trunks: Literal["dual", "separate"] = "dual"
    policy: Literal["fc", "conv"] = "fc"
    policy_filters: int = 2
    value_filters: int = 1
    value_hidden: int = 256
    momentum: float = 0.99
    epsilon: float = 1e-5
    dtype: Literal["float32", "bfloat16"] = "float32"
    backend: Backend = "auto"

    def __post_init__(self):
        for name, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"network.{name} must lie in [{least}, {most}], got {getattr(self, name)}")
        if not 0.0 <= self.momentum < 1.0:
            raise ConfigError(f"network.momentum must lie in [0, 1), got {self.momentum}")
        if not 0.0 < self.epsilon <= 1.0:
            raise ConfigError(f"network.epsilon must lie in (0, 1], got {self.epsilon}")
