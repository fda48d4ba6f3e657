"""Settings of the planners that sample action sequences."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError

Method = Literal["random", "cem", "planet_cem", "icem", "mppi"]
MOST = {"horizon": 100_000, "population": 10_000_000, "iterations": 1_000, "elites": 10_000_000}
LARGEST = 1e15  # of numbers that are squared in float32


@dataclasses.dataclass(frozen=True)
class ShootingConfig:
    """A sampling planner; the defaults are PETS's CEM for the cart-pole.

    Attributes:
        method: search: random shooting, CEM as PETS or as PlaNet has it (`planet_cem`), iCEM or MPPI.
        horizon: steps H that a plan looks ahead.
        population: candidate plans in an iteration.
        iterations: iterations of a decision (all but random).
        elites: candidates that the next distribution is fitted to (cem, planet_cem, icem); fewer where fewer
            have a return.
        alpha: weight of the old mean and variance against the elites' (cem, icem).
        epsilon: largest variance at which CEM stops (cem).
        noise_std: standard deviation of the first iteration's noise, as a fraction of half the action range
            (icem, mppi).
        noise_beta: exponent of the coloured noise's power spectrum, 0 is white (icem, mppi).
        keep: fraction of elites carried to the next iteration and, shifted, to the next decision (icem).
        decay: factor by which the population shrinks each iteration (icem).
        temperature: temperature of the exponential weights on returns (mppi).
    """

    method: Method = "cem"
    horizon: int = 25
    population: int = 400
    iterations: int = 5
    elites: int = 40
    alpha: float = 0.1
    epsilon: float = 1e-3
    noise_std: float = 0.5
    noise_beta: float = 2.0
    keep: float = 0.3
    decay: float = 1.25
    temperature: float = 1.0

    def __post_init__(self):
        for name in ("horizon", "population", "iterations", "elites"):
            if not 1 <= getattr(self, name) <= MOST[name]:
                raise ConfigError(f"planner.{name} must lie in [1, {MOST[name]}], got {getattr(self, name)}")
        if self.method in ("cem", "planet_cem", "icem") and self.elites > self.population:
            raise ConfigError(
                f"planner.elites ({self.elites}) must not exceed planner.population ({self.population})"
            )
        if not 0.0 <= self.alpha < 1.0:
            raise ConfigError(f"planner.alpha must lie in [0, 1), got {self.alpha}")
        if not 0.0 <= self.keep <= 1.0:
            raise ConfigError(f"planner.keep must lie in [0, 1], got {self.keep}")
        for name, least in (("decay", 1.0), ("epsilon", 0.0), ("noise_beta", -LARGEST)):
            if not least <= getattr(self, name) <= LARGEST:
                raise ConfigError(
                    f"planner.{name} must lie in [{least:g}, {LARGEST:g}], got {getattr(self, name)}"
                )
        for name in ("temperature", "noise_std"):
            if not 0.0 < getattr(self, name) <= LARGEST:
                raise ConfigError(f"planner.{name} must lie in (0, {LARGEST:g}], got {getattr(self, name)}")
