"""Settings of actors."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class ActorConfig:
    """A network that maps beliefs to a distribution over actions; the defaults are Dreamer's.

    Attributes:
        hidden: units of each hidden layer.
        activation: nonlinearity of the hidden layers.
        continuous: distribution of continuous actions, Dreamer's or DreamerV2's.
        mean_scale: largest mean of a tanh-normal, before tanh.
        init_std: standard deviation of a tanh-normal before it has learned, before tanh.
        min_std: smallest standard deviation.
    """

    hidden: tuple[int, ...] = (400, 400, 400, 400)
    activation: Literal["relu", "elu", "silu"] = "elu"
    continuous: Literal["tanh_normal", "truncated_normal"] = "tanh_normal"
    mean_scale: float = 5.0
    init_std: float = 5.0
    min_std: float = 1e-4

    def __post_init__(self):
        if not self.hidden or not all(1 <= units <= 1_000_000 for units in self.hidden):
            raise ConfigError(f"actor.hidden must be numbers of units in [1, 1000000], got {self.hidden}")
        for name in ("mean_scale", "init_std"):
            if not 0.0 < getattr(self, name) <= 1e3:
                raise ConfigError(f"actor.{name} must lie in (0, 1000], got {getattr(self, name)}")
        if not 0.0 <= self.min_std <= 1.0:
            raise ConfigError(f"actor.min_std must lie in [0, 1], got {self.min_std}")
