"""Settings of AlphaGo Zero: fields, presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial

from imaginax.acting.config import ResignationConfig
from imaginax.arena.config import EvaluationConfig
from imaginax.errors import ConfigError
from imaginax.learning.config import OptimiserConfig
from imaginax.networks.config import NetworkConfig
from imaginax.planners.mcts.config import SearchConfig
from imaginax.registry import SystemEntry, build
from imaginax.systems.presets.self_play import SelfPlayConfig


@dataclasses.dataclass(frozen=True)
class AlphaGoZeroConfig(SelfPlayConfig):
    """AlphaGo Zero on one game; see `SelfPlayConfig` for the fields it shares with AlphaZero.

    Its `updates` are those between two gates: one gate a chunk.

    Attributes:
        gate_games: games of a gate between the new network and the best one, half with each colour; at most
            two for each opening.
        gate_share: fraction of the points that the new network has to exceed.
        gate_openings: random moves at the start of the games, drawn without replacement. With 0 the games
            differ by the random symmetries of the search alone.
        resignation: when players resign.
    """

    gate_games: int = 64
    gate_share: float = 0.55
    gate_openings: int = 2
    resignation: ResignationConfig = ResignationConfig()

    minimum = SelfPlayConfig.minimum | {"gate_openings": 0, "gate_games": 2}

    def __post_init__(self):
        super().__post_init__()
        if self.gate_games % 2:
            raise ConfigError(f"gate_games must be even, half with each colour, got {self.gate_games}")
        if not 0 <= self.gate_share < 1:
            raise ConfigError(f"gate_share must lie in [0, 1), got {self.gate_share}")


# The published settings (Silver et al. 2017, Methods) on Go 19x19. Constants of the search that the paper
# does not give are AlphaZero's; how many games go on side by side, and for how long, is ours.
PAPER = AlphaGoZeroConfig(
    env="go_19x19",
    environments=2048,
    warmup=2,
    chunks=700,
    chunk_plies=1100,
    updates=1000,
    batch_size=2048,
    window_games=500_000,
    window_plies=60_000,
    sampled_plies=30,
    gate_games=400,
    gate_openings=0,
    search=SearchConfig("puct", simulations=1600, dirichlet_alpha=0.03, reuse=True),
    resignation=ResignationConfig(held_out=0.1, wrong=0.05),
    network=NetworkConfig(channels=256, blocks=19),
    optimiser=OptimiserConfig("sgd", rates=(1e-2, 1e-3, 1e-4), boundaries=(400_000, 600_000)),
)

# Half an hour on two cores: a small board, a small network, Adam; some 670,000 moves of self-play.
LAPTOP = AlphaGoZeroConfig(
    env="go_5x5",
    environments=256,
    warmup=1,
    chunks=40,
    chunk_plies=64,
    updates=64,
    batch_size=1024,
    window_games=8_000,
    window_plies=1_000,
    sampled_plies=8,
    gate_games=64,
    evaluation=EvaluationConfig("mcts:200", games=40, openings=2),
    search=SearchConfig("puct", simulations=32, dirichlet_alpha=0.4),
    network=NetworkConfig(
        channels=32, blocks=2, policy_filters=16, value_filters=8, value_hidden=64, momentum=0.95
    ),
    optimiser=OptimiserConfig("adam", rates=(2e-3, 5e-4, 1e-4), boundaries=(1_200, 2_000)),
)

# A quarter of an hour on one H100, by an estimate from shorter runs; not run itself. 4.9 million moves.
GPU = dataclasses.replace(
    LAPTOP,
    env="go_9x9",
    environments=1024,
    chunks=36,
    chunk_plies=128,
    updates=256,
    batch_size=2048,
    window_games=20_000,
    window_plies=2_000,
    evaluation=EvaluationConfig("random", games=64),
    search=SearchConfig("gumbel", simulations=32, values="siblings", c_scale=0.1),
    network=NetworkConfig(channels=64, blocks=6, value_hidden=128, momentum=0.95, dtype="bfloat16"),
    optimiser=OptimiserConfig("adam", rates=(2e-3, 5e-4, 1e-4), boundaries=(5_000, 7_500)),
)

# Seconds on two cores, on a game that is solved: what tests/contract runs.
TINY = AlphaGoZeroConfig(
    env="tic_tac_toe",
    environments=32,
    warmup=1,
    chunks=16,
    chunk_plies=10,
    updates=40,
    batch_size=256,
    window_games=400,
    window_plies=200,
    sampled_plies=9,
    gate_games=32,
    gate_share=0.5,  # most games between good players are drawn
    evaluation=EvaluationConfig("perfect", games=64),
    search=SearchConfig("puct", simulations=16, dirichlet_alpha=1.0),
    network=NetworkConfig(channels=16, blocks=1, value_hidden=16, momentum=0.9),
    optimiser=OptimiserConfig("adam", rates=(1e-2,), boundaries=()),
)

PRESETS = {"laptop": LAPTOP, "gpu": GPU, "paper": PAPER, "tiny": TINY}


def preset(name: str, env: str | None) -> AlphaGoZeroConfig:
    """A named configuration for a game, Go by default.

    Raises:
        ConfigError: for the published settings of a game that the paper does not have.
    """
    if name == "paper" and env not in (None, PAPER.env):
        raise ConfigError(f"preset paper has settings for {PAPER.env}; for env {env} use preset laptop")
    config = PRESETS[name]
    if env in (None, config.env):
        return config
    return dataclasses.replace(config, env=env, evaluation=EvaluationConfig("random", games=16))


ENTRY = SystemEntry(
    name="alphago_zero",
    summary="self-play with a gate, resignation and symmetries (Silver et al. 2017)",
    config=AlphaGoZeroConfig,
    preset=preset,
    presets=tuple(PRESETS),
    environments=("go_5x5", "go_7x7", "go_9x9", "go_19x19", "tic_tac_toe", "connect_four"),
    make=partial(build, "alphago_zero"),
    reaches=-0.3,  # a draw is the best against perfect play
)
