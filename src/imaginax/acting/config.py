"""Settings of resignation."""

from __future__ import annotations

import dataclasses

from imaginax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class ResignationConfig:
    """When players resign.

    Attributes:
        enabled: whether players resign.
        held_out: fraction of games in which nobody resigns.
        wrong: maximum fraction of wrong resignations among those of held-out games.
        memory: newest held-out games of each environment that set the threshold.
        min_games: held-out games before anybody resigns.
        max_threshold: maximum value at which a player resigns.
    """

    enabled: bool = True
    held_out: float = 0.1
    wrong: float = 0.05
    memory: int = 16
    min_games: int = 50
    max_threshold: float = -0.5

    def __post_init__(self):
        for name in ("held_out", "wrong"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"resignation.{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("memory", "min_games"):
            if not 1 <= getattr(self, name) < 2**20:
                raise ConfigError(
                    f"resignation.{name} must lie between 1 and 2^20, got {getattr(self, name)}"
                )
        if not -1 < self.max_threshold < 1:
            raise ConfigError(
                f"resignation.max_threshold must lie between -1 and 1, got {self.max_threshold}"
            )
