"""Settings of AlphaZero: fields, presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial

from imaginax.arena.config import EvaluationConfig
from imaginax.errors import ConfigError
from imaginax.learning.config import OptimiserConfig
from imaginax.networks.config import NetworkConfig
from imaginax.planners.mcts.config import SearchConfig
from imaginax.registry import SystemEntry, build
from imaginax.systems.presets.self_play import SelfPlayConfig


@dataclasses.dataclass(frozen=True)
class AlphaZeroConfig(SelfPlayConfig):
    """AlphaZero on one game; see `SelfPlayConfig` for the fields it shares with AlphaGo Zero.

    Attributes:
        symmetries: whether every position is learned from under a random symmetry of its board, which the
            paper gave up so as to treat all games alike.
    """

    symmetries: bool = False


# The published settings (Silver et al. 2018, supplement and pseudocode). The paper's players and its learner
# run side by side without a fixed ratio; here every update of 4096 positions comes with a move in each of
# 4096 games. Room for a million games is room for their usual lengths.
_PUBLISHED = AlphaZeroConfig(
    environments=4096,
    warmup=5,
    chunks=7000,
    chunk_plies=100,
    updates=100,
    batch_size=4096,
    window_games=1_000_000,
    window_plies=25_000,
    sampled_plies=30,
    search=SearchConfig("puct", simulations=800, reuse=True),
    network=NetworkConfig(channels=256, blocks=19),
    optimiser=OptimiserConfig(
        "sgd", rates=(0.2, 0.02, 0.002, 0.0002), boundaries=(100_000, 300_000, 500_000)
    ),
)


def _published(env: str, alpha: float, **changes) -> AlphaZeroConfig:
    search = dataclasses.replace(_PUBLISHED.search, dirichlet_alpha=alpha)
    return dataclasses.replace(_PUBLISHED, env=env, search=search, **changes)


PAPER = {
    "chess": _published("chess", 0.3, network=NetworkConfig(channels=256, blocks=19, policy="conv")),
    "shogi": _published("shogi", 0.15, network=NetworkConfig(channels=256, blocks=19, policy="conv")),
    "go_19x19": _published(
        "go_19x19",
        0.03,
        window_plies=60_000,
        optimiser=OptimiserConfig("sgd", rates=(0.02, 0.002, 0.0002), boundaries=(300_000, 500_000)),
    ),
}

# Forty minutes on two cores in Connect Four: some 1,370,000 moves of self-play. Of the settings tried for six
# minutes each, a small network and few simulations, for more games, played best.
LAPTOP = AlphaZeroConfig(
    environments=256,
    chunks=165,
    batch_size=1024,
    opening_plies=4,
    search_value=0.5,
    symmetries=True,
    evaluation=EvaluationConfig("minimax:2", games=100, openings=2),
    search=SearchConfig(policy="gumbel", simulations=16, values="siblings", c_scale=0.1),
    network=NetworkConfig(
        channels=32, blocks=2, policy_filters=16, value_filters=8, value_hidden=64, momentum=0.95
    ),
    optimiser=OptimiserConfig("adam", rates=(2e-3, 5e-4, 1e-4), boundaries=(2_400, 4_200)),
)

# In Connect Four nine minutes on an H100 that other programs shared, one of compiling: five million moves.
GPU = dataclasses.replace(
    LAPTOP,
    environments=1024,
    chunks=150,
    batch_size=4096,
    window_games=40_000,
    search_value=0.0,
    search=dataclasses.replace(LAPTOP.search, simulations=32),
    evaluation=EvaluationConfig("minimax:5", games=100, openings=2),
    network=NetworkConfig(channels=64, blocks=6, value_hidden=128, momentum=0.95, dtype="bfloat16"),
    optimiser=OptimiserConfig("adam", rates=(2e-3, 5e-4, 1e-4), boundaries=(2_400, 4_000)),
)

# Four and a half minutes on an H200 and one and a half of compiling: 11.8 million moves. What a simulation
# costs beside the network hardly depends on how many games go on at once.
GPU_GO = dataclasses.replace(
    GPU,
    env="go_9x9",
    environments=4096,
    warmup=6,
    chunks=84,
    chunk_plies=32,
    updates=128,
    window_games=32_000,
    window_plies=1_000,
    evaluation=EvaluationConfig("random", games=64),
    network=dataclasses.replace(GPU.network, policy_filters=16, value_filters=8),
    optimiser=OptimiserConfig("adam", rates=(2e-3, 5e-4, 1e-4), boundaries=(7_200, 9_800)),
)

# Seconds on two cores, on a game that is solved: what tests/contract runs.
TINY = AlphaZeroConfig(
    env="tic_tac_toe",
    environments=64,
    warmup=1,
    chunks=16,
    chunk_plies=10,
    updates=40,
    batch_size=256,
    window_games=800,
    window_plies=200,
    sampled_plies=9,
    evaluation=EvaluationConfig("perfect", games=64),
    search=SearchConfig("puct", simulations=16, dirichlet_alpha=1.0),
    network=NetworkConfig(channels=16, blocks=1, value_hidden=16, momentum=0.9),
    optimiser=OptimiserConfig("adam", rates=(1e-2,), boundaries=()),
)


def preset(name: str, env: str | None) -> AlphaZeroConfig:
    """A named configuration for a game; Connect Four, or chess with the published settings, by default.

    Raises:
        ConfigError: for the published settings of a game that the paper does not have.
    """
    if name == "paper":
        if (env or "chess") not in PAPER:
            raise ConfigError(
                f"preset paper has settings for {', '.join(PAPER)}; for env {env} use preset laptop"
            )
        return PAPER[env or "chess"]
    if name == "gpu" and env == GPU_GO.env:
        return GPU_GO
    config = {"laptop": LAPTOP, "gpu": GPU, "tiny": TINY}[name]
    if env in (None, config.env):
        return config
    return dataclasses.replace(config, env=env, evaluation=EvaluationConfig("random", games=16))


ENTRY = SystemEntry(
    name="alphazero",
    summary="self-play, search and one network, from nothing but the rules (Silver et al. 2018)",
    config=AlphaZeroConfig,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=("connect_four", "tic_tac_toe", "othello", "gardner_chess"),
    make=partial(build, "alphazero"),
    reaches=-0.3,  # a draw is the best against perfect play
)
