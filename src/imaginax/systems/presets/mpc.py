"""Settings of planning with the true rules: fields, presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar

from imaginax import envs
from imaginax.envs.control.tasks import PLANET_ACTION_REPEAT
from imaginax.errors import ConfigError
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.registry import SystemEntry, build

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
    make=partial(build, "mpc"),
    reaches=-2.2,  # the optimum of the LQR task is -1.65 on average, doing nothing gets -8.4
)
