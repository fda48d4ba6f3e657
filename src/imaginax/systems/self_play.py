"""What AlphaGo Zero and AlphaZero share: settings of self-play and learning, and the parts made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from imaginax import envs
from imaginax.acting import self_play as game_play
from imaginax.acting.self_play import SelfPlay
from imaginax.data.self_play import ply_replay
from imaginax.envs.wrappers import privileged
from imaginax.learning.policy_value import make_step, make_update, network_in_rules
from imaginax.networks.residual import Network
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.mcts.planner import make_mcts
from imaginax.systems.presets.self_play import SelfPlayConfig
from imaginax.types import Environment, Player, Replay, WorldModel


class Parts(NamedTuple):
    """What a configuration gives.

    Attributes:
        env: the `privileged` game.
        network: policy and value.
        model: the rules, guided by it.
        self_play: how both sides move.
        replay: the window of games.
        step: (learner, what replay holds, key) -> (learner, metrics).
        player: simulations a move (None: those of the settings) -> the side at its strongest.
    """

    env: Environment
    network: Network
    model: WorldModel
    self_play: SelfPlay
    replay: Replay
    step: Callable[..., Any]
    player: Callable[[int | None], Player]


def make_parts(
    name: str, config: SelfPlayConfig, env: Environment | None, *, turn: bool, augment: bool
) -> Parts:
    """The parts of a system.

    Args:
        name: of the system.
        config: its settings.
        env: the game; None for `config.env`.
        turn: show the network each position of a search under a random symmetry.
        augment: learn from each position under a random symmetry.

    Raises:
        ConfigError: if the environment is not a board game, or the settings do not fit it.
    """
    env = privileged(envs.resolve(env, config.env, max_steps=config.max_plies or None))
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

    def player(simulations: int | None = None) -> Player:
        return game_play.make_player(name, model, config.search, env, simulations=simulations)

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
