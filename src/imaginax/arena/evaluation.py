"""A match as the evaluation of a system that plays games: what `System.evaluate` runs."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax.arena.config import EvaluationConfig
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.replay import fingerprints
from imaginax.envs.wrappers import StatisticsState
from imaginax.types import Environment, Episodes, Params, Player, SystemState


def make_evaluation(
    env: Environment,
    config: EvaluationConfig,
    player: Callable[[int | None], Player],
    params_of: Callable[[PyTree], Params],
) -> Callable[[SystemState, Array], Episodes]:
    """The `evaluate` of a system.

    Args:
        env: the game.
        config: the match.
        player: the system's own.
        params_of: that of the system.

    Raises:
        ConfigError: for an opponent that does not exist, or plays another game.
    """
    ours, opponent = player(config.simulations or None), make_opponent(config.opponent, env)

    def evaluate(state: SystemState, key: Array) -> Episodes:
        sides = (params_of(state.learner), ())
        return run_match(env, ours, opponent, sides, key, games=config.games, openings=config.openings)

    return evaluate


def run_match(
    env: Environment,
    ours: Player,
    opponent: Player,
    params: tuple[Params, Params],
    key: Array,
    *,
    games: int,
    openings: int = 0,
) -> Episodes:
    """Outcomes of the games for our side (1, 0 or -1), and the positions of the first of them.

    Args:
        env: the game, as `envs.make` gives it or `privileged`.
        ours: our side, which begins half of the games.
        opponent: the other.
        params: of both.
        key: consumed.
        games: an even number; with openings no more than two for each that the game has.
        openings: plies before the sides take over, drawn without replacement, the same for both colours.
    """
    match = play_match(env, ours, opponent, params, key, games=games, openings=openings)
    states = _positions(env, match.actions[:, 0], match.length[0], match.outcome[0])
    return Episodes(match.outcome, states, fingerprints(match.actions))


def _positions(
    env: Environment, actions: Int[Array, "T"], length: Int[Array, ""], outcome: Array
) -> StatisticsState:
    """The positions before each move and after the last, [T + 1, ...], as `training_environment` has them."""

    def step(state, action):
        following = env.step(state, action, jax.random.key(0))[0]
        return following, following

    first, _ = env.init(jax.random.key(0))
    rest = jax.lax.scan(step, first, actions)[1]
    states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)
    ply = jnp.arange(actions.shape[0] + 1, dtype=jnp.int32)
    under_way = ply <= length
    zeros = jnp.zeros(ply.shape, jnp.float32)
    return StatisticsState(
        states,
        running_return=jnp.where(ply == length, outcome, zeros),
        running_length=jnp.where(under_way, ply, 0),
        finished_return=zeros,
        finished_length=jnp.zeros_like(ply),
        player=ply % 2,
    )
