"""Settings of latent world models, of their state and of what they learn from."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError
from imaginax.networks.config import Backend

LARGEST = 1_000_000


@dataclasses.dataclass(frozen=True)
class RSSMConfig:
    """Sizes of a recurrent state-space model; the defaults are PlaNet's.

    Attributes:
        kind: with both paths, or one of them alone.
        deterministic: D, units of the deterministic state (rssm, gru).
        stochastic: numbers, or choices, of the stochastic state.
        classes: categories per choice; 0 makes the latents Gaussian.
        hidden: units of each hidden layer.
        min_std: least standard deviation of Gaussian distributions.
    """

    kind: Literal["rssm", "ssm", "gru"] = "rssm"
    deterministic: int = 200
    stochastic: int = 30
    classes: int = 0
    hidden: int = 200
    min_std: float = 0.1

    def __post_init__(self):
        for name in ("deterministic", "stochastic", "hidden"):
            if not 1 <= getattr(self, name) <= LARGEST:
                raise ConfigError(f"rssm.{name} must lie in [1, {LARGEST}], got {getattr(self, name)}")
        if self.classes == 1 or not 0 <= self.classes <= LARGEST:
            raise ConfigError(f"rssm.classes must be 0 or lie in [2, {LARGEST}], got {self.classes}")
        if not 0.0 <= self.min_std <= 1e3:
            raise ConfigError(f"rssm.min_std must lie in [0, 1000], got {self.min_std}")

    @property
    def features(self) -> int:
        """Width of what `features` gives."""
        width = self.stochastic * (self.classes or 1)
        return width if self.kind == "ssm" else width + self.deterministic


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the parts of the loss; the defaults are those of PlaNet's released agent.

    Attributes:
        reward: of the reward's error.
        divergence: of KL(posterior || prior).
        free_nats: KL below this many nats per step is not penalised (divergence, prior, overshooting).
        prior: further weight of KL(stop_gradient(posterior) || prior), which draws the prior alone: with
            divergence (1 - alpha) beta and prior (2 alpha - 1) beta together are DreamerV2's balanced KL.
        overshooting: beta_d of latent overshooting at every distance d from 2 on; 0 leaves it out.
        distance: D, the largest of overshooting, or the longest in a sequence if that is less; 1 is the bound
            without overshooting.
        standard: of KL(posterior || standard normal), the global prior; 0 leaves it out.
    """

    reward: float = 10.0
    divergence: float = 1.0
    free_nats: float = 3.0
    prior: float = 0.0
    overshooting: float = 0.0
    distance: int = 50
    standard: float = 0.0

    def __post_init__(self):
        if not 1 <= self.distance <= 10_000:
            raise ConfigError(f"objective.distance must lie in [1, 10000], got {self.distance}")
        for name in ("reward", "divergence", "free_nats", "prior", "overshooting", "standard"):
            if not 0.0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"objective.{name} must lie in [0, 1e6], got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class LatentModelConfig:
    """A latent world model; the defaults are PlaNet's.

    Attributes:
        rssm: the latent state.
        depth: filters of the encoder's first layer.
        hidden: units of each hidden layer of the reward model, and of encoder and decoder where observations
            are no images.
        bits: of an image's colours; the rest is noise.
        backend: of the convolutions, see `networks.convolution`.
    """

    rssm: RSSMConfig = RSSMConfig()
    depth: int = 32
    hidden: tuple[int, ...] = (300, 300, 300)
    bits: int = 5
    backend: Backend = "auto"

    def __post_init__(self):
        if not 1 <= self.depth <= 10_000:
            raise ConfigError(f"model.depth must lie in [1, 10000], got {self.depth}")
        if not self.hidden or not all(1 <= units <= 1_000_000 for units in self.hidden):
            raise ConfigError(f"model.hidden must be numbers of units in [1, 1000000], got {self.hidden}")
        if not 1 <= self.bits <= 8:
            raise ConfigError(f"model.bits must lie in [1, 8], got {self.bits}")
