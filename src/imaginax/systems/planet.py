"""PlaNet (Hafner et al. 2019, arXiv 1811.04551): learning latent dynamics for planning from pixels.

Algorithm 1 of the paper:

    collect S episodes with random actions
    repeat:
        for each of C updates:
            draw sequences, descend the bound of the latent model       -> models.latent.objective, rssm
        for each step of an episode:
            update the belief by what is seen                           -> models.latent.model
            plan in latent space, add exploration noise                 -> planners.shooting.planet_cem
            act, repeating the action, and remember                     -> runtime.loop
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from imaginax import envs
from imaginax.acting import mpc
from imaginax.data.replay import ring_replay
from imaginax.data.sequences import sample_sequences
from imaginax.envs.pixels import pixels
from imaginax.envs.wrappers import episode_statistics, reset_in_turn, unit_actions, vectorise
from imaginax.models.latent.model import latent_model
from imaginax.models.latent.rssm import Belief, restart
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.planner import make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.planet import PlaNetConfig
from imaginax.types import (
    Box,
    ConfigError,
    Environment,
    Planner,
    Stage,
    System,
    SystemState,
    TimeStep,
    Trajectory,
    WorldModel,
)


class Learner(NamedTuple):
    """What learning carries: the model's parameters, their optimiser's state, and updates made."""

    params: PyTree
    optimiser: PyTree
    updates: Int[Array, ""]


class Carry(NamedTuple):
    """What acting remembers: the belief, the action that was taken from it, and the planner's state."""

    belief: Belief
    action: Float[Array, "N A"]
    plan: PyTree


def make(config: PlaNetConfig) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: if the environment, the model and the planner do not fit together.
    """
    env = envs.make(config.env, max_steps=config.episode_steps or None, action_repeat=config.action_repeat)
    env = reset_in_turn(unit_actions(env))
    env = pixels(env, config.image) if config.image else env
    model = latent_model(env.spec, config.model, config.objective)
    planner = make_planner(env.spec, model, config.planner)
    check_compatible(env, model, planner)
    steps, rounds = env.spec.max_steps + 1, config.episodes // config.environments
    seeds = config.seed_episodes // config.environments
    replay = ring_replay(_example(env), config.memory or (seeds + rounds) * steps, config.environments)
    _check_sequences(config, seeds * steps)
    optimiser = make_optimiser(config)
    vector = _vector(env, config.environments)
    start = partial(start_carry, env, model, planner)

    def init(key) -> SystemState:
        key, key_model, key_env = jax.random.split(key, 3)
        params, zero = model.init(key_model), jnp.zeros((), jnp.int32)
        state, timestep = vector.init(key_env)
        learner = Learner(params, optimiser.init(params), zero)
        carry = start(params, config.environments)
        return SystemState(learner, replay.init(), state, timestep, carry, key, zero)

    learn = make_learn(config, model, optimiser)
    act = partial(make_act, env, model, planner)

    def evaluate(state: SystemState, key):
        begin = partial(start, state.learner.params)
        return run_episodes(
            env, act(0.0), begin, state.learner.params, key, episodes=config.eval_episodes, vector=_vector
        )

    return System(
        name="planet",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.params,
        act=act(config.exploration),
        learn=lambda learner, memory, key: learn(learner, replay.data(memory), key),
        record=_record,
        evaluate=evaluate,
        exploit=act(0.0),
        schedule=(
            Stage("random", seeds, steps, act=_explore(env)),
            Stage("planning", rounds, steps, updates=config.updates),
        ),
    )


def make_optimiser(config: PlaNetConfig) -> optax.GradientTransformation:
    """Adam on gradients of bounded norm."""
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm), optax.adam(config.learning_rate, eps=config.adam_epsilon)
    )


def make_learn(
    config: PlaNetConfig, model: WorldModel, optimiser: optax.GradientTransformation
) -> Callable[..., tuple[Learner, dict[str, Array]]]:
    """(learner, what replay holds, key) -> (learner, metrics): one update."""
    descend = make_descent(model, optimiser, lr_decay(config))

    def learn(learner: Learner, ring, key):
        key_data, key_loss = jax.random.split(key)
        data = sample_sequences(ring, key_data, batch=config.batch_size, length=config.sequence)
        return descend(learner, data, key_loss)

    return learn


def lr_decay(config: PlaNetConfig) -> optax.Schedule | None:
    """Updates made -> share of the learning rate; None where it stays the same."""
    total = config.episodes // config.environments * config.updates
    length = round(config.lr_decay * total)
    if not length:
        return None
    return optax.linear_schedule(1.0, 0.0, length, total - length)


def make_descent(
    model: WorldModel,
    optimiser: optax.GradientTransformation,
    share: optax.Schedule | None = None,
) -> Callable[..., tuple[Learner, dict[str, Array]]]:
    """(learner, sequences, key) -> (learner, metrics): one step down the gradient.

    Args:
        model: what learns.
        optimiser: as `make_optimiser` makes it.
        share: updates made -> share of its step that is taken; all of it by default.
    """

    def descend(learner: Learner, data: Trajectory, key):
        gradient, metrics = jax.grad(model.loss, has_aux=True)(learner.params, data, key)
        metrics = metrics | {"gradient_norm": optax.tree.norm(gradient)}
        change, state = optimiser.update(gradient, learner.optimiser, learner.params)
        if share:
            change = optax.tree.scale(share(learner.updates), change)
        return Learner(optax.apply_updates(learner.params, change), state, learner.updates + 1), metrics

    return descend


def make_act(
    env: Environment, model: WorldModel, planner: Planner, exploration: float
) -> Callable[..., tuple]:
    """Filter what is seen, plan, add noise; at the first step of an episode all is forgotten."""
    space = env.spec.action
    assert isinstance(space, Box)  # `latent_model` refuses other actions
    std = exploration * (space.high - space.low) / 2

    def act(params: PyTree, carry: Carry, timestep: TimeStep, key):
        key_observe, key_plan, key_noise = jax.random.split(key, 3)
        fresh = start_carry(env, model, planner, params, len(timestep.first))
        belief, action = restart(fresh.belief, carry.belief, carry.action, timestep.first)
        belief = model.observe(params, belief, action, timestep.observation, key_observe)
        plan = mpc.restart(planner, carry.plan, timestep.first)
        action, plan, found = planner.plan(params, belief, plan, key_plan, timestep.legal)
        noise = std * jax.random.normal(key_noise, action.shape, action.dtype)
        action = jnp.clip(action + noise, space.low, space.high)
        return Carry(belief, action, plan), action, {"plan_value": found.value}

    return act


def start_carry(env: Environment, model: WorldModel, planner: Planner, params: PyTree, batch: int) -> Carry:
    """What acting remembers before the first step: nothing, in its shapes."""
    observation = jax.ShapeDtypeStruct((batch, *env.spec.observation.shape), env.spec.observation.dtype)
    shapes = jax.eval_shape(model.encode, params, observation, jax.random.key(0))
    belief = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return Carry(belief, jnp.zeros((batch, *env.spec.action.shape)), planner.init(batch))


def _vector(env: Environment, n: int) -> Environment:
    return vectorise(episode_statistics(env), n)


def _explore(env: Environment) -> Callable[..., tuple]:
    """Uniform actions; nothing is remembered, since the next stage begins with an episode."""
    space = env.spec.action
    assert isinstance(space, Box)

    def act(params, carry: Carry, timestep: TimeStep, key):
        shape = (len(timestep.first), *space.shape)
        action = jax.random.uniform(key, shape, minval=space.low, maxval=space.high)
        return carry, action, {}

    return act


def _record(timestep: TimeStep, action: Array, following: TimeStep, extras) -> Trajectory:
    return Trajectory(following.observation, action, following.reward, following.discount, following.first)


def _example(env: Environment) -> Trajectory:
    """One step of zeros."""
    observation = jnp.zeros(env.spec.observation.shape, env.spec.observation.dtype)
    zero = jnp.zeros(())
    return Trajectory(observation, jnp.zeros(env.spec.action.shape), zero, zero, jnp.zeros((), bool))


def _check_sequences(config: PlaNetConfig, collected: int) -> None:
    least = min(collected, config.memory or collected)
    if config.sequence > least:
        raise ConfigError(
            f"sequence ({config.sequence}) must not be longer than what replay holds at the first update,"
            f" {least} steps of each environment: see seed_episodes, action_repeat, episode_steps and memory"
        )
