"""MuZero (Schrittwieser et al. 2020, Nature 588; arXiv 1911.08265): planning with a learned model.

    initialise representation h, dynamics g and prediction f at random
    repeat, always with the newest parameters:
        for each step of each environment:
            search from s = h(o) through g, guided by f, with noise at the root  -> planners.mcts
            draw the action in proportion to visits                              -> acting.self_play
            remember what was seen, done, gained and found                       -> data.unrolls
        for each batch of positions, drawn by |nu - z|:                          -> data.prioritised
            search some of them again with the target network                    -> learning.muzero
            unroll g along the actions that were taken, and descend the gradient
            of the losses of reward, value and policy at each step               -> models.muzero

What is legal is known at the root alone, and ends of episodes are not known at all.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax import envs
from imaginax.acting.self_play import SelfPlay, make_player, make_self_play
from imaginax.arena.evaluation import make_evaluation
from imaginax.data.self_play import packing_of
from imaginax.data.unrolls import UnrollConfig, searched_recorder, unroll_replay
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.learning.muzero import MuZeroLearner, Reanalysis, init_muzero, make_update
from imaginax.models.muzero.model import make_networks, muzero_model
from imaginax.models.muzero.objective import Networks, Weights
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.mcts.planner import make_mcts, make_tree_search, temperature_at
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.muzero_config import MuZeroConfig
from imaginax.types import ConfigError, Discrete, Environment, Player, Stage, System, SystemState, WorldModel


class ActingParams(NamedTuple):
    """What acting needs: parameters of the networks, and updates so far, on which the temperature depends."""

    network: PyTree
    updates: Int[Array, "*#S"]


def make(config: MuZeroConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment has continuous actions, or the settings do not fit it.
    """
    env = envs.resolve(env, config.env, max_steps=config.episode_steps or None)
    env = privileged(env) if env.game else env
    networks = make_networks(env, config.model)
    model = muzero_model(env, networks, Weights(value=config.value_weight))
    check_compatible(env, model, make_mcts(model, config.search, env))
    self_play = make_self_play(
        model,
        config.search,
        env,
        sampled_plies=config.sampled_steps,
        opening_plies=config.opening_steps,
    )
    rows = _rows(config, env)
    replay = unroll_replay(
        env,
        rows,
        config.window,
        config.environments,
        batch=config.batch_size,
        alpha=config.priority,
        beta=config.correction,
    ).replay
    vector = training_environment(env, config.environments)
    player = partial(_player, model, config, env) if env.game else None

    def init(key) -> SystemState:
        key, key_network, key_env = jax.random.split(key, 3)
        learner = init_muzero(networks.init(key_network), config.optimiser, target=config.reanalyse > 0)
        state, timestep = vector.init(key_env)
        carry, zero = self_play.init(config.environments), jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, carry, key, zero)

    act, exploit = _acting(config, self_play)
    return System(
        name="muzero",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=params_of,
        act=act,
        learn=_learn(config, env, model, networks, rows, replay),
        record=searched_recorder(env),
        evaluate=_evaluation(config, env, self_play, exploit, player),
        exploit=exploit,
        schedule=(
            Stage("self-play", config.warmup, config.chunk_steps),
            Stage("learning", config.chunks, config.chunk_steps, updates=config.updates),
        ),
        player=player,
    )


def _acting(config: MuZeroConfig, self_play: SelfPlay):
    """`act`, whose temperature depends on the updates so far, and `exploit`."""

    def act(params: ActingParams, carry, timestep, key):
        warm = temperature_at(params.updates, config.temperatures, config.temperature_until)
        return self_play.act(params.network, carry, timestep, key, warm)

    def exploit(params: ActingParams, carry, timestep, key):
        return self_play.exploit(params.network, carry, timestep, key)

    return act, exploit


def params_of(learner: MuZeroLearner) -> ActingParams:
    """What acting needs of a learner."""
    return ActingParams(learner.online.params, learner.online.updates)


def _rows(config: MuZeroConfig, env: Environment) -> UnrollConfig:
    """What a row of replay is; the warm-up has to bring one."""
    rows = UnrollConfig(config.unroll, config.bootstrap or None, env.spec.max_steps, config.search.discount)
    if rows.length > 100_000:
        raise ConfigError(
            f"bootstrap must be above 0 in env {env.spec.name}, whose episodes have up to"
            f" {env.spec.max_steps} steps: a row of replay would have {rows.length}"
        )
    collected = config.warmup * config.chunk_steps
    if rows.length > collected:
        raise ConfigError(
            f"warmup ({config.warmup} chunks of chunk_steps {config.chunk_steps}) must bring the"
            f" {rows.length} steps that a row of replay is made of: see unroll and bootstrap"
        )
    return rows


def _learn(config: MuZeroConfig, env: Environment, model: WorldModel, networks: Networks, rows, replay):
    assert isinstance(env.spec.action, Discrete)
    fresh = make_tree_search(model, dataclasses.replace(config.search, reuse=False))
    return make_update(
        model,
        replay,
        config.optimiser,
        rows,
        unpack=packing_of(env).unpack,
        num_actions=env.spec.action.size,
        reanalysis=Reanalysis(
            config.reanalyse,
            networks.represent,
            lambda params, state: networks.scalar.decode(networks.predict(params, state)[1]),
            fresh,
        ),
        target_every=config.target_every,
        symmetries=env.game.symmetries if env.game and config.symmetries else None,
    )


def _player(
    model: WorldModel, config: MuZeroConfig, env: Environment, simulations: int | None = None
) -> Player:
    """The side that plays at full strength; its params are `act`'s."""
    player = make_player("muzero", model, config.search, env, simulations=simulations)

    def move(params: ActingParams, memory, timestep, key):
        return player.move(params.network, memory, timestep, key)

    return player._replace(move=move)


def _evaluation(config: MuZeroConfig, env: Environment, self_play: SelfPlay, exploit, player):
    """A match of a board game; episodes of other environments."""
    if player is not None:
        return make_evaluation(env, config.evaluation, player, params_of)

    def evaluate(state: SystemState, key: Array):
        params = params_of(state.learner)
        return run_episodes(env, exploit, self_play.init, params, key, episodes=config.eval_episodes)

    return evaluate
