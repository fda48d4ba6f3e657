"""AlphaGo Zero (Silver et al. 2017, Nature 550): mastering the game of Go without human knowledge.

    initialise the network (p, v) = f(s) at random; it is the best one
    repeat:
        for each move of each game, with the best network:
            search from s, f sees each position under a random symmetry     -> planners.mcts, models.rules
            resign, or draw the move by visits (later: the most visited)    -> acting.resignation, self_play
            add s and the visits pi to the window of the last games         -> data.self_play
        for each batch of ended games' positions, under random symmetries:
            descend the gradient of (z - v)^2 - pi . log p + c |theta|^2    -> learning.policy_value
        play the new network against the best one: with more than 55% of the points it takes its place

What AlphaZero left out is here: the gate, resignation and the symmetries of the board.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax.acting import resignation
from imaginax.acting.resignation import Resignation
from imaginax.acting.self_play import SelfPlayCarry
from imaginax.arena.evaluation import make_evaluation
from imaginax.arena.match import play_match
from imaginax.arena.replay import count_distinct, fingerprints
from imaginax.data.self_play import recorder
from imaginax.envs.games.resignation import resign_action, resignable
from imaginax.envs.wrappers import training_environment
from imaginax.learning.learner import Learner
from imaginax.systems.presets.alphago_zero import AlphaGoZeroConfig
from imaginax.systems.self_play import Parts, make_parts
from imaginax.types import ConfigError, Environment, Metrics, Player, Stage, System, SystemState


class BestPlayer(NamedTuple):
    """The network that learns, and the best one so far, which plays.

    Attributes:
        learner: learner of the network that learns.
        best: variables of the best network.
        promotions: number of networks that became the best one.
    """

    learner: Learner
    best: PyTree
    promotions: Int[Array, ""]


class Best(NamedTuple):
    """The network that plays: its variables, and how many promotions made it the best one."""

    variables: PyTree
    promotions: Int[Array, ""]


class Carry(NamedTuple):
    """What self-play remembers.

    Attributes:
        play: carry of self-play.
        resignation: values that the best network saw.
        promotions: promotions when that network became the best one.
    """

    play: SelfPlayCarry
    resignation: Resignation
    promotions: Int[Array, ""]


def make(config: AlphaGoZeroConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment is not a board game, or the settings do not fit it.
    """
    parts = make_parts("alphago_zero", config, env, random_symmetry=True, augment=True)
    _check_gate(config, parts)
    env, self_play, replay = parts.env, parts.self_play, parts.replay
    vector = training_environment(resignable(env), config.environments)

    def init(key) -> SystemState:
        key, key_network, key_env = jax.random.split(key, 3)
        learner = parts.learner(key_network)
        champion = BestPlayer(learner, jax.tree.map(jnp.copy, learner.params), learner.updates)
        state, timestep = vector.init(key_env)
        known = resignation.start(config.resignation, config.environments)
        zero = jnp.zeros((), jnp.int32)
        carry = Carry(self_play.init(config.environments), known, zero)
        return SystemState(champion, replay.init(), state, timestep, carry, key, zero)

    def params_of(champion: BestPlayer) -> Best:
        return Best(champion.best, champion.promotions)

    def player(simulations: int | None = None) -> Player:
        searching = parts.player(simulations)
        return searching._replace(move=lambda best, *rest: searching.move(best.variables, *rest))

    return System(
        name="alphago_zero",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=params_of,
        act=_make_act(config, env, self_play),
        learn=_make_learn(config, parts),
        record=recorder(env),
        evaluate=make_evaluation(env, config.evaluation, player, params_of),
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
    gate = _make_gate(config, parts.env, parts.player(None))

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
        sides = (champion.learner.params, champion.best)
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

    def act(best: Best, carry: Carry, timestep, key):
        key_play, key_hold = jax.random.split(key)
        play, action, extras = self_play.act(best.variables, carry.play, timestep, key_play)
        another = best.promotions != carry.promotions
        known = resignation.forget(config.resignation, carry.resignation, another)
        known = resignation.follow(config.resignation, known, timestep, key_hold)
        value = jnp.maximum(extras.value, jnp.max(extras.q, axis=1))
        known, resigns = resignation.decide(config.resignation, known, timestep.player, value)
        carry = Carry(play, known, best.promotions)
        return carry, jnp.where(resigns, resign_action(env), action), extras

    return act
