"""What AlphaGo Zero and AlphaZero share: settings of self-play and learning, and the parts made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array

from imaginax import envs
from imaginax.acting import self_play as game_play
from imaginax.acting.self_play import SelfPlay
from imaginax.data.self_play import self_play_replay
from imaginax.envs.wrappers import privileged
from imaginax.learning.learner import Learner, init_learner
from imaginax.learning.policy_value import make_optimiser, make_step, make_update, network_in_rules
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.mcts.planner import make_mcts
from imaginax.systems.presets.self_play import SelfPlayConfig
from imaginax.types import Environment, Player, Replay


class Parts(NamedTuple):
    """What a configuration gives.

    Attributes:
        env: one `privileged` game.
        self_play: moves of both sides.
        replay: window of games.
        learner: key -> learner whose params are the network's variables.
        step: (learner, what replay holds, key) -> (learner, metrics).
        player: simulations for one move, None for those of the settings -> player at full strength.
    """

    env: Environment
    self_play: SelfPlay
    replay: Replay
    learner: Callable[[Array], Learner]
    step: Callable[..., Any]
    player: Callable[[int | None], Player]


def make_parts(
    name: str, config: SelfPlayConfig, env: Environment | None, *, random_symmetry: bool, augment: bool
) -> Parts:
    """The parts of a system.

    Args:
        name: name of the system.
        config: settings of the system.
        env: one game; None for `config.env`.
        random_symmetry: show the network each position of a search under a random symmetry.
        augment: learn from each position under a random symmetry.

    Raises:
        ConfigError: if the environment is not a board game, or the settings do not fit it.
    """
    env = privileged(envs.resolve(env, config.env, max_steps=config.max_plies or None))
    network, model = network_in_rules(env, config.network, random_symmetry=random_symmetry)
    check_compatible(env, model, make_mcts(model, config.search, env))
    step = make_step(
        env,
        make_update(network, config.optimiser, env.game if augment else None),
        num_envs=config.environments,
        batch_size=config.batch_size,
        window_games=config.window_games,
        search_value=config.search_value,
    )

    def player(simulations: int | None = None) -> Player:
        return game_play.make_player(name, model, config.search, env, simulations=simulations)

    return Parts(
        env=env,
        self_play=game_play.make_self_play(
            model,
            config.search,
            env,
            sampled_plies=config.sampled_plies,
            opening_plies=config.opening_plies,
        ),
        replay=self_play_replay(env, config.window_plies, config.environments),
        learner=lambda key: init_learner(network.init(key), make_optimiser(config.optimiser)),
        step=step,
        player=player,
    )
