"""PlaNet (Hafner et al. 2019, arXiv 1811.04551): learning latent dynamics for planning from pixels.

Algorithm 1 of the paper:

    collect S episodes with random actions
    repeat:
        for each of C updates:
            draw sequences, descend the bound of the latent model       -> models.latent.objective, rssm
        for each step of an episode:
            update the belief by what is seen                           -> acting.filtering
            plan in latent space, add exploration noise                 -> planners.shooting.planet_cem
            act, repeating the action, and remember                     -> runtime.loop
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import optax

from imaginax import envs
from imaginax.acting import filtering
from imaginax.acting.exploration import Explore, act_randomly, gaussian_noise
from imaginax.data.sequences import empty_step, record_step, sequence_replay
from imaginax.envs.pixels import pixels
from imaginax.envs.wrappers import episode_statistics, reset_in_turn, unit_actions, vectorise
from imaginax.learning.learner import Learner, gradient_step, init_learner
from imaginax.models.latent.model import latent_model
from imaginax.models.latent.open_loop import open_loop
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.planner import make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.planet import PlaNetConfig
from imaginax.types import (
    Box,
    ConfigError,
    Environment,
    Replay,
    Stage,
    System,
    SystemState,
)


def make(config: PlaNetConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment, the model and the planner do not fit together.
    """
    limit = config.episode_steps or None
    env = envs.resolve(env, config.env, max_steps=limit, action_repeat=config.action_repeat)
    env = reset_in_turn(unit_actions(env))
    env = pixels(env, config.image) if config.image else env
    model = latent_model(env.spec, config.model, config.objective)
    planner = make_planner(env.spec, model, config.planner)
    check_compatible(env, model, planner)
    steps, rounds = env.spec.max_steps + 1, config.episodes // config.environments
    seeds = config.seed_episodes // config.environments
    replay = make_replay(config, env, config.memory or (seeds + rounds) * steps)
    _check_sequences(config, seeds * steps)
    optimiser = make_optimiser(config)
    vector = _vector(env, config.environments)
    decide = filtering.by_planning(planner)
    start = partial(filtering.start, model, env.spec, decide)
    act = filtering.make_act(model, env.spec, decide, _noise(env, config.exploration))
    exploit = filtering.make_act(model, env.spec, decide)

    def init(key) -> SystemState:
        key, key_model, key_env = jax.random.split(key, 3)
        learner = init_learner(model.init(key_model), optimiser)
        state, timestep = vector.init(key_env)
        carry = start(learner.params, config.environments)
        return SystemState(learner, replay.init(), state, timestep, carry, key, jnp.zeros((), jnp.int32))

    def learn(learner: Learner, memory, key):
        key_data, key_loss = jax.random.split(key)
        data = replay.sample(memory, key_data)
        learner, metrics, _ = gradient_step(model.loss, optimiser, learner, data, key_loss)
        return learner, metrics

    def evaluate(state: SystemState, key):
        params, episodes = state.learner.params, config.eval_episodes
        begin = partial(start, params)
        return run_episodes(env, exploit, begin, params, key, episodes=episodes, vector=_vector)

    return System(
        name="planet",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.params,
        act=act,
        learn=learn,
        record=record_step,
        evaluate=evaluate,
        exploit=exploit,
        dream=partial(open_loop, model),
        schedule=(
            Stage("random", seeds, steps, act=act_randomly(env.spec.action)),
            Stage("planning", rounds, steps, updates=config.updates),
        ),
    )


def make_replay(config: PlaNetConfig, env: Environment, length: int) -> Replay:
    """The last `length` steps of each environment, of which every update draws sequences."""
    batch, sequence = config.batch_size, config.sequence
    return sequence_replay(empty_step(env.spec), length, config.environments, batch=batch, sequence=sequence)


def make_optimiser(config: PlaNetConfig) -> optax.GradientTransformation:
    """Adam on gradients of bounded norm, with steps that shrink to 0 in the last updates (`lr_decay`)."""
    adam = optax.adam(config.learning_rate, eps=config.adam_epsilon)
    parts = [optax.clip_by_global_norm(config.clip_norm), adam]
    total = config.episodes // config.environments * config.updates
    length = round(config.lr_decay * total)
    if length:
        share = optax.linear_schedule(1.0, 0.0, length, total - length)
        parts.append(optax.scale_by_schedule(share))
    return optax.chain(*parts)


def _noise(env: Environment, exploration: float) -> Explore:
    assert isinstance(env.spec.action, Box)  # `unit_actions` refuses other actions
    return gaussian_noise(env.spec.action, exploration)


def _vector(env: Environment, n: int) -> Environment:
    return vectorise(episode_statistics(env), n)


def _check_sequences(config: PlaNetConfig, collected: int) -> None:
    least = min(collected, config.memory or collected)
    if config.sequence > least:
        raise ConfigError(
            f"sequence ({config.sequence}) must not be longer than what replay holds at the first update,"
            f" {least} steps of each environment: see seed_episodes, action_repeat, episode_steps and memory"
        )
