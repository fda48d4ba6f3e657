"""PETS: probabilistic ensembles with trajectory sampling (Chua, Calandra, McAllister, Levine 2018).

Algorithm 1 of the paper:

    initialise data D with one random trial
    for each trial:
        train the dynamics on D                                     -> learning.dynamics
        for each step of the trial:
            sample action sequences with CEM                        -> planners.shooting.cem
            propagate particles with the dynamics, sum rewards      -> models.ensemble.propagation
            execute the first action, add the transition to D       -> runtime.loop

The dynamics are an ensemble, or the Gaussian processes that the paper compares it with (GP-E, GP-DS, GP-MM).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from imaginax import envs
from imaginax.acting.exploration import act_randomly
from imaginax.acting.mpc import make_mpc
from imaginax.data.replay import item_replay
from imaginax.envs.wrappers import training_environment
from imaginax.learning.dynamics import make_dynamics
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.planner import make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.pets import PetsConfig
from imaginax.types import ConfigError, Environment, Stage, System, SystemState, Transition


def make(config: PetsConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment, the model and the planner do not fit together.
    """
    env = envs.resolve(env, config.env, max_steps=config.trial_steps or None)
    dynamics = make_dynamics(env, config.model, config.fit)
    model, planner = dynamics.model, make_planner(env.spec, dynamics.model, config.planner)
    check_compatible(env, model, planner)
    steps = env.spec.max_steps
    replay = item_replay(_example(env), (config.trials + 1) * steps, num_envs=1)
    vector = training_environment(env, 1)
    act = make_mpc(model, planner)

    def init(key) -> SystemState:
        key, key_model, key_env = jax.random.split(key, 3)
        learner, (state, timestep) = dynamics.init(key_model), vector.init(key_env)
        zero = jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, planner.init(1), key, zero)

    def learn(learner, memory, key):
        items, count = replay.data(memory)
        return dynamics.fit(learner, items, count, key)

    def evaluate(state: SystemState, key):
        return run_episodes(env, act, planner.init, state.learner.params, key, episodes=config.eval_episodes)

    return System(
        name="pets",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.params,
        act=act,
        learn=learn,
        record=_record,
        evaluate=evaluate,
        schedule=_schedule(config, env),
    )


def _schedule(config: PetsConfig, env: Environment) -> tuple[Stage, ...]:
    """One random trial, then `trials` trials that each begin with a fit."""
    steps = env.spec.max_steps
    chunk = config.chunk_steps or steps
    if steps % chunk:
        raise ConfigError(f"chunk_steps ({chunk}) must divide the steps of a trial ({steps})")
    per_trial = steps // chunk

    random = Stage("random", chunks=1, env_steps=steps, act=act_randomly(env.spec.action))
    control = Stage("control", config.trials * per_trial, chunk, updates=1, update_every=per_trial)
    return random, control


def _record(timestep, action, following, extras) -> Transition:
    return Transition(
        timestep.observation, action, following.reward, following.discount, following.final_observation
    )


def _example(env: Environment) -> Transition:
    """One transition of zeros."""
    observation, action = jnp.zeros(env.spec.observation.shape), jnp.zeros(env.spec.action.shape)
    scalar = jnp.zeros(())
    return Transition(observation, action, scalar, scalar, observation)
