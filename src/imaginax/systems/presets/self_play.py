"""Settings of self-play, which the board-game systems share."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from imaginax.arena.config import EvaluationConfig
from imaginax.errors import ConfigError
from imaginax.learning.config import OptimiserConfig
from imaginax.networks.config import NetworkConfig
from imaginax.planners.mcts.config import SearchConfig


@dataclasses.dataclass(frozen=True)
class SelfPlayConfig:
    """Self-play, search and learning on one game.

    Attributes:
        env: name of the game (`imaginax list`).
        max_plies: moves after which a game is truncated; 0 for the game's own limit.
        environments: parallel games.
        warmup: chunks of self-play before the first update.
        chunks: chunks that begin with updates, after those of the warm-up.
        chunk_plies: moves of every game in a chunk.
        updates: updates of the network at the start of a chunk.
        batch_size: positions of an update, a multiple of `environments`.
        window_games: newest games that positions are sampled from.
        window_plies: moves of each parallel game that replay has room for.
        search_value: weight of the search's value in the value target, beside the outcome of the game, which
            alone the papers take. It varies less between games that begin alike.
        sampled_plies: moves of a game that are sampled in proportion to visits; later ones are the most
            visited.
        opening_plies: maximum number of random moves at the start of a game, to see more kinds of positions;
            0 in the papers.
        evaluation: match at the end of a run.
        search: tree search for the moves.
        network: policy and value network.
        optimiser: optimiser of the network.
    """

    lengths: ClassVar[tuple[str, ...]] = ("chunks",)

    env: str = "connect_four"
    max_plies: int = 0
    environments: int = 128
    warmup: int = 2
    chunks: int = 100
    chunk_plies: int = 32
    updates: int = 32
    batch_size: int = 512
    window_games: int = 10_000
    window_plies: int = 2_000
    search_value: float = 0.0
    sampled_plies: int = 30
    opening_plies: int = 0
    evaluation: EvaluationConfig = EvaluationConfig()
    search: SearchConfig = SearchConfig()
    network: NetworkConfig = NetworkConfig()
    optimiser: OptimiserConfig = OptimiserConfig()

    # Minimum of each whole number, where it is not 1.
    minimum: ClassVar[dict[str, int]] = {"max_plies": 0, "sampled_plies": 0, "opening_plies": 0}

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, minimum = getattr(self, field.name), self.minimum.get(field.name, 1)
            if type(value) is int and not minimum <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {minimum} and below 2^31, got {value}")
        if not 0.0 <= self.search_value <= 1.0:
            raise ConfigError(f"search_value must lie in [0, 1], got {self.search_value}")
        if self.batch_size % self.environments:
            raise ConfigError(
                f"batch_size ({self.batch_size}) must be a multiple of environments ({self.environments})"
            )
