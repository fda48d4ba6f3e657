"""Planning with the true rules: the upper bound for every system that plans in a model it had to learn.

    for each step of each trial:
        sample action sequences and step the environment's own rules with them   -> planners, models.rules
        execute the first action

Nothing is learned. The planner sees the environment's state, which the rules need.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp

from imaginax import envs
from imaginax.acting.mpc import make_mpc
from imaginax.data.replay import item_replay
from imaginax.envs.control import PLANET_ACTION_REPEAT
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.models.rules import rules
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.planner import ShootingConfig, make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems import SystemEntry
from imaginax.types import ConfigError, Stage, System, SystemState

_LEAST = {"action_repeat": 1, "trials": 1, "eval_episodes": 1, "trial_steps": 0}


@dataclasses.dataclass(frozen=True)
class MpcConfig:
    """A planner on the rules of an environment.

    Attributes:
        env: name of the environment (`imaginax list`).
        action_repeat: steps of the environment for which every action is held.
        trials: episodes that are played.
        trial_steps: steps of a trial; 0 takes the environment's own limit.
        eval_episodes: episodes of the final evaluation.
        planner: the controller.
    """

    lengths: ClassVar[tuple[str, ...]] = ("trials",)

    env: str = "pets_cartpole"
    action_repeat: int = 1
    trials: int = 1
    trial_steps: int = 0
    eval_episodes: int = 1
    planner: ShootingConfig = ShootingConfig()

    def __post_init__(self):
        for name, least in _LEAST.items():
            if not least <= getattr(self, name) < 2**31:
                raise ConfigError(
                    f"{name} must be at least {least} and below 2^31, got {getattr(self, name)}"
                )


def make(config: MpcConfig) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: if the environment and the planner do not fit together.
    """
    env = privileged(
        envs.make(config.env, action_repeat=config.action_repeat, max_steps=config.trial_steps or None)
    )
    model = rules(env)
    planner = make_planner(env.spec, model, config.planner)
    check_compatible(env, model, planner)
    vector = training_environment(env, 1)
    replay = item_replay(jnp.zeros(()), env.spec.max_steps, num_envs=1)  # the rewards of the newest trial
    act = make_mpc(model, planner, params_of=lambda learner: learner)

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
        act=act,
        learn=lambda learner, memory, key: (learner, {}),
        record=lambda timestep, action, following, extras: following.reward,
        evaluate=evaluate,
        schedule=(Stage("control", chunks=config.trials, env_steps=env.spec.max_steps),),
    )


# A plan on the rules of an analytic environment costs milliseconds, so the published search fits a laptop.
PRESETS = {
    "cem": MpcConfig(),
    "icem": MpcConfig(planner=ShootingConfig("icem", population=60, elites=10, iterations=3)),
    "mppi": MpcConfig(planner=ShootingConfig("mppi", population=400, iterations=3, temperature=0.1)),
    "random": MpcConfig(planner=ShootingConfig("random", population=2000)),
    # PlaNet's search and action repeats, for tasks of the control suite: its upper bound.
    "planet": MpcConfig(
        env="control_cartpole_swingup",
        action_repeat=8,
        planner=ShootingConfig("planet_cem", 12, population=1000, iterations=10, elites=100),
    ),
    "tiny": MpcConfig(
        env="diagnostic_lqr",
        trials=16,
        eval_episodes=64,
        planner=ShootingConfig(horizon=12, population=100, elites=10, iterations=8),
    ),
}


def preset(name: str, env: str | None) -> MpcConfig:
    """One of the planners, or `tiny` for the contract suite, on an environment of choice."""
    config = dataclasses.replace(PRESETS[name], env=env or PRESETS[name].env)
    if name == "planet":
        config = dataclasses.replace(config, action_repeat=PLANET_ACTION_REPEAT.get(config.env, 1))
    return config


ENTRY = SystemEntry(
    name="mpc",
    summary="planning with the true rules, nothing learned: the upper bound of PETS",
    config=MpcConfig,
    preset=preset,
    presets=tuple(PRESETS),
    environments=tuple(name for name in envs.names() if name not in ("diagnostic_chain", "missing_frames")),
    make=make,
    reaches=-2.2,  # the optimum of the LQR task is -1.65 on average, doing nothing gets -8.4
)
