"""Settings of Dreamer: presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial

from imaginax.envs.control.tasks import PLANET_ACTION_REPEAT
from imaginax.errors import ConfigError
from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.policies.config import ActorConfig
from imaginax.registry import CONTROL_TASKS, SystemEntry, build
from imaginax.systems.presets.imagination import ImaginationConfig


@dataclasses.dataclass(frozen=True)
class DreamerConfig(ImaginationConfig):
    """Dreamer on one environment."""


# The published settings (Hafner et al. 2020, and the code released with it): control from images of 64 x 64,
# actions held for two steps, five random episodes, then 100 updates for each episode of 1000 steps.
PAPER = DreamerConfig(
    chunks=5000,
    model=LatentModelConfig(RSSMConfig(activation="elu"), hidden=(400, 400), bits=8, activation="elu"),
    objective=ObjectiveConfig(reward=1.0, free_nats=3.0, free_average=True),
)

# Smaller images, networks and batches, for two cores. Actions are held as long as PlaNet holds them, so that
# episodes are short; the model learns with the weights of PlaNet's preset laptop. A round is two episodes.
LAPTOP = dataclasses.replace(
    PAPER,
    action_repeat=8,
    image=32,
    environments=2,
    prefill_steps=3 * 126,
    chunks=150,
    chunk_steps=126,
    batch_size=8,
    sequence=25,
    eval_episodes=10,
    model=LatentModelConfig(
        RSSMConfig(hidden=100, deterministic=100, activation="elu"),
        depth=16,
        hidden=(100, 100),
        activation="elu",
    ),
    objective=ObjectiveConfig(dynamics=0.22, representation=0.02, free_nats=0.0, free_average=True),
    actor=ActorConfig(hidden=(128, 128), init_std=1.0),
    critic_hidden=(128, 128),
    behaviour=ActorCriticConfig(discount=0.97),
    model_optimiser=AdamConfig(1e-3, 1e-7),
    actor_optimiser=AdamConfig(1e-4, 1e-7),
    critic_optimiser=AdamConfig(3e-4, 1e-7),
)

# The published sizes; eight episodes are collected side by side.
GPU = dataclasses.replace(PAPER, environments=8, prefill_steps=501, chunks=60, updates=400, eval_episodes=10)

# Seconds on two cores, on a task whose optimum is known: what tests/contract runs.
TINY = DreamerConfig(
    env="diagnostic_bandit",
    action_repeat=1,
    image=0,
    environments=16,
    prefill_steps=16,
    chunks=14,
    chunk_steps=8,
    updates=40,
    batch_size=16,
    sequence=8,
    exploration=0.1,
    eval_episodes=64,
    model=LatentModelConfig(
        RSSMConfig(deterministic=16, stochastic=4, hidden=16), hidden=(32, 32), continuation=True
    ),
    objective=ObjectiveConfig(reward=1.0, dynamics=0.1, representation=0.1, free_nats=0.1, free_average=True),
    actor=ActorConfig(hidden=(32, 32), init_std=0.5),
    critic_hidden=(32, 32),
    behaviour=ActorCriticConfig(horizon=3, discount=0.9),
    model_optimiser=AdamConfig(3e-3),
    actor_optimiser=AdamConfig(1e-3),
    critic_optimiser=AdamConfig(3e-3),
)

PRESETS = {"laptop": LAPTOP, "gpu": GPU, "paper": PAPER, "tiny": TINY}


def preset(name: str, env: str | None) -> DreamerConfig:
    """A named configuration for an environment, cart-pole swing-up by default.

    Raises:
        ConfigError: for the published settings of an environment that is no task of the control suite.
    """
    config = PRESETS[name]
    if name == "paper" and env not in (None, *CONTROL_TASKS):
        raise ConfigError(f"preset paper has settings for control tasks; for env {env} use preset laptop")
    if name == "laptop" and env in CONTROL_TASKS:
        repeats = PLANET_ACTION_REPEAT.get(env, config.action_repeat)
        steps = 1000 // repeats + 1
        config = dataclasses.replace(
            config, action_repeat=repeats, chunk_steps=steps, prefill_steps=3 * steps
        )
    return dataclasses.replace(config, env=env or config.env)


ENTRY = SystemEntry(
    name="dreamer",
    summary="behaviours by latent imagination (Hafner et al. 2020, arXiv:1912.01603)",
    config=DreamerConfig,
    preset=preset,
    presets=tuple(PRESETS),
    environments=(*CONTROL_TASKS, "pendulum", "diagnostic_bandit", "diagnostic_lqr", "gym:Pendulum-v1"),
    make=partial(build, "dreamer"),
    reaches=0.95,  # the optimum of the bandit is 1, doing nothing gets 0.92 on average
)
