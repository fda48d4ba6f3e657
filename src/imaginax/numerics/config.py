"""Settings of Hamiltonian Monte Carlo."""

from __future__ import annotations

import dataclasses

from imaginax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class HMCConfig:
    """How draws are made; the defaults are those of the published trajectories.

    Attributes:
        draws: number of draws that are kept.
        burn_in: draws that are discarded before those.
        leapfrog: leapfrog steps of a trajectory.
        step: size of a leapfrog step.
    """

    draws: int = 60
    burn_in: int = 20
    leapfrog: int = 100
    step: float = 0.01

    def __post_init__(self):
        for name, least in (("draws", 1), ("burn_in", 0), ("leapfrog", 1)):
            if not least <= getattr(self, name) <= 1_000_000:
                raise ConfigError(f"hmc.{name} must lie in [{least}, 1000000], got {getattr(self, name)}")
        if not 0.0 < self.step <= 1e6:
            raise ConfigError(f"hmc.step must lie in (0, 1e6], got {self.step}")
