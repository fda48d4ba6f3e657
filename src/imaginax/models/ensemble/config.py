"""Settings of ensemble dynamics."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError
from imaginax.models.config import EndSource, RewardSource

Propagation = Literal["E", "DS", "MM", "TS1", "TSinf"]
PROPAGATIONS: tuple[Propagation, ...] = ("E", "DS", "MM", "TS1", "TSinf")
MOST_PARTICLES = 1_000_000


@dataclasses.dataclass(frozen=True)
class EnsembleConfig:
    """A learned dynamics model.

    Attributes:
        kind: kind of network, deterministic (D) or probabilistic (P), alone or as an ensemble (DE, PE).
        members: networks in an ensemble; D and P have one.
        hidden: units of each hidden layer.
        weight_decay: weight decay of each layer, the output layer included; each multiplies |W|^2 / 2.
        propagation: propagation of particles; E is the only one for D, and TS1 and TSinf need an ensemble.
        particles: particles of each candidate plan, a multiple of `members` for TS1 and TSinf; E always uses
            one.
        reward: source of predicted rewards: the function that the environment publishes, or a further
            output of the networks; `auto` learns it where none is published.
        end: source of predicted ends of the episode: the environment's function, a learned probability, or
            none; `auto` takes the function where there is one, and learns the end where it learns the reward.
    """

    kind: Literal["D", "P", "DE", "PE"] = "PE"
    members: int = 5
    hidden: tuple[int, ...] = (500, 500, 500)
    weight_decay: tuple[float, ...] = (1e-4, 2.5e-4, 2.5e-4, 5e-4)
    propagation: Propagation = "TSinf"
    particles: int = 20
    reward: RewardSource = "auto"
    end: EndSource = "auto"

    def __post_init__(self):
        if self.kind not in ("D", "P", "DE", "PE"):
            raise ConfigError(f"model.kind must be D, P, DE or PE, got {self.kind}")
        if self.propagation not in PROPAGATIONS:
            raise ConfigError(
                f"model.propagation must be one of {', '.join(PROPAGATIONS)}, got {self.propagation}"
            )
        if self.members < 1 or not self.hidden or min(self.hidden) < 1:
            raise ConfigError("model.members and model.hidden must be positive")
        if not 1 <= self.particles <= MOST_PARTICLES:
            raise ConfigError(f"model.particles must lie in [1, {MOST_PARTICLES}], got {self.particles}")
        if len(self.weight_decay) != len(self.hidden) + 1:
            raise ConfigError(
                f"model.weight_decay needs {len(self.hidden) + 1} rates, one a layer of model.hidden and one "
                f"for the output layer; got {len(self.weight_decay)}"
            )
        if not all(0.0 <= rate <= 1e15 for rate in self.weight_decay):
            raise ConfigError(f"model.weight_decay must lie in [0, 1e15], got {self.weight_decay}")
        if self.kind == "D" and self.propagation != "E":
            raise ConfigError(
                f"model.propagation {self.propagation} needs uncertainty; model.kind D offers only E"
            )
        if self.propagation in ("TS1", "TSinf"):
            if self.networks == 1:
                raise ConfigError(
                    f"model.propagation {self.propagation} needs an ensemble: model.kind DE or PE"
                )
            if self.particles % self.members:
                raise ConfigError(
                    f"model.particles ({self.particles}) must be a multiple of model.members ({self.members})"
                    f" for model.propagation {self.propagation}"
                )

    @property
    def networks(self) -> int:
        return self.members if self.kind in ("DE", "PE") else 1

    @property
    def probabilistic(self) -> bool:
        return self.kind in ("P", "PE")
