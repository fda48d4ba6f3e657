"""Settings of DreamerV2: presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial

from imaginax.errors import ConfigError
from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.policies.config import ActorConfig
from imaginax.registry import CONTROL_TASKS, SystemEntry, build
from imaginax.systems.presets.imagination import ImaginationConfig

MINATAR = tuple(
    f"minatar_{game}" for game in ("breakout", "asterix", "freeway", "seaquest", "space_invaders")
)


@dataclasses.dataclass(frozen=True)
class DreamerV2Config(ImaginationConfig):
    """DreamerV2 on one environment."""


def _latents(size: int, hidden: int, choices: int = 32) -> RSSMConfig:
    return RSSMConfig(
        deterministic=size,
        stochastic=choices,
        classes=choices,
        hidden=hidden,
        cell="layer_norm_gru",
        activation="elu",
    )


def _balanced(scale: float, **changes) -> ObjectiveConfig:
    """The divergence with its published balance of 0.8."""
    return ObjectiveConfig(
        reward=1.0, dynamics=0.8 * scale, representation=0.2 * scale, free_average=True, **changes
    )


# The published settings for control from images (Hafner et al. 2021, and the code released with it): an
# update for every five decisions, here 100 after each 500; no head for ends, since these tasks have none.
PAPER = DreamerV2Config(
    prefill_steps=1000,
    chunks=2000,
    chunk_steps=500,
    updates=100,
    batch_size=16,
    exploration=0.0,
    model=LatentModelConfig(_latents(200, 200), depth=48, hidden=(400,) * 4, bits=8, activation="elu"),
    objective=_balanced(1.0, free_nats=1.0),
    actor=ActorConfig(continuous="truncated_normal", min_std=0.1),
    critic_hidden=(400,) * 4,
    behaviour=ActorCriticConfig(entropy=1e-4, target_every=100),
    model_optimiser=AdamConfig(3e-4, 1e-5, weight_decay=1e-6),
    actor_optimiser=AdamConfig(8e-5, 1e-5, weight_decay=1e-6),
    critic_optimiser=AdamConfig(8e-5, 1e-5, weight_decay=1e-6),
)

# The published settings for Atari: 200 million frames, an update for every 16 decisions of four frames, here
# 100 after each 1,600. Frames are grey, of 64 x 64; replay keeps two million of them.
ATARI = "atari:{}?frameskip=1&obs_type=grayscale"
PAPER_ATARI = dataclasses.replace(
    PAPER,
    env=f"{ATARI.format('Pong')}&full_action_space=True",
    action_repeat=4,
    prefill_steps=50_000,
    chunks=31_250,
    chunk_steps=1600,
    memory=2_000_000,
    prioritize_ends=True,
    rewards="tanh",
    model=dataclasses.replace(PAPER.model, rssm=_latents(600, 600), continuation=True),
    objective=_balanced(0.1, free_nats=0.0, continuation=5.0),
    actor=ActorConfig(),
    behaviour=ActorCriticConfig(discount=0.999, gradient="reinforce", entropy=1e-3, target_every=100),
    model_optimiser=AdamConfig(2e-4, 1e-5, weight_decay=1e-6),
    actor_optimiser=AdamConfig(4e-5, 1e-5, weight_decay=1e-6),
    critic_optimiser=AdamConfig(1e-4, 1e-5, weight_decay=1e-6),
)

# Smaller images, networks and batches, four environments at once: for two cores.
LAPTOP = dataclasses.replace(
    PAPER,
    image=32,
    environments=4,
    prefill_steps=500,
    chunks=150,
    batch_size=8,
    sequence=25,
    model=LatentModelConfig(_latents(100, 100, 16), depth=16, hidden=(100, 100), bits=8, activation="elu"),
    objective=_balanced(0.2, free_nats=0.0),
    actor=ActorConfig(hidden=(128, 128), continuous="truncated_normal", min_std=0.1),
    critic_hidden=(128, 128),
    model_optimiser=AdamConfig(6e-4, 1e-5),
    actor_optimiser=AdamConfig(2e-4, 1e-5),
    critic_optimiser=AdamConfig(2e-4, 1e-5),
)

# Games of MinAtar on two cores: planes of 10 x 10 cells instead of images, ends, and REINFORCE.
LAPTOP_MINATAR = dataclasses.replace(
    LAPTOP,
    env="minatar_breakout",
    action_repeat=1,
    image=0,
    environments=16,
    prefill_steps=200,
    chunks=600,
    chunk_steps=50,
    updates=50,
    model=dataclasses.replace(LAPTOP.model, continuation=True),
    objective=_balanced(0.1, free_nats=0.0),
    behaviour=ActorCriticConfig(horizon=10, gradient="reinforce", entropy=1e-3, target_every=100),
    eval_episodes=16,
)

# Games of Atari on two cores, with the actions that do something in them.
LAPTOP_ATARI = dataclasses.replace(
    LAPTOP,
    env=ATARI.format("Boxing"),
    action_repeat=4,
    prefill_steps=500,
    chunks=500,
    chunk_steps=80,
    updates=20,
    memory=50_000,
    prioritize_ends=True,
    rewards="tanh",
    model=dataclasses.replace(LAPTOP.model, continuation=True),
    objective=_balanced(0.1, free_nats=0.0, continuation=5.0),
    actor=ActorConfig(hidden=(128, 128)),
    behaviour=ActorCriticConfig(horizon=10, gradient="reinforce", entropy=1e-3, target_every=100),
)

# The published sizes for Atari; eight games are played side by side.
GPU_ATARI = dataclasses.replace(
    PAPER_ATARI, environments=8, prefill_steps=6250, chunks=2500, chunk_steps=200, memory=62_500
)

# The published sizes for control; eight episodes are collected side by side.
GPU = dataclasses.replace(PAPER, environments=8, prefill_steps=500, chunks=60, updates=400, eval_episodes=10)

# Seconds on two cores, on a task whose optimum is known: what tests/contract runs.
TINY = DreamerV2Config(
    env="diagnostic_chain",
    action_repeat=1,
    image=0,
    environments=16,
    prefill_steps=40,
    chunks=16,
    chunk_steps=20,
    updates=40,
    batch_size=16,
    sequence=10,
    exploration=0.0,
    eval_episodes=32,
    model=LatentModelConfig(_latents(32, 32, 4), hidden=(32, 32), activation="elu", continuation=True),
    objective=_balanced(0.1, free_nats=0.0),
    actor=ActorConfig(hidden=(32, 32)),
    critic_hidden=(32, 32),
    behaviour=ActorCriticConfig(
        horizon=10, discount=0.95, gradient="reinforce", entropy=3e-3, target_every=20
    ),
    model_optimiser=AdamConfig(3e-3, 1e-5),
    actor_optimiser=AdamConfig(1e-3, 1e-5),
    critic_optimiser=AdamConfig(3e-3, 1e-5),
)


def preset(name: str, env: str | None) -> DreamerV2Config:
    """A named configuration for an environment, cart-pole swing-up by default.

    `atari:Pong` stands for its single frames in grey, in preset paper with all 18 actions; a name with
    options of its own is taken as it is.

    Raises:
        ConfigError: for the published settings of an environment that is no task of the control suite and no
            game of Atari.
    """
    if name in ATARI_PRESETS and env is not None and env.startswith("atari:"):
        config = ATARI_PRESETS[name]
        game, options = env.partition("?")[::2]
        return dataclasses.replace(config, env=env if options else f"{game}?{config.env.partition('?')[2]}")
    if name == "paper" and env not in (None, *CONTROL_TASKS):
        raise ConfigError(
            f"preset paper has settings for control tasks and atari:<game>; for env {env} use preset laptop"
        )
    if name == "laptop" and env in MINATAR:
        return dataclasses.replace(LAPTOP_MINATAR, env=env)
    config = {"laptop": LAPTOP, "gpu": GPU, "paper": PAPER, "tiny": TINY}[name]
    return dataclasses.replace(config, env=env or config.env)


ATARI_PRESETS = {"laptop": LAPTOP_ATARI, "gpu": GPU_ATARI, "paper": PAPER_ATARI}

ENTRY = SystemEntry(
    name="dreamerv2",
    summary="behaviours in the imagination of a discrete world model (Hafner et al. 2021, arXiv:2010.02193)",
    config=DreamerV2Config,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=(
        *CONTROL_TASKS,
        *MINATAR,
        "diagnostic_chain",
        "diagnostic_lqr",
        "pendulum",
        "gym:Pendulum-v1",
    ),
    make=partial(build, "dreamerv2"),
    reaches=0.6,  # the far exit pays 0.88 in all, the near one 0.16
)
