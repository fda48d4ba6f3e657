"""Settings of PETS: fields, presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar

from imaginax.errors import ConfigError
from imaginax.learning.config import EnsembleFitConfig
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.gp.config import GPConfig, GPFitConfig
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.registry import SystemEntry, build


@dataclasses.dataclass(frozen=True)
class PetsConfig:
    """PETS on one environment.

    Attributes:
        env: name of the environment (`imaginax list`).
        trials: trials after the random one.
        trial_steps: steps of a trial; 0 takes the environment's own limit.
        chunk_steps: steps between two reports, a divisor of the trial; 0 reports once a trial.
        eval_episodes: episodes of the final evaluation.
        model: the dynamics: a neural ensemble, or Gaussian processes (`--model gp`).
        fit: training of the dynamics.
        planner: the controller.
    """

    lengths: ClassVar[tuple[str, ...]] = ("trials",)

    env: str = "pets_cartpole"
    trials: int = 10
    trial_steps: int = 0
    chunk_steps: int = 0
    eval_episodes: int = 1
    model: EnsembleConfig | GPConfig = EnsembleConfig()
    fit: EnsembleFitConfig | GPFitConfig = EnsembleFitConfig()
    planner: ShootingConfig = ShootingConfig()

    def __post_init__(self):
        for name, least in (("trials", 1), ("eval_episodes", 1), ("trial_steps", 0), ("chunk_steps", 0)):
            if not least <= getattr(self, name) < 2**31:
                raise ConfigError(
                    f"{name} must be at least {least} and below 2^31, got {getattr(self, name)}"
                )
        if isinstance(self.model, GPConfig) != isinstance(self.fit, GPFitConfig):
            raise ConfigError(
                f"fit of {type(self.fit).__name__} does not train a model of {type(self.model).__name__}"
            )


# The published settings (Chua et al. 2018, appendix, and the code released with it), one an environment.
# `chunk_steps` is ours: how often a trial, which may take an hour on a CPU, reports and can be saved.
PAPER = {
    "pets_cartpole": PetsConfig(env="pets_cartpole", trials=50, chunk_steps=20),
    "pets_reacher": PetsConfig(
        env="pets_reacher",
        trials=100,
        chunk_steps=25,
        model=EnsembleConfig(hidden=(200,) * 4, weight_decay=(2.5e-4, 5e-4, 5e-4, 5e-4, 7.5e-4)),
        fit=EnsembleFitConfig(learning_rate=7.5e-4),
    ),
    "pets_pusher": PetsConfig(
        env="pets_pusher",
        trials=100,
        chunk_steps=25,
        model=EnsembleConfig(hidden=(200,) * 3, weight_decay=(2.5e-4, 5e-4, 5e-4, 7.5e-4)),
        planner=ShootingConfig(population=500, elites=50),
    ),
    "pets_halfcheetah": PetsConfig(
        env="pets_halfcheetah",
        trials=300,
        chunk_steps=20,
        model=EnsembleConfig(hidden=(200,) * 4, weight_decay=(2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)),
        planner=ShootingConfig(horizon=30, population=500, elites=50),
    ),
}

# Minutes on two cores: smaller networks trained longer on each trial, fewer candidates and particles.
LAPTOP = PetsConfig(
    trials=8,
    model=EnsembleConfig(hidden=(128,) * 3, particles=5),
    fit=EnsembleFitConfig(epochs=50, holdout=0.05),
    planner=ShootingConfig(population=100, elites=10, iterations=3),
)

# Seconds on two cores, on a task whose optimum is known: what tests/contract runs.
TINY = PetsConfig(
    env="diagnostic_lqr",
    trials=5,
    eval_episodes=64,
    model=EnsembleConfig(members=2, particles=2, hidden=(32,), weight_decay=(0.0, 0.0)),
    fit=EnsembleFitConfig(
        batch_size=256, epochs=100, learning_rate=3e-3
    ),  # a batch that eight devices can share
    planner=ShootingConfig(horizon=10, population=100, elites=10, iterations=4),
)

# Trials that fit into 25 minutes on one data-centre GPU; the rest is as published.
GPU_TRIALS = {"pets_cartpole": 20, "pets_reacher": 30, "pets_pusher": 30, "pets_halfcheetah": 15}


def preset(name: str, env: str | None) -> PetsConfig:
    """A named configuration for an environment, PETS's cart-pole by default.

    Raises:
        ConfigError: for the published settings of an environment that the paper did not use.
    """
    if name in ("laptop", "tiny"):
        config = LAPTOP if name == "laptop" else TINY
        return dataclasses.replace(config, env=env or config.env)
    env = env or "pets_cartpole"
    if env not in PAPER:
        raise ConfigError(
            f"preset {name} has settings for {', '.join(PAPER)}; for env {env} use preset laptop"
        )
    return PAPER[env] if name == "paper" else dataclasses.replace(PAPER[env], trials=GPU_TRIALS[env])


def with_gaussian_processes(config: PetsConfig) -> PetsConfig:
    """The same loop with Gaussian process dynamics, GP-E unless `--model.propagation` says otherwise.

    The paper's processes have 200 inducing inputs or more (300 for the half-cheetah); half as many learn the
    cart-pole in two minutes on two cores.
    """
    model = GPConfig(capacity=1000, inducing=100, particles=5)
    return dataclasses.replace(config, model=model, fit=GPFitConfig(starts=1, steps=60))


ENTRY = SystemEntry(
    name="pets",
    summary="probabilistic ensembles with trajectory sampling (Chua et al. 2018, arXiv:1805.12114)",
    config=PetsConfig,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=(
        *PAPER,
        "pendulum",
        "gpmpc_cartpole",
        "gpmpc_double_pendulum",
        "diagnostic_bandit",
        "diagnostic_lqr",
        "gym:Pendulum-v1",
    ),
    make=partial(build, "pets"),
    kinds={"model": {"ensemble": lambda config: config, "gp": with_gaussian_processes}},
    reaches=-3.0,  # the optimum of the LQR task is -1.65 on average, doing nothing gets -8.4
)
