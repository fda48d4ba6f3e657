"""Settings of the GPDM: fields, presets and environments."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar, Literal

from imaginax.errors import ConfigError
from imaginax.models.gpdm.config import GPDMConfig, GPDMFitConfig
from imaginax.numerics.config import HMCConfig
from imaginax.registry import SystemEntry, build

METHODS = ("map", "two_stage")


ENV = "missing_frames"


@dataclasses.dataclass(frozen=True)
class GPDMSystemConfig:
    """A motion, its gap, and how a model is fitted to the rest.

    Attributes:
        env: "missing_frames", the only one that asks for frames.
        motion: path of an .amc file; empty takes the walk that the package generates.
        skeleton: path of its .asf file; empty takes the only one in the folder of the motion.
        frames: frames of the file that are used, before `every`; 0 for all.
        every: frames of which one is kept.
        missing: first missing frame and the one after the last, among those kept.
        method: estimate, "map" or "two_stage" with hyperparameters by Monte Carlo EM.
        pieces: sweeps over the pieces between gaps; 0 begins with straight lines across.
        rounds: rounds of Monte Carlo EM.
        sweeps: sweeps over the whole sequence.
        model: the kind of model.
        fit: settings of a sweep.
        hmc: sampler of Monte Carlo EM.
    """

    lengths: ClassVar[tuple[str, ...]] = ("sweeps",)

    env: str = ENV
    motion: str = ""
    skeleton: str = ""
    frames: int = 260
    every: int = 2
    missing: tuple[int, int] = (40, 60)
    method: Literal["map", "two_stage"] = "map"
    pieces: int = 50
    rounds: int = 20
    sweeps: int = 50
    model: GPDMConfig = GPDMConfig(balanced=True)
    fit: GPDMFitConfig = GPDMFitConfig()
    hmc: HMCConfig = HMCConfig(draws=25, burn_in=10, leapfrog=20, step=0.002)

    def __post_init__(self):
        if self.env != ENV:
            raise ConfigError(f"env of gpdm must be {ENV}, got {self.env!r}")
        if self.method not in METHODS:
            raise ConfigError(f"method must be one of {METHODS}, got {self.method!r}")
        for name, least in (("frames", 0), ("every", 1), ("pieces", 0), ("rounds", 1), ("sweeps", 1)):
            if not least <= getattr(self, name) <= 1_000_000:
                raise ConfigError(f"{name} must lie in [{least}, 1000000], got {getattr(self, name)}")
        if self.pieces and self.model.dynamics == "none":
            raise ConfigError("pieces must be 0 for model.dynamics none, which cannot predict")
        if self.hmc.draws > 1000:
            raise ConfigError(f"hmc.draws of EM must be at most 1000, got {self.hmc.draws}")


# The settings of the code that the authors released, for the MAP estimate of a walk.
PAPER = GPDMSystemConfig(pieces=0, sweeps=100, model=GPDMConfig(balanced=False))

# Minutes on two cores.
LAPTOP = GPDMSystemConfig(model=GPDMConfig(latent=5, balanced=True))

# More of the same; a sequence of a hundred frames does not fill a GPU.
GPU = dataclasses.replace(LAPTOP, pieces=200, sweeps=200)

# Seconds: every fourth frame of the generated walk.
TINY = GPDMSystemConfig(every=4, missing=(20, 30), pieces=10, sweeps=5, model=GPDMConfig(balanced=True))


def preset(name: str, env: str | None) -> GPDMSystemConfig:
    """A named configuration.

    Raises:
        ConfigError: for an environment that is not `missing_frames`.
    """
    config = {"paper": PAPER, "gpu": GPU, "tiny": TINY}.get(name, LAPTOP)
    return dataclasses.replace(config, env=env or config.env)


ENTRY = SystemEntry(
    name="gpdm",
    summary="Gaussian process dynamical models (Wang, Fleet, Hertzmann 2005, 2008)",
    config=GPDMSystemConfig,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=(ENV,),
    make=partial(build, "gpdm"),
    reaches=-2.0,  # minus the RMSE; linear interpolation gets -4.77, a cubic spline -3.26
)
