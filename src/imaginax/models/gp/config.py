"""Settings of Gaussian processes and of their hyperparameters' fit."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from imaginax.errors import ConfigError
from imaginax.models.config import RewardSource

KernelName = Literal["se", "matern32", "matern52", "linear"]
MOST = 1_000_000


def check_kernels(names: tuple[str, ...]) -> None:
    """Refuses a sum of kernels that cannot be made.

    Raises:
        ConfigError: if there is no name, or one that is not known.
    """
    if not names:
        raise ConfigError("model.kernels must name at least one kernel")
    known = get_args(KernelName)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"model.kernels must be of {', '.join(known)}, got {', '.join(unknown)}")


@dataclasses.dataclass(frozen=True)
class GPFitConfig:
    """How hyperparameters are chosen.

    Attributes:
        starts: searches for each output. The first is at the present values, the second at length-scales
            std(x), signal std(y) and noise std(y) / 10, and each further one is drawn around the second.
        spread: standard deviation of the logarithms of the starts that are drawn.
        steps: most iterations of L-BFGS from each start, each a likelihood with its gradient.
        tolerance: relative change of the objective at which a search ends.
        curb: whether PILCO's penalty is part of the objective.
        prior_std: deviation of a log-normal prior on every parameter, around the second start; 0 for none.
    """

    starts: int = 2
    spread: float = 1.0
    steps: int = 100
    tolerance: float = 1e-6
    curb: bool = True
    prior_std: float = 0.0

    def __post_init__(self):
        for name in ("starts", "steps"):
            if not 1 <= getattr(self, name) <= MOST:
                raise ConfigError(f"fit.{name} must lie in [1, {MOST}], got {getattr(self, name)}")
        if not 0.0 <= self.tolerance < 1.0:
            raise ConfigError(f"fit.tolerance must lie in [0, 1), got {self.tolerance}")
        for name in ("spread", "prior_std"):
            if not 0.0 <= getattr(self, name) <= MOST:
                raise ConfigError(f"fit.{name} must lie in [0, {MOST}], got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class GPConfig:
    """A Gaussian process model of the dynamics.

    Attributes:
        kernels: terms whose sum is the covariance function.
        capacity: rows of data that the processes keep, the newest ones; time grows with its cube.
        inducing: inducing inputs of a sparse model (FITC), which costs capacity inducing^2; 0: an exact one.
        propagation: propagation of particles: E moves one by the predicted mean, DS draws every particle's
            step from the prediction with its noise, MM redraws these steps from their own Gaussian fit.
        particles: particles of each candidate plan; E always uses one.
        reward: source of predicted rewards: the function that the environment publishes, or one more process;
            `auto` learns it where none is published.
    """

    kernels: tuple[KernelName, ...] = ("se",)
    capacity: int = 300
    inducing: int = 0
    propagation: Literal["E", "DS", "MM"] = "E"
    particles: int = 20
    reward: RewardSource = "auto"

    def __post_init__(self):
        check_kernels(self.kernels)
        for name, least in (("capacity", 1), ("inducing", 0), ("particles", 1)):
            if not least <= getattr(self, name) <= MOST:
                raise ConfigError(f"model.{name} must lie in [{least}, {MOST}], got {getattr(self, name)}")
        if self.inducing > self.capacity:
            raise ConfigError(
                f"model.inducing ({self.inducing}) must not exceed model.capacity ({self.capacity})"
            )
        if self.propagation not in ("E", "DS", "MM"):
            raise ConfigError(f"model.propagation must be E, DS or MM, got {self.propagation}")
