"""What Dreamer and DreamerV2 share: the environment, the parts, and how they act and are evaluated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax import envs
from imaginax.acting import filtering
from imaginax.acting.exploration import Explore, act_randomly, epsilon_greedy, gaussian_noise
from imaginax.data.sequences import empty_step, record_step, sequence_replay
from imaginax.envs.pixels import pixels
from imaginax.envs.wrappers import episode_statistics, reset_in_turn, unit_actions, vectorise
from imaginax.learning.actor_critic import ActorCritic, Behaviour, Critic, Starts, adam, make_actor_critic
from imaginax.learning.learner import Learner, init_learner
from imaginax.models.imagination import starts
from imaginax.models.latent.model import latent_model
from imaginax.models.latent.open_loop import open_loop
from imaginax.models.latent.rssm import features
from imaginax.networks.mlp import MLP, activation
from imaginax.policies.actor import Actor, make_actor
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.imagination import ImaginationConfig
from imaginax.types import (
    Belief,
    Box,
    ConfigError,
    Discrete,
    Environment,
    Params,
    Replay,
    Stage,
    System,
    SystemState,
    Trajectory,
    WorkingMemory,
    WorldModel,
)


class ImaginationLearner(NamedTuple):
    """What learning carries: the world model, and the behaviour that is learned in it."""

    model: Learner
    behaviour: Behaviour


class ActingParams(NamedTuple):
    """What acting needs: parameters of the world model, which filters, and of the actor."""

    model: Params
    actor: Params


class Parts(NamedTuple):
    """The parts of one configuration.

    Attributes:
        env: one environment, as the agent sees it.
        model: the latent world model.
        actor: the network that acts.
        behaviour: actor and critic.
        replay: what was experienced, sampled as sequences [B T ...].
    """

    env: Environment
    model: WorldModel
    actor: Actor
    behaviour: ActorCritic
    replay: Replay


def make_parts(config: ImaginationConfig, env: Environment | None) -> Parts:
    """The parts, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if they do not fit together.
    """
    limit = config.episode_steps or None
    env = envs.resolve(env, config.env, max_steps=limit, action_repeat=config.action_repeat)
    _check(env, config)
    env = reset_in_turn(unit_actions(env) if isinstance(env.spec.action, Box) else env)
    env = pixels(env, config.image) if config.image else env
    model = latent_model(env.spec, config.model, config.objective)
    actor = make_actor(env.spec, config.actor, features, config.model.rssm.features)
    behaviour = make_actor_critic(
        model,
        actor,
        make_critic(config),
        config.behaviour,
        actor_optimiser=config.actor_optimiser,
        critic_optimiser=config.critic_optimiser,
    )
    steps = config.prefill_steps + config.chunks * config.chunk_steps
    replay = sequence_replay(
        empty_step(env.spec),
        config.memory or steps,
        config.environments,
        batch=config.batch_size,
        sequence=config.sequence,
        prioritize_ends=config.prioritize_ends,
    )
    return Parts(env, model, actor, behaviour, replay)


def _check(env: Environment, config: ImaginationConfig) -> None:
    """Refuses environments whose actions an actor cannot choose, and impossible exploration."""
    if env.game is not None:
        raise ConfigError(
            f"env {env.spec.name} is a board game, where actions may be illegal: actors know nothing of that"
        )
    if isinstance(env.spec.action, Discrete) and config.exploration > 1:
        raise ConfigError(
            f"exploration is a probability where actions are discrete, in [0, 1], got {config.exploration}"
        )


def working_memory(config: ImaginationConfig) -> WorkingMemory:
    """Beliefs and hidden units of all imagined steps, which the gradients of an update go back through."""
    rssm, behaviour = config.model.rssm, config.behaviour
    latents = rssm.stochastic * (rssm.classes or 1)
    belief = rssm.deterministic + latents + rssm.stochastic * (rssm.classes or 2)
    units = belief + sum(config.actor.hidden)
    if behaviour.gradient != "reinforce":  # also back through the model
        units += sum(config.model.hidden) + 3 * rssm.deterministic
    steps = behaviour.horizon * config.batch_size * config.sequence
    return WorkingMemory(
        4 * units * steps,
        f"behaviour.horizon ({behaviour.horizon}), batch_size ({config.batch_size}), sequence"
        f" ({config.sequence}), and the units and latents of model, rssm and actor ({units} numbers a step:"
        " hidden, deterministic, stochastic, classes)",
    )


def make_critic(config: ImaginationConfig) -> Critic:
    """The value of a belief's features."""
    network = MLP(config.critic_hidden, 1, activation(config.actor.activation))

    def init(key: Array) -> Params:
        return network.init(key, jnp.zeros((1, config.model.rssm.features)))["params"]

    def value(params: Params, belief: Belief) -> Array:
        return network.apply({"params": params}, features(belief))[..., 0]  # pyright: ignore

    return Critic(init, value)


def starts_of(beliefs: Belief, data: Trajectory) -> Starts:
    """Every step that the model inferred, [B T ...], as a start [B*T ...] that gradients do not pass."""
    flat = starts((beliefs, data.reward, data.discount))
    return jax.lax.stop_gradient(Starts(*flat))


def make_system(name: str, config: ImaginationConfig, parts: Parts, learn: Callable[..., Any]) -> System:
    """The system whose update is `learn`: (learner, sequences, key) -> (learner, metrics)."""
    env, space = parts.env, parts.env.spec.action
    vector, filter_ = _vector(env, config.environments), _of_model(parts.model)
    policy = lambda params, belief: parts.actor.act(params.actor, belief)  # noqa: E731
    drawn = filtering.by_policy(policy, env.spec)
    act = filtering.make_act(filter_, env.spec, drawn, _explore(space, config.exploration))
    exploit = filtering.make_act(filter_, env.spec, filtering.by_policy(policy, env.spec, greedy=True))
    start = partial(filtering.start, filter_, env.spec, drawn)

    def params_of(learner: ImaginationLearner) -> ActingParams:
        return ActingParams(learner.model.params, learner.behaviour.actor.params)

    def init(key) -> SystemState:
        key, key_model, key_behaviour, key_env = jax.random.split(key, 4)
        model = init_learner(parts.model.init(key_model), adam(config.model_optimiser))
        learner = ImaginationLearner(model, parts.behaviour.init(key_behaviour))
        state, timestep = vector.init(key_env)
        carry, zero = start(params_of(learner), config.environments), jnp.zeros((), jnp.int32)
        return SystemState(learner, parts.replay.init(), state, timestep, carry, key, zero)

    def update(learner: ImaginationLearner, memory: PyTree, key: Array):
        key_data, key_learn = jax.random.split(key)
        data = parts.replay.sample(memory, key_data)
        if config.rewards == "tanh":
            data = data._replace(reward=jnp.tanh(data.reward))
        return learn(learner, data, key_learn)

    def evaluate(state: SystemState, key):
        params = params_of(state.learner)
        begin = partial(start, params)
        return run_episodes(env, exploit, begin, params, key, episodes=config.eval_episodes, vector=_vector)

    prefill = max(config.prefill_steps // config.chunk_steps, 1)  # rounds, of the least steps that are enough
    return System(
        name=name,
        config=config,
        environment=vector,
        replay=parts.replay,
        init=init,
        params_of=params_of,
        act=act,
        learn=update,
        record=record_step,
        evaluate=evaluate,
        exploit=exploit,
        dream=lambda params, *given, context: open_loop(parts.model, params.model, *given, context=context),
        working=working_memory(config),
        schedule=(
            Stage("random", prefill, -(-config.prefill_steps // prefill), act=act_randomly(space)),
            Stage("imagination", config.chunks, config.chunk_steps, updates=config.updates),
        ),
    )


def _of_model(model: WorldModel) -> WorldModel:
    """The model as acting calls it, with `ActingParams`."""
    return model._replace(
        encode=lambda params, *rest: model.encode(params.model, *rest),
        observe=lambda params, *rest: model.observe(params.model, *rest),
    )


def _explore(space: Box | Discrete, exploration: float) -> Explore:
    if isinstance(space, Discrete):
        return epsilon_greedy(space, exploration)
    return gaussian_noise(space, exploration)


def _vector(env: Environment, n: int) -> Environment:
    return vectorise(episode_statistics(env), n)
