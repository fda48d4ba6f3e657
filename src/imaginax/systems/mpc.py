"""Planning with the true rules: the upper bound for every system that plans in a model it had to learn.

    for each step of each trial:
        sample action sequences and step the environment's own rules with them   -> planners, models.rules
        execute the first action

Nothing is learned. The planner sees the environment's state, which the rules need.
"""

from __future__ import annotations

import jax.numpy as jnp

from imaginax import envs
from imaginax.acting.mpc import make_mpc
from imaginax.data.replay import item_replay
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.models.rules import rules
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.planner import make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.mpc import MpcConfig
from imaginax.types import Environment, Stage, System, SystemState


def make(config: MpcConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment and the planner do not fit together.
    """
    limit = config.trial_steps or None
    env = privileged(envs.resolve(env, config.env, max_steps=limit, action_repeat=config.action_repeat))
    model = rules(env)
    planner = make_planner(env.spec, model, config.planner)
    check_compatible(env, model, planner)
    vector = training_environment(env, 1)
    replay = item_replay(jnp.zeros(()), env.spec.max_steps, num_envs=1)  # the rewards of the newest trial
    act = make_mpc(model, planner)

    def init(key) -> SystemState:
        state, timestep = vector.init(key)
        zero = jnp.zeros((), jnp.int32)
        return SystemState((), replay.init(), state, timestep, planner.init(1), key, zero)

    def evaluate(state: SystemState, key):
        return run_episodes(env, act, planner.init, state.learner, key, episodes=config.eval_episodes)

    return System(
        name="mpc",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner,
        act=act,
        learn=lambda learner, memory, key: (learner, {}),
        record=lambda timestep, action, following, extras: following.reward,
        evaluate=evaluate,
        schedule=(Stage("control", chunks=config.trials, env_steps=env.spec.max_steps),),
    )
