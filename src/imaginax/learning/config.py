"""Settings of learning: the fit of an ensemble, and the optimiser of a policy and value network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeVar

from imaginax.errors import ConfigError

MOST = 1_000_000  # of each setting of an ensemble's fit

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True)
class EnsembleFitConfig:
    """How the model is trained.

    Attributes:
        learning_rate: learning rate of Adam.
        batch_size: rows of each member's bootstrap in one step of Adam.
        epochs: passes over the bootstraps in each fit.
        holdout: fraction of rows never trained on, for the hold-out metrics; 0 as published.
    """

    learning_rate: float = 1e-3
    batch_size: int = 32
    epochs: int = 5
    holdout: float = 0.0

    def __post_init__(self):
        if not 0.0 < self.learning_rate <= MOST:
            raise ConfigError(f"fit.learning_rate must lie in (0, {MOST}], got {self.learning_rate}")
        for name in ("batch_size", "epochs"):
            if not 1 <= getattr(self, name) <= MOST:
                raise ConfigError(f"fit.{name} must lie in [1, {MOST}], got {getattr(self, name)}")
        if not 0.0 <= self.holdout < 1.0:
            raise ConfigError(f"fit.holdout must lie in [0, 1), got {self.holdout}")


@dataclasses.dataclass(frozen=True)
class OptimiserConfig:
    """How the network's weights are updated.

    Attributes:
        kind: `sgd`, stochastic gradient descent with momentum, as published, or `adam`.
        rates: learning rates, each until the next boundary.
        boundaries: numbers of updates after which the next rate holds, one fewer than rates.
        momentum: momentum of `sgd`.
        weight_decay: weight c of |theta|^2 in the loss.
        value_weight: weight of the value's squared error in the loss.
    """

    kind: Literal["sgd", "adam"] = "sgd"
    rates: tuple[float, ...] = (1e-2, 1e-3, 1e-4)
    boundaries: tuple[int, ...] = (400_000, 600_000)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    value_weight: float = 1.0

    def __post_init__(self):
        if not self.rates or not all(0 < rate < 1e3 for rate in self.rates):
            raise ConfigError(f"optimiser.rates must be positive, got {self.rates}")
        rising = all(a < b for a, b in zip((0, *self.boundaries), self.boundaries, strict=False))
        if (
            len(self.boundaries) != len(self.rates) - 1
            or not rising
            or max(self.boundaries, default=0) >= 2**31
        ):
            raise ConfigError(
                f"optimiser.boundaries must be rising numbers of updates, one fewer than optimiser.rates"
                f" ({len(self.rates)}), got {self.boundaries}"
            )
        for name, highest in (("momentum", 1.0), ("weight_decay", 1e3), ("value_weight", 1e3)):
            if not 0 <= getattr(self, name) < highest:
                raise ConfigError(f"optimiser.{name} must lie in [0, {highest:g}), got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class DecayConfig:
    """An optimiser whose learning rate falls exponentially; the defaults are MuZero's for Atari.

    Attributes:
        kind: `sgd`, stochastic gradient descent with momentum, as published, or `adam`.
        learning_rate: learning rate at the beginning.
        decay_rate: factor of the learning rate for every `decay_updates`.
        decay_updates: updates for one factor; 0 keeps the learning rate.
        momentum: momentum of `sgd`.
        weight_decay: weight c of |theta|^2 in the loss.
        clip_norm: largest norm of a gradient; 0 for no limit.
    """

    kind: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.05
    decay_rate: float = 0.1
    decay_updates: int = 350_000
    momentum: float = 0.9
    weight_decay: float = 1e-4
    clip_norm: float = 0.0

    def __post_init__(self):
        for name, highest in (("momentum", 1.0), ("weight_decay", 1e3), ("clip_norm", 1e6)):
            if not 0 <= getattr(self, name) < highest:
                raise ConfigError(f"optimiser.{name} must lie in [0, {highest:g}), got {getattr(self, name)}")
        for name, highest in (("learning_rate", 1e3), ("decay_rate", 1.0)):
            if not 0 < getattr(self, name) <= highest:
                raise ConfigError(f"optimiser.{name} must lie in (0, {highest:g}], got {getattr(self, name)}")
        if not 0 <= self.decay_updates < 2**31:
            raise ConfigError(f"optimiser.decay_updates must lie in [0, 2^31), got {self.decay_updates}")


@dataclasses.dataclass(frozen=True)
class AdamConfig:
    """Adam on gradients of bounded norm.

    Attributes:
        learning_rate: learning rate.
        epsilon: constant in the denominator of a step.
        clip_norm: largest norm of a gradient.
        weight_decay: share of the weights that a step takes away, times the learning rate.
    """

    learning_rate: float
    epsilon: float = 1e-8
    clip_norm: float = 100.0
    weight_decay: float = 0.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not 0.0 <= getattr(self, field.name) <= 1e6:
                raise ConfigError(f"{field.name} must lie in [0, 1e6], got {getattr(self, field.name)}")


@dataclasses.dataclass(frozen=True)
class ActorCriticConfig:
    """How an actor and a critic learn in imagination; the defaults are Dreamer's.

    Attributes:
        horizon: steps that are imagined.
        discount: discount of future reward.
        trace_decay: lambda of the returns.
        gradient: what moves the actor: derivatives through the dynamics, REINFORCE, or a mixture of both.
        mixture: weight of the derivatives in the mixture; the rest is REINFORCE.
        entropy: weight of the actor's entropy.
        critic: whether returns go on behind the horizon with the critic's value; else the actor maximises the
            sum of the imagined rewards.
        target_every: updates after which the critic in the targets is renewed; 1 for the critic itself.
    """

    horizon: int = 15
    discount: float = 0.99
    trace_decay: float = 0.95
    gradient: Literal["dynamics", "reinforce", "mixture"] = "dynamics"
    mixture: float = 0.1
    entropy: float = 0.0
    critic: bool = True
    target_every: int = 1

    def __post_init__(self):
        if not 2 <= self.horizon <= 10_000:
            raise ConfigError(f"behaviour.horizon must lie in [2, 10000], got {self.horizon}")
        if not 1 <= self.target_every < 2**31:
            raise ConfigError(f"behaviour.target_every must lie in [1, 2^31), got {self.target_every}")
        for name in ("discount", "trace_decay", "mixture"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"behaviour.{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0.0 <= self.entropy <= 1e3:
            raise ConfigError(f"behaviour.entropy must lie in [0, 1000], got {self.entropy}")


def published(presets: Mapping[str, Config], name: str, env: str) -> Config:
    """The settings of an environment of the papers.

    Raises:
        ConfigError: for an environment that they did not use.
    """
    if env not in presets:
        raise ConfigError(
            f"preset {name} has settings for {', '.join(presets)}; for env {env} use preset laptop"
        )
    return presets[env]
