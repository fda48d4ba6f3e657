"""Settings of resignation."""

from __future__ import annotations

import dataclasses

from imaginax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class ResignationConfig:
    """How games are given up.

    Attributes:
        enabled: whether they are at all.
        held_out: share of the games that are played to their end.
        wrong: the largest share of wrong resignations among those that would have happened.
        memory: newest held-out games that are counted, in each of the places where games are played.
        least: held-out games that have to be there before anybody resigns.
        highest: values above it are never given up.
    """

    enabled: bool = True
    held_out: float = 0.1
    wrong: float = 0.05
    memory: int = 16
    least: int = 50
    highest: float = -0.5

    def __post_init__(self):
        for name in ("held_out", "wrong"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"resignation.{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("memory", "least"):
            if not 1 <= getattr(self, name) < 2**20:
                raise ConfigError(
                    f"resignation.{name} must lie between 1 and 2^20, got {getattr(self, name)}"
                )
        if not -1 < self.highest < 1:
            raise ConfigError(f"resignation.highest must lie between -1 and 1, got {self.highest}")
