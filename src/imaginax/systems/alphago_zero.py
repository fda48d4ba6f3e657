"""AlphaGo Zero (Silver et al. 2017, Nature 550): mastering the game of Go without human knowledge.

    initialise the network (p, v) = f(s) at random; it is the best one
    repeat:
        for each move of each game, with the best network:
            search from s, each position turned at random before f sees it  -> planners.mcts, models.rules
            resign, or draw the move by visits (later: the most visited)    -> acting.resignation, self_play
            add s and the visits pi to the window of the last games         -> data.self_play
        for each batch of ended games' positions, each turned at random:
            descend the gradient of (z - v)^2 - pi . log p + c |theta|^2    -> learning.policy_value
        play the new network against the best one: with more than 55% of the points it takes its place

What AlphaZero left out is here: the gate, resignation and the symmetries of the board.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax.acting import resignation as giving_up
from imaginax.acting.resignation import Resignation, ResignationConfig
from imaginax.acting.self_play import SelfPlayCarry
from imaginax.arena.evaluation import EvaluationConfig, make_evaluation
from imaginax.arena.match import play_match
from imaginax.arena.replay import count_distinct, fingerprints
from imaginax.data.self_play import recorder
from imaginax.envs.games.resignation import resignable, resignation
from imaginax.envs.wrappers import training_environment
from imaginax.learning.policy_value import Learner, OptimiserConfig, init_learner
from imaginax.networks.residual import NetworkConfig
from imaginax.planners.mcts.search import SearchConfig
from imaginax.systems import SystemEntry
from imaginax.systems.self_play import Parts, SelfPlayConfig, make_parts
from imaginax.types import ConfigError, Metrics, Player, Stage, System, SystemState


@dataclasses.dataclass(frozen=True)
class AlphaGoZeroConfig(SelfPlayConfig):
    """AlphaGo Zero on one game; see `SelfPlayConfig` for the fields it shares with AlphaZero.

    Its `updates` are those between two gates: one gate a chunk.

    Attributes:
        gate_games: games between the new network and the best one, half of them with each colour; no more
            than two for each opening.
        gate_share: share of their points that the new network has to exceed.
        gate_openings: moves of their openings, drawn without replacement. Without openings the games differ
            by the random symmetries of the search alone.
        resignation: when games are given up.
    """

    gate_games: int = 64
    gate_share: float = 0.55
    gate_openings: int = 2
    resignation: ResignationConfig = ResignationConfig()

    least = SelfPlayConfig.least | {"gate_openings": 0, "gate_games": 2}

    def __post_init__(self):
        super().__post_init__()
        if self.gate_games % 2:
            raise ConfigError(f"gate_games must be even, half with each colour, got {self.gate_games}")
        if not 0 <= self.gate_share < 1:
            raise ConfigError(f"gate_share must lie in [0, 1), got {self.gate_share}")


class BestPlayer(NamedTuple):
    """The network that learns, and the best one so far, which plays.

    Attributes:
        learner: the former.
        best: variables of the latter.
        promotions: how often the former took the latter's place.
    """

    learner: Learner
    best: PyTree
    promotions: Int[Array, ""]


class Carry(NamedTuple):
    """What self-play remembers.

    Attributes:
        play: of its games.
        resignation: of what the network that plays expected of them.
        promotions: by which it became the best one.
    """

    play: SelfPlayCarry
    resignation: Resignation
    promotions: Int[Array, ""]


def make(config: AlphaGoZeroConfig) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: if the environment is not a board game, or the settings do not fit it.
    """
    parts = make_parts("alphago_zero", config, turn=True, augment=True)
    _check_gate(config, parts)
    env, self_play, replay = parts.env, parts.self_play, parts.replay
    vector = training_environment(resignable(env), config.environments)

    def init(key) -> SystemState:
        key, key_network, key_env = jax.random.split(key, 3)
        learner = init_learner(parts.network, config.optimiser, key_network)
        champion = BestPlayer(learner, jax.tree.map(jnp.copy, learner.variables), learner.updates)
        state, timestep = vector.init(key_env)
        known = giving_up.start(config.resignation, config.environments)
        zero = jnp.zeros((), jnp.int32)
        carry = Carry(self_play.init(config.environments), known, zero)
        return SystemState(champion, replay.init(), state, timestep, carry, key, zero)

    def player(simulations: int | None = None) -> Player:
        return parts.player(simulations, lambda champion: champion.best)

    return System(
        name="alphago_zero",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        act=_make_act(config, env, self_play),
        learn=_make_learn(config, parts),
        record=recorder(env),
        evaluate=make_evaluation(env, config.evaluation, player),
        schedule=(
            Stage("self-play", config.warmup, config.chunk_plies),
            Stage("learning", config.chunks, config.chunk_plies, updates=1),
        ),
        player=player,
    )


def _check_gate(config: AlphaGoZeroConfig, parts: Parts) -> None:
    """A gate must not play the same two games again and again."""
    game = parts.env.game
    if config.gate_openings == 0 and game is not None and len(game.symmetries.actions) == 1:
        raise ConfigError(
            f"gate_openings must be at least 1 on {config.env}, whose board has no symmetries: without"
            " openings all games of a gate are the same two"
        )


def _make_learn(config: AlphaGoZeroConfig, parts: Parts):
    """Updates up to the next checkpoint, then its match against the best network."""
    gate = _make_gate(config, parts.env, parts.player(None, lambda variables: variables))

    def learn(champion: BestPlayer, memory, key):
        key_updates, key_gate = jax.random.split(key)
        plies = parts.replay.data(memory)
        learner, metrics = jax.lax.scan(
            lambda learner, key: parts.step(learner, plies, key),
            champion.learner,
            jax.random.split(key_updates, config.updates),
        )
        champion, found = gate(champion._replace(learner=learner), key_gate)
        metrics = jax.tree.map(lambda values: values[-1], metrics)
        promotions = champion.promotions.astype(jnp.float32)
        return champion, metrics | found | {"promotions": promotions}

    return learn


def _make_gate(config: AlphaGoZeroConfig, env, rival: Player):
    """The match that decides whether the network that learned is the best one now."""

    @jax.named_scope("gate")
    def gate(champion: BestPlayer, key) -> tuple[BestPlayer, Metrics]:
        sides = (champion.learner.variables, champion.best)
        match = play_match(
            env, rival, rival, sides, key, games=config.gate_games, openings=config.gate_openings
        )
        share = (jnp.mean(match.outcome) + 1) / 2
        promoted = share > config.gate_share
        best = jax.tree.map(lambda new, old: jnp.where(promoted, new, old), *sides)
        distinct = count_distinct(fingerprints(match.actions)).astype(jnp.float32)
        champion = champion._replace(best=best, promotions=champion.promotions + promoted)
        return champion, {"gate_share": share, "gate_distinct_games": distinct}

    return gate


def _make_act(config: AlphaGoZeroConfig, env, self_play):
    """Moves of the best network, and resignations."""

    def act(champion: BestPlayer, carry: Carry, timestep, key):
        key_play, key_hold = jax.random.split(key)
        play, action, extras = self_play.act(champion.best, carry.play, timestep, key_play)
        another = champion.promotions != carry.promotions
        known = giving_up.forget(config.resignation, carry.resignation, another)
        known = giving_up.follow(config.resignation, known, timestep, key_hold)
        value = jnp.maximum(extras["value"], jnp.max(extras["q"], axis=1))
        known, resigns = giving_up.decide(config.resignation, known, timestep.player, value)
        carry = Carry(play, known, champion.promotions)
        return carry, jnp.where(resigns, resignation(env), action), extras

    return act


# ------------------------------------------------------------------- presets

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
    make=make,
    reaches=-0.3,  # a draw is the best against perfect play
)
