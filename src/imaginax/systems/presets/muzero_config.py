"""The fields of MuZero's settings."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from imaginax.arena.config import EvaluationConfig
from imaginax.errors import ConfigError
from imaginax.learning.config import DecayConfig
from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.planners.mcts.config import SearchConfig


@dataclasses.dataclass(frozen=True)
class MuZeroConfig:
    """MuZero on a board game, or alone in an environment with discrete actions.

    Attributes:
        env: name of the environment (`imaginax list`).
        episode_steps: steps after which an episode is truncated; 0 for the environment's own limit.
        environments: parallel environments.
        warmup: chunks of acting before the first update.
        chunks: chunks that begin with updates, after those of the warm-up.
        chunk_steps: steps of every environment in a chunk.
        updates: updates of the networks at the start of a chunk.
        batch_size: positions of an update.
        window: steps of each parallel environment that replay keeps.
        unroll: imagined steps K that the model is trained on.
        bootstrap: steps n after which a return goes on with the search's value; 0 for the return of the whole
            episode, the outcome of a board game.
        priority: exponent of the priorities of positions; 0 draws them uniformly.
        correction: exponent of the importance weights that correct for priorities.
        reanalyse: share of positions in an update that are searched again by the target network.
        target_every: updates after which the target network is renewed.
        value_weight: weight of the value's loss.
        sampled_steps: actions of an episode that are sampled in proportion to visits; later ones are the most
            visited (puct).
        temperatures: temperatures of the sampling, each until the next of `temperature_until` (puct).
        temperature_until: numbers of updates after which the next temperature holds, one fewer than
            temperatures.
        opening_steps: maximum number of random actions at the start of an episode; 0 in the paper.
        symmetries: whether every position of a board game is learned from under a random symmetry of its
            board, which the paper does not do.
        eval_episodes: episodes of an evaluation, outside of board games.
        evaluation: match at the end of a run, in board games.
        search: tree search for the actions.
        model: representation, dynamics and prediction.
        optimiser: optimiser of the model.
    """

    lengths: ClassVar[tuple[str, ...]] = ("chunks",)

    env: str = "tic_tac_toe"
    episode_steps: int = 0
    environments: int = 128
    warmup: int = 2
    chunks: int = 100
    chunk_steps: int = 32
    updates: int = 32
    batch_size: int = 256
    window: int = 1_000
    unroll: int = 5
    bootstrap: int = 10
    priority: float = 1.0
    correction: float = 1.0
    reanalyse: float = 0.0
    target_every: int = 100
    value_weight: float = 1.0
    sampled_steps: int = 30
    temperatures: tuple[float, ...] = (1.0,)
    temperature_until: tuple[int, ...] = ()
    opening_steps: int = 0
    symmetries: bool = False
    eval_episodes: int = 16
    evaluation: EvaluationConfig = EvaluationConfig()
    search: SearchConfig = SearchConfig()
    model: MuZeroModelConfig = MuZeroModelConfig()
    optimiser: DecayConfig = DecayConfig()

    # Minimum of each whole number, where it is not 1.
    minimum: ClassVar[dict[str, int]] = {
        "episode_steps": 0,
        "bootstrap": 0,
        "sampled_steps": 0,
        "opening_steps": 0,
    }

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, minimum = getattr(self, field.name), self.minimum.get(field.name, 1)
            if type(value) is int and not minimum <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {minimum} and below 2^31, got {value}")
        for name, highest in (("priority", 10), ("correction", 10), ("reanalyse", 1), ("value_weight", 1e3)):
            if not 0.0 <= getattr(self, name) <= highest:
                raise ConfigError(f"{name} must lie in [0, {highest:g}], got {getattr(self, name)}")
        if self.unroll > 1_000:
            raise ConfigError(f"unroll must be at most 1000, got {self.unroll}")
        if not self.temperatures or not all(0 <= t <= 1e3 for t in self.temperatures):
            raise ConfigError(f"temperatures must lie in [0, 1000], got {self.temperatures}")
        until = self.temperature_until
        rising = all(a < b for a, b in zip((0, *until), until, strict=False))
        if len(until) != len(self.temperatures) - 1 or not rising or max(until, default=0) >= 2**31:
            raise ConfigError(
                "temperature_until must be rising numbers of updates, one fewer than temperatures"
                f" ({len(self.temperatures)}), got {until}"
            )
