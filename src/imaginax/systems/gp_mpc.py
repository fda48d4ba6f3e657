"""GP-MPC: model-predictive control of Gaussian processes with moment matching (Kamthe & Deisenroth 2018).

Algorithm of section 3:

    one random trial
    for each trial:
        choose the hyperparameters on all data                       -> models.gp.fit
        for each step of the trial:
            minimise the expected cost of a plan over beliefs        -> planners.moment_matching
            execute the first control, add the transition to the GP  -> models.gp.exact.append
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax import envs
from imaginax.acting.filtering import Planned
from imaginax.data.replay import item_replay
from imaginax.envs.limits import outside
from imaginax.envs.wrappers import training_environment
from imaginax.learning.gp_trials import (
    example,
    first_learner,
    fit,
    record,
    schedule,
    transitions,
)
from imaginax.models.gp import exact as gp
from imaginax.models.gp.gaussian_dynamics import GaussianTask, dynamics, gaussian_task, inputs, world_model
from imaginax.numerics.trees import select
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.moment_matching import WarmStart, make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.gp_mpc import GPMPCConfig
from imaginax.types import Environment, Planner, System, SystemState, TimeStep, WorldModel


class Memory(NamedTuple):
    """What each of N environments remembers between steps.

    Attributes:
        posterior: of the data until now.
        warm: start of the next decision.
        observation: before the last action.
        action: the last one.
    """

    posterior: gp.Posterior
    warm: WarmStart
    observation: Float[Array, "N D"]
    action: Float[Array, "N A"]


def make(config: GPMPCConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment has no Gaussian moments, or settings do not fit together.
    """
    env = envs.resolve(env, config.env)
    task = gaussian_task(env)
    steps = env.spec.max_steps
    capacity = (config.trials + 1) * steps
    start = partial(first_learner, task, capacity)
    certain = config.planner.variant == "zero_variance"
    model = world_model(env, lambda key: dynamics(start().posterior), certain_beliefs=certain)
    planner = make_planner(task, model, config.planner, env.limits)
    check_compatible(env, model, planner)
    vector = training_environment(env, 1)
    replay = item_replay(example(env), capacity, num_envs=1)
    act = partial(_act, config, task, env, model, planner)
    begin = lambda batch: _begin(task, planner, start().posterior, batch)  # noqa: E731

    def init(key) -> SystemState:
        key, key_env = jax.random.split(key)
        state, timestep = vector.init(key_env)
        zero = jnp.zeros((), jnp.int32)
        return SystemState(start(), replay.init(), state, timestep, begin(1), key, zero)

    def learn(learner, memory, key):
        return fit(config.fit, learner, transitions(task, env.limits, *replay.data(memory)), key)

    def evaluate(state: SystemState, key):
        return run_episodes(env, act, begin, state.learner.posterior, key, episodes=config.eval_episodes)

    return System(
        name="gp_mpc",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.posterior,
        act=act,
        learn=learn,
        record=record,
        evaluate=evaluate,
        schedule=schedule(config.trials, config.chunk_steps, env),
        float64=True,
    )


def _begin(task: GaussianTask, planner: Planner, posterior: gp.Posterior, batch: int) -> Memory:
    """Before the first step of `batch` environments, given the data of finished trials."""
    posterior = jax.tree.map(lambda x: jnp.broadcast_to(x, (batch, *x.shape)), posterior)
    observation, action = jnp.zeros((batch, task.states)), jnp.zeros((batch, *task.space.shape))
    return Memory(posterior, planner.init(batch), observation, action)


def _act(
    config: GPMPCConfig,
    task: GaussianTask,
    env: Environment,
    model: WorldModel,
    planner: Planner,
    finished: gp.Posterior,
    carry: Memory,
    timestep: TimeStep,
    key: Array,
):
    """Learns from the last transition, then plans; each environment has a posterior of its own."""
    seen = timestep.observation
    posterior = carry.posterior
    if config.online:
        real = ~outside(env.limits, carry.observation)
        posterior = jax.vmap(partial(_append, task))(posterior, carry.observation, carry.action, seen, real)
    fresh = _begin(task, planner, finished, len(seen))
    posterior, warm = select(timestep.first, (fresh.posterior, fresh.warm), (posterior, carry.warm))
    plan = partial(_plan, model, planner)
    keys = jax.random.split(key, len(seen))
    action, warm, value = jax.vmap(plan)(posterior, warm, seen, keys)
    return Memory(posterior, warm, seen, action), action, Planned(value)


def _append(task, posterior, observation, action, following, real) -> gp.Posterior:
    """The posterior with one transition more, if it was real."""
    grown = gp.append(
        posterior, inputs(task, observation, action), following - observation, when_full="refuse"
    )
    return jax.tree.map(lambda new, old: jnp.where(real, new, old), grown, posterior)


def _plan(model: WorldModel, planner: Planner, posterior, warm, observation, key):
    """One decision in one environment."""
    key_encode, key_plan = jax.random.split(key)
    params = dynamics(posterior)
    belief = model.encode(params, observation[None], key_encode)
    warm = jax.tree.map(lambda x: x[None], warm)
    action, warm, output = planner.plan(params, belief, warm, key_plan, None)
    return action[0], jax.tree.map(lambda x: x[0], warm), output.value[0]
