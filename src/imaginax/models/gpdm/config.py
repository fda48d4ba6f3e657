"""Settings of the GPDM and of its fit."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError

INPUTS, OUTPUTS, DYNAMICS = ("x", "xx", "xv"), ("x", "dx"), ("learned", "fixed", "none")
OPTIMISERS = ("scg", "lbfgs")


@dataclasses.dataclass(frozen=True)
class GPDMConfig:
    """What kind of model it is.

    Attributes:
        latent: dimensions Z of a latent position.
        dynamics: hyperparameters of the dynamics: "learned", "fixed" at Lawrence's smooth RBF, "none" (a
            GPLVM).
        inputs: inputs of the dynamics: "x" is [x_t], "xx" [x_t, x_t-1], "xv" [x_t, x_t - x_t-1].
        outputs: outputs of the dynamics: "x" is x_t+1, "dx" the difference x_t+1 - x_t.
        balanced: whether D/Z weighs the dynamics, as in the balanced GPDM.
        kappa2: variance kappa^2 of the prior of the scales w.
    """

    latent: int = 3
    dynamics: Literal["learned", "fixed", "none"] = "learned"
    inputs: Literal["x", "xx", "xv"] = "x"
    outputs: Literal["x", "dx"] = "x"
    balanced: bool = False
    kappa2: float = 1e6

    def __post_init__(self):
        if not 1 <= self.latent <= 100:
            raise ConfigError(f"model.latent must lie in [1, 100], got {self.latent}")
        for name, known in (("dynamics", DYNAMICS), ("inputs", INPUTS), ("outputs", OUTPUTS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"model.{name} must be one of {known}, got {getattr(self, name)!r}")
        if not 1e-30 <= self.kappa2 <= 1e30:
            raise ConfigError(f"model.kappa2 must lie in [1e-30, 1e30], got {self.kappa2}")

    @property
    def second_order(self) -> bool:
        """Whether a step depends on two positions."""
        return self.inputs != "x"

    @property
    def linear(self) -> bool:
        """Whether k_X has its linear term."""
        return self.dynamics != "fixed"


@dataclasses.dataclass(frozen=True)
class GPDMFitConfig:
    """How a sweep goes.

    Attributes:
        optimiser: scaled conjugate gradients as published ("scg"), or "lbfgs", lower at equal cost.
        iterations: iterations between two updates of W, of two gradients each.
    """

    optimiser: Literal["scg", "lbfgs"] = "scg"
    iterations: int = 10

    def __post_init__(self):
        if self.optimiser not in OPTIMISERS:
            raise ConfigError(f"fit.optimiser must be one of {OPTIMISERS}, got {self.optimiser!r}")
        if not 1 <= self.iterations <= 1_000_000:
            raise ConfigError(f"fit.iterations must lie in [1, 1000000], got {self.iterations}")
