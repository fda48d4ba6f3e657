"""The vocabulary that every part of imaginax shares.

Shape letters used in annotations and docstrings:

    B  batch              T  time                N  parallel environments
    K  ensemble members   P  particles           C  candidate plans
    H  planning horizon   A  action features     D  observation features
    Z  latent features    S  seeds               F  network input features

Environments and their parts are written for ONE state; `envs.wrappers.vectorise` batches them. World models
and planners are batched: everything that varies has a leading axis `B`.
"""

from __future__ import annotations

from imaginax.errors import ConfigError
from imaginax.types.environments import (
    Box,
    Discrete,
    Environment,
    EnvSpec,
    Features,
    Game,
    Space,
    State,
    Symmetries,
    TimeStep,
    Trajectory,
    Transition,
)
from imaginax.types.models import (
    Belief,
    Capabilities,
    Evaluation,
    Metrics,
    Params,
    Planner,
    PlanOutput,
    Player,
    Prediction,
    SearchSummary,
    WorldModel,
)
from imaginax.types.systems import Episodes, Replay, Stage, System, SystemState, WorkingMemory

__all__ = [
    "Belief",
    "Box",
    "Capabilities",
    "ConfigError",
    "Discrete",
    "EnvSpec",
    "Environment",
    "Episodes",
    "Evaluation",
    "Features",
    "Game",
    "Metrics",
    "Params",
    "PlanOutput",
    "Planner",
    "Player",
    "Prediction",
    "Replay",
    "Space",
    "Stage",
    "State",
    "Symmetries",
    "System",
    "SystemState",
    "SearchSummary",
    "TimeStep",
    "Trajectory",
    "Transition",
    "WorkingMemory",
    "WorldModel",
]
