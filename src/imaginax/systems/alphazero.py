"""AlphaZero (Silver et al. 2018, Science 362; preprint arXiv:1712.01815): mastering games by self-play.

    initialise the network (p, v) = f(s) at random
    repeat, always with the newest network:
        for each move of each game:
            search the rules from s, guided by f, with noise at the root     -> planners.mcts, models.rules
            draw the move in proportion to visits                            -> planners.game_play
            add s and the visits pi to the window of the last games          -> data.self_play
        for each batch of positions of games that have ended with outcome z:
            descend the gradient of (z - v)^2 - pi . log p + c |theta|^2     -> models.policy_value

There is no gate, no resignation and no use of symmetries: compare `systems.alphago_zero`.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from imaginax import envs
from imaginax.arena.evaluation import EvaluationConfig, make_evaluation
from imaginax.compose import compose
from imaginax.data.self_play import ply_replay, recorder
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.models.policy_value import (
    OptimiserConfig,
    init_learner,
    make_step,
    make_update,
    network_in_rules,
)
from imaginax.networks.residual import NetworkConfig
from imaginax.planners.game_play import make_player, make_self_play
from imaginax.planners.mcts import SearchConfig, make_mcts
from imaginax.systems import SystemEntry
from imaginax.types import ConfigError, Player, Stage, System, SystemState


@dataclasses.dataclass(frozen=True)
class AlphaZeroConfig:
    """AlphaZero on one game.

    Attributes:
        env: name of the game (`imaginax list`).
        max_plies: moves after which a game is cut off; 0 takes the game's own limit.
        environments: games that are played side by side.
        warmup: chunks of self-play before the first update.
        chunks: chunks of updates and self-play after that.
        chunk_plies: moves of every game in a chunk.
        updates: of the network, in each chunk.
        batch_size: positions an update learns from, a multiple of `environments`.
        window_games: the newest games that positions are drawn from.
        window_plies: moves of each of the side-by-side games that memory has room for.
        sampled_plies: moves of a game that are drawn in proportion to visits; then the most visited are made.
        symmetries: learn from every position under a symmetry of its board, drawn at random, which the paper
            gave up so as to treat all games alike.
        evaluation: the match at the end.
        search: of the moves.
        network: policy and value.
        optimiser: of the network.
    """

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
    sampled_plies: int = 30
    symmetries: bool = False
    evaluation: EvaluationConfig = EvaluationConfig()
    search: SearchConfig = SearchConfig()
    network: NetworkConfig = NetworkConfig()
    optimiser: OptimiserConfig = OptimiserConfig()

    def __post_init__(self):
        at_least = {"max_plies": 0, "sampled_plies": 0}
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), at_least.get(field.name, 1)
            if type(value) is int and not least <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {least} and below 2^31, got {value}")
        if self.batch_size % self.environments:
            raise ConfigError(
                f"batch_size ({self.batch_size}) must be a multiple of environments ({self.environments})"
            )


def make(config: AlphaZeroConfig) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: if the environment is not a board game.
    """
    env = privileged(envs.make(config.env, max_steps=config.max_plies or None))
    network, model = network_in_rules(env, config.network)
    compose(env, model, make_mcts(model, config.search, env))
    self_play = make_self_play(model, config.search, env, sampled_plies=config.sampled_plies)
    step = make_step(
        env,
        make_update(network, config.optimiser, env.game if config.symmetries else None),
        places=config.environments,
        batch_size=config.batch_size,
        window_games=config.window_games,
    )
    vector = training_environment(env, config.environments)
    replay = ply_replay(env, config.window_plies, config.environments)

    def init(key) -> SystemState:
        key, key_network, key_env = jax.random.split(key, 3)
        learner = init_learner(network, config.optimiser, key_network)
        state, timestep = vector.init(key_env)
        carry, zero = self_play.init(config.environments), jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, carry, key, zero, zero)

    def act(learner, carry, timestep, key):
        return self_play.act(learner.variables, carry, timestep, key)

    def player(simulations: int | None = None) -> Player:
        return make_player(
            "alphazero",
            model,
            config.search,
            env,
            simulations=simulations,
            params_of=lambda learner: learner.variables,
        )

    return System(
        name="alphazero",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        act=act,
        learn=lambda learner, memory, key: step(learner, replay.data(memory), key),
        record=recorder(env),
        evaluate=make_evaluation(env, config.evaluation, player),
        schedule=(
            Stage("self-play", config.warmup, config.chunk_plies),
            Stage("learning", config.chunks, config.chunk_plies, updates=config.updates),
        ),
        player=player,
    )


# ------------------------------------------------------------------- presets

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

# Minutes on two cores.
LAPTOP = AlphaZeroConfig(
    symmetries=True,
    evaluation=EvaluationConfig("minimax:2", games=100, openings=2),
    search=SearchConfig(policy="gumbel", simulations=32),
    network=NetworkConfig(channels=64, blocks=4, value_hidden=64),
    optimiser=OptimiserConfig("adam", rates=(1e-3,), boundaries=()),
)

# Seconds on two cores, on a game that is solved: what tests/contract runs.
TINY = AlphaZeroConfig(
    env="tic_tac_toe",
    environments=64,
    warmup=1,
    chunks=20,
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
    config = LAPTOP if name == "laptop" else TINY
    if env in (None, config.env):
        return config
    return dataclasses.replace(config, env=env, evaluation=EvaluationConfig("random", games=16))


ENTRY = SystemEntry(
    name="alphazero",
    summary="self-play, search and one network, from nothing but the rules (Silver et al. 2018)",
    config=AlphaZeroConfig,
    preset=preset,
    presets=("laptop", "paper", "tiny"),
    environments=("connect_four", "tic_tac_toe", "othello", "gardner_chess"),
    make=make,
    reaches=-0.3,  # a draw is the best against perfect play
)
