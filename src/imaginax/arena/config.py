"""Settings of the match that evaluates a player."""

from __future__ import annotations

import dataclasses

from imaginax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """The match by which a system that plays games is evaluated.

    Attributes:
        opponent: name of the opponent (`arena.opponents`).
        games: number of games, half with each colour; with openings at most two for each that the game has.
        openings: random moves at the start of a game, drawn without replacement, the same for both colours.
        simulations: simulations for one move; 0 for those of self-play.
    """

    opponent: str = "random"
    games: int = 100
    openings: int = 0
    simulations: int = 0

    def __post_init__(self):
        for name, minimum in (("games", 2), ("openings", 0), ("simulations", 0)):
            if not minimum <= getattr(self, name) < 2**31:
                raise ConfigError(
                    f"evaluation.{name} must be at least {minimum} and below 2^31, got {getattr(self, name)}"
                )
        if self.games % 2:
            raise ConfigError(f"evaluation.games must be even, half with each colour, got {self.games}")
