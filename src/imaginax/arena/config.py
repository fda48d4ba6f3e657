"""Settings of the match that evaluates a player."""

from __future__ import annotations

import dataclasses

from imaginax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """The match by which a system that plays games is evaluated.

    Attributes:
        opponent: who is played against (`arena.opponents`).
        games: half of them with each colour; with openings no more than two for each that the game has.
        openings: moves at their start, drawn without replacement, the same for both colours.
        simulations: of a move's search; 0 takes those of self-play.
    """

    opponent: str = "random"
    games: int = 100
    openings: int = 0
    simulations: int = 0

    def __post_init__(self):
        for name, least in (("games", 2), ("openings", 0), ("simulations", 0)):
            if not least <= getattr(self, name) < 2**31:
                raise ConfigError(
                    f"evaluation.{name} must be at least {least} and below 2^31, got {getattr(self, name)}"
                )
        if self.games % 2:
            raise ConfigError(f"evaluation.games must be even, half with each colour, got {self.games}")
