"""Settings of latent world models, of their state and of what they learn from."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError
from imaginax.networks.config import Backend

LARGEST = 1_000_000

Activation = Literal["relu", "elu", "silu"]


@dataclasses.dataclass(frozen=True)
class RSSMConfig:
    """Sizes of a recurrent state-space model; the defaults are PlaNet's.

    Attributes:
        kind: state with both paths (`rssm`), the stochastic one (`ssm`) or the deterministic one (`gru`)
            alone.
        deterministic: units D of the deterministic state (rssm, gru).
        stochastic: size of the stochastic state: numbers, or choices where there are classes.
        classes: categories of each choice; 0 makes the latents Gaussian.
        hidden: units of each hidden layer.
        min_std: least standard deviation of Gaussian distributions.
        cell: recurrent cell, PlaNet's GRU or DreamerV2's with layer normalisation.
        activation: nonlinearity of the hidden layers.
        unimix: share of the uniform distribution in categorical latents (DreamerV3: 0.01).
    """

    kind: Literal["rssm", "ssm", "gru"] = "rssm"
    deterministic: int = 200
    stochastic: int = 30
    classes: int = 0
    hidden: int = 200
    min_std: float = 0.1
    cell: Literal["gru", "layer_norm_gru"] = "gru"
    activation: Activation = "relu"
    unimix: float = 0.0

    def __post_init__(self):
        for name in ("deterministic", "stochastic", "hidden"):
            if not 1 <= getattr(self, name) <= LARGEST:
                raise ConfigError(f"rssm.{name} must lie in [1, {LARGEST}], got {getattr(self, name)}")
        if self.classes == 1 or not 0 <= self.classes <= LARGEST:
            raise ConfigError(f"rssm.classes must be 0 or lie in [2, {LARGEST}], got {self.classes}")
        if not 0.0 <= self.min_std <= 1e3:
            raise ConfigError(f"rssm.min_std must lie in [0, 1000], got {self.min_std}")
        if not 0.0 <= self.unimix < 1.0:
            raise ConfigError(f"rssm.unimix must lie in [0, 1), got {self.unimix}")
        if self.unimix and not self.classes:
            raise ConfigError("rssm.unimix needs categorical latents: see rssm.classes")

    @property
    def features(self) -> int:
        """Width of what `features` gives."""
        width = self.stochastic * (self.classes or 1)
        return width if self.kind == "ssm" else width + self.deterministic


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the parts of the loss; the defaults are those of PlaNet's released agent.

    Attributes:
        reward: weight of the reward's error.
        dynamics: weight of KL(stop_gradient(posterior) || prior), which trains the prior.
        representation: weight of KL(posterior || stop_gradient(prior)), which regularises the posterior;
            dynamics and representation are (1, 1) in PlaNet and Dreamer, (0.8, 0.2) in DreamerV2 and (1, 0.1)
            in DreamerV3.
        free_nats: nats of KL below which nothing is penalised.
        free_average: whether free nats apply to the mean KL of a batch (Dreamer), not to each step (PlaNet).
        overshooting: weight beta_d of latent overshooting at every distance d from 2 on; 0 leaves it out.
        distance: D, the largest of overshooting, or the longest in a sequence if that is less; 1 is the bound
            without overshooting.
        standard: weight of KL(posterior || standard normal), the global prior; 0 leaves it out.
        continuation: weight of the continuation's likelihood, in a model that has one.
        observation: how beliefs learn from observations: by reconstructing them, by telling them apart
            (contrastive), or not at all (Dreamer, section 4); a decoder learns in all three.
        reward_gradient: whether beliefs learn from rewards (an ablation of DreamerV2).
    """

    reward: float = 10.0
    dynamics: float = 1.0
    representation: float = 1.0
    free_nats: float = 3.0
    free_average: bool = False
    overshooting: float = 0.0
    distance: int = 50
    standard: float = 0.0
    continuation: float = 1.0
    observation: Literal["reconstruction", "contrastive", "none"] = "reconstruction"
    reward_gradient: bool = True

    def __post_init__(self):
        if not 1 <= self.distance <= 10_000:
            raise ConfigError(f"objective.distance must lie in [1, 10000], got {self.distance}")
        names = "reward", "dynamics", "representation", "free_nats", "overshooting", "standard"
        for name in (*names, "continuation"):
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
        bits: bits of an image's colours that are kept; the rest is noise.
        backend: implementation of the convolutions, see `networks.convolution`.
        activation: nonlinearity of those hidden layers.
        continuation: whether the model learns where episodes end, and predicts discounts.
        precision: number type of the networks' products; weights, gates, layer normalisation, distributions
            and losses are float32.
    """

    rssm: RSSMConfig = RSSMConfig()
    depth: int = 32
    hidden: tuple[int, ...] = (300, 300, 300)
    bits: int = 5
    backend: Backend = "auto"
    activation: Activation = "relu"
    continuation: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self):
        if not 1 <= self.depth <= 10_000:
            raise ConfigError(f"model.depth must lie in [1, 10000], got {self.depth}")
        if not self.hidden or not all(1 <= units <= 1_000_000 for units in self.hidden):
            raise ConfigError(f"model.hidden must be numbers of units in [1, 1000000], got {self.hidden}")
        if not 1 <= self.bits <= 8:
            raise ConfigError(f"model.bits must lie in [1, 8], got {self.bits}")
