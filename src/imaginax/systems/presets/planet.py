"""Settings of PlaNet: fields, presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar

from imaginax.envs.control.tasks import PLANET_ACTION_REPEAT
from imaginax.errors import ConfigError
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.registry import SystemEntry, build


@dataclasses.dataclass(frozen=True)
class PlaNetConfig:
    """PlaNet on one environment.

    Attributes:
        env: name of the environment (`imaginax list`).
        action_repeat: steps of the environment for which every action is held.
        episode_steps: steps of the environment after which an episode is truncated; 0 takes its own limit.
        image: height and width of the images that are seen, in pixels; 0 takes the environment's own
            observation.
        environments: episodes that are collected side by side.
        seed_episodes: episodes with random actions before the first update; a multiple of `environments`.
        episodes: episodes after those, a multiple of `environments`.
        updates: updates of the model before each of those episodes, or each batch of them side by side.
        batch_size: sequences an update learns from.
        sequence: steps of each of these sequences.
        memory: steps of each environment that replay has room for; 0 keeps all.
        exploration: standard deviation of the noise on actions in half the action range.
        learning_rate: learning rate of Adam.
        lr_decay: share of all updates, the last ones, in which the learning rate falls to 0; not the paper's.
        adam_epsilon: epsilon of Adam.
        clip_norm: largest norm of a gradient.
        eval_episodes: episodes of the final evaluation.
        model: the latent dynamics and what surrounds them.
        objective: loss that they minimise.
        planner: the controller.
    """

    lengths: ClassVar[tuple[str, ...]] = ("episodes",)

    env: str = "control_cartpole_swingup"
    action_repeat: int = 8
    episode_steps: int = 0
    image: int = 64
    environments: int = 1
    seed_episodes: int = 5
    episodes: int = 1000
    updates: int = 100
    batch_size: int = 50
    sequence: int = 50
    memory: int = 0
    exploration: float = 0.3
    learning_rate: float = 1e-3
    lr_decay: float = 0.0
    adam_epsilon: float = 1e-4
    clip_norm: float = 1000.0
    eval_episodes: int = 1
    model: LatentModelConfig = LatentModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    planner: ShootingConfig = ShootingConfig("planet_cem", 12, population=1000, iterations=10, elites=100)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("image", "memory", "episode_steps") else 1
            if type(value) is int and not least <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {least} and below 2^31, got {value}")
        for name in ("seed_episodes", "episodes"):
            if getattr(self, name) % self.environments:
                raise ConfigError(
                    f"{name} ({getattr(self, name)}) must be a multiple of environments ({self.environments})"
                )
        if not 0.0 <= self.lr_decay <= 1.0:
            raise ConfigError(f"lr_decay must lie in [0, 1], got {self.lr_decay}")
        for name in ("exploration", "learning_rate", "adam_epsilon", "clip_norm"):
            if not 0.0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"{name} must lie in [0, 1e6], got {getattr(self, name)}")


# The published settings, which are the fields' defaults; tasks differ in how long they hold an action.
PAPER = {env: PlaNetConfig(env=env, action_repeat=repeats) for env, repeats in PLANET_ACTION_REPEAT.items()}

# Smaller images, networks, batches and searches, and fewer episodes: for two cores.
LAPTOP = PlaNetConfig(
    image=32,
    episodes=270,
    batch_size=8,
    sequence=25,
    memory=62_000,
    lr_decay=0.1,
    adam_epsilon=1e-8,
    model=LatentModelConfig(RSSMConfig(hidden=100, deterministic=100), depth=16, hidden=(100, 100)),
    objective=ObjectiveConfig(dynamics=0.22, representation=0.02, free_nats=0.0),  # see docs/planet.md
    planner=ShootingConfig("planet_cem", 12, population=100, iterations=5, elites=10),
)

# The published sizes and search; eight episodes are collected side by side, and the objective is balanced.
GPU = PlaNetConfig(
    environments=8,
    seed_episodes=8,
    episodes=240,
    updates=300,
    lr_decay=0.1,
    adam_epsilon=1e-8,
    eval_episodes=10,
    objective=ObjectiveConfig(dynamics=0.9, representation=0.1, free_nats=0.0),
)

# Seconds on two cores, on a task whose optimum is known: what tests/contract runs. Doing nothing gets -8.3.
TINY = PlaNetConfig(
    env="diagnostic_lqr",
    action_repeat=1,
    image=0,
    environments=8,
    seed_episodes=16,
    episodes=40,
    updates=100,
    batch_size=64,
    sequence=21,
    exploration=0.05,
    learning_rate=3e-3,
    eval_episodes=64,
    model=LatentModelConfig(RSSMConfig(deterministic=32, stochastic=4, hidden=32), hidden=(32, 32)),
    objective=ObjectiveConfig(reward=1.0, dynamics=0.1, representation=0.1, free_nats=0.5),
    planner=ShootingConfig("planet_cem", horizon=8, population=100, iterations=5, elites=10),
)

PRESETS = {"laptop": LAPTOP, "gpu": GPU, "tiny": TINY}


def preset(name: str, env: str | None) -> PlaNetConfig:
    """A named configuration for an environment, with the published action repeat where there is one.

    Raises:
        ConfigError: for the published settings of a task that the paper does not have.
    """
    if name == "paper":
        if (env or "control_cartpole_swingup") not in PAPER:
            raise ConfigError(
                f"preset paper has settings for {', '.join(PAPER)}; for env {env} use preset laptop"
            )
        return PAPER[env or "control_cartpole_swingup"]
    config = PRESETS[name]
    if env in (None, config.env):
        return config
    return dataclasses.replace(config, env=env, action_repeat=PLANET_ACTION_REPEAT.get(env, 1))


ENTRY = SystemEntry(
    name="planet",
    summary="planning in a latent space that is learned from pixels (Hafner et al. 2019)",
    config=PlaNetConfig,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=(*PAPER, "gym:Pendulum-v1"),
    make=partial(build, "planet"),
    reaches=-5.0,
)
