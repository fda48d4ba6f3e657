"""Settings of the planner on Gaussian beliefs."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError

Variant = Literal["variance", "mean", "zero_variance"]
_MOST = {"horizon": 1000, "evaluations": 10_000, "starts": 1000, "rounds": 100}


@dataclasses.dataclass(frozen=True)
class MomentPlannerConfig:
    """A planner on Gaussian beliefs.

    Attributes:
        variant: use of the predicted uncertainty; `zero_variance` also makes the model's beliefs certain.
        horizon: steps H that a plan looks ahead.
        evaluations: roll-outs of a decision in each round, with derivatives, the starts included.
        starts: number of plans of which the best is improved: that of the last decision, and random ones,
            which hold each control for a fifth of the horizon. Far from the target the cost is flat, and a
            plan that lies there has no slope to follow.
        tolerance: relative improvement below which a search ends.
        constraints: whether plans keep the environment's limits.
        constraint_horizon: first steps of a plan on which limits are kept; 0 for all. Further ahead the
            belief may be so wide that only plans that hardly move keep them, and will be planned anew.
        probability: probability of keeping a limit, both bounds together, at each step (variance).
        feedback: whether beliefs are predicted with the feedback that the optimisation of the plan gives, as
            far as the bounds of controls let it act. The paper's are those of the plan alone; around an
            unstable equilibrium they spread exponentially.
        rounds: updates of the multipliers in a decision, where there are limits.
        penalty: weight of squared violations in the first round; it doubles with each.
    """

    variant: Variant = "variance"
    horizon: int = 15
    evaluations: int = 40
    starts: int = 8
    tolerance: float = 1e-4
    constraints: bool = True
    constraint_horizon: int = 0
    probability: float = 0.95
    feedback: bool = True
    rounds: int = 3
    penalty: float = 100.0

    def __post_init__(self):
        if self.variant not in ("variance", "mean", "zero_variance"):
            raise ConfigError(
                f"planner.variant must be variance, mean or zero_variance, got {self.variant!r}"
            )
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(f"planner.{name} must lie in [1, {most}], got {getattr(self, name)}")
        if not 0 <= self.constraint_horizon <= self.horizon:
            raise ConfigError(
                f"planner.constraint_horizon must lie in [0, planner.horizon ({self.horizon})],"
                f" got {self.constraint_horizon}"
            )
        if self.starts > self.evaluations:
            raise ConfigError(
                f"planner.starts ({self.starts}) must not exceed planner.evaluations ({self.evaluations})"
            )
        if not 0.5 <= self.probability < 1.0:
            raise ConfigError(f"planner.probability must lie in [0.5, 1), got {self.probability}")
        if not 0.0 < self.penalty <= 1e9:
            raise ConfigError(f"planner.penalty must lie in (0, 1e9], got {self.penalty}")
        if not 0.0 <= self.tolerance <= 1.0:
            raise ConfigError(f"planner.tolerance must lie in [0, 1], got {self.tolerance}")
