"""What AlphaGo Zero and AlphaZero share: settings of self-play and learning, and the parts made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from imaginax import envs
from imaginax.acting import self_play as game_play
from imaginax.acting.self_play import SelfPlay
from imaginax.arena.evaluation import EvaluationConfig
from imaginax.data.self_play import ply_replay
from imaginax.envs.wrappers import privileged
from imaginax.learning.policy_value import OptimiserConfig, make_step, make_update, network_in_rules
from imaginax.networks.residual import Network, NetworkConfig
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.mcts.search import SearchConfig, make_mcts
from imaginax.types import ConfigError, Environment, Player, Replay, WorldModel


@dataclasses.dataclass(frozen=True)
class SelfPlayConfig:
    """Self-play, search and learning on one game.

    Attributes:
        env: name of the game (`imaginax list`).
        max_plies: moves after which a game is cut off; 0 takes the game's own limit.
        environments: games that are played side by side.
        warmup: chunks of self-play before the first update.
        chunks: chunks that begin with updates, after that.
        chunk_plies: moves of every game in a chunk.
        updates: of the network, at the start of a chunk.
        batch_size: positions an update learns from, a multiple of `environments`.
        window_games: the newest games that positions are drawn from.
        window_plies: moves of each of the side-by-side games that memory has room for.
        search_value: weight in the value's target of what the search expected, beside the outcome of the
            game, which alone the papers take. It varies less between games that begin alike.
        sampled_plies: moves of a game that are drawn in proportion to visits; then the most visited are made.
        opening_plies: a game begins with 0 to so many random moves, to see more kinds of positions; the
            papers have none.
        evaluation: the match at the end.
        search: of the moves.
        network: policy and value.
        optimiser: of the network.
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

    # Whole numbers that may be other than 1 at the least.
    least: ClassVar[dict[str, int]] = {"max_plies": 0, "sampled_plies": 0, "opening_plies": 0}

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), self.least.get(field.name, 1)
            if type(value) is int and not least <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {least} and below 2^31, got {value}")
        if not 0.0 <= self.search_value <= 1.0:
            raise ConfigError(f"search_value must lie in [0, 1], got {self.search_value}")
        if self.batch_size % self.environments:
            raise ConfigError(
                f"batch_size ({self.batch_size}) must be a multiple of environments ({self.environments})"
            )


class Parts(NamedTuple):
    """What a configuration gives.

    Attributes:
        env: the `privileged` game.
        network: policy and value.
        model: the rules, guided by it.
        self_play: how both sides move.
        replay: the window of games.
        step: (learner, what replay holds, key) -> (learner, metrics).
        player: simulations and what the model's parameters are in the player's -> the side at its strongest.
    """

    env: Environment
    network: Network
    model: WorldModel
    self_play: SelfPlay
    replay: Replay
    step: Callable[..., Any]
    player: Callable[[int | None, Callable[[Any], Any]], Player]


def make_parts(name: str, config: SelfPlayConfig, *, turn: bool, augment: bool) -> Parts:
    """The parts of a system.

    Args:
        name: of the system.
        config: its settings.
        turn: show the network each position of a search under a random symmetry.
        augment: learn from each position under a random symmetry.

    Raises:
        ConfigError: if the environment is not a board game, or the settings do not fit it.
    """
    env = privileged(envs.make(config.env, max_steps=config.max_plies or None))
    network, model = network_in_rules(env, config.network, turn=turn)
    check_compatible(env, model, make_mcts(model, config.search, env))
    step = make_step(
        env,
        make_update(network, config.optimiser, env.game if augment else None),
        places=config.environments,
        batch_size=config.batch_size,
        window_games=config.window_games,
        search_value=config.search_value,
    )

    def player(simulations: int | None, params_of: Callable[[Any], Any]) -> Player:
        return game_play.make_player(
            name, model, config.search, env, simulations=simulations, params_of=params_of
        )

    return Parts(
        env,
        network,
        model,
        game_play.make_self_play(
            model,
            config.search,
            env,
            sampled_plies=config.sampled_plies,
            opening_plies=config.opening_plies,
        ),
        ply_replay(env, config.window_plies, config.environments),
        step,
        player,
    )
