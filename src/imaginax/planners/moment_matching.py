"""Planning on Gaussian beliefs: GP-MPC's optimal control problem (Kamthe & Deisenroth 2018).

Moment matching makes the stochastic problem a deterministic one over z = (mean, covariance): minimise the
sum of expected stage costs over controls in a box. Gradients come from the costates (`planners.costates`),
the minimum from a projected L-BFGS method, and limits on states are kept by an augmented Lagrangian:

    variance        chance constraints p(x within its limit) >= probability: mean -+ q sigma within it
    mean            the same of the mean alone
    zero_variance   the mean alone, and a model whose beliefs stay certain

The paper solves the same problem by sequential quadratic programming.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.envs.limits import Limit
from imaginax.gaussian import Gaussian
from imaginax.models.box_lbfgs import minimise_in_box
from imaginax.planners.costates import differentiate
from imaginax.planners.shooting import centre, shift
from imaginax.types import Box, Capabilities, ConfigError, EnvSpec, Planner, PlanOutput, WorldModel

Variant = Literal["variance", "mean", "zero_variance"]
NEEDS = Capabilities(continuous=True, differentiable=True, gaussian_belief=True)
_PARTS = 5  # of the horizon, in which a random plan holds its control
_MOST = {"horizon": 1000, "evaluations": 10_000, "starts": 1000, "rounds": 100}


@dataclasses.dataclass(frozen=True)
class MomentPlannerConfig:
    """A planner on Gaussian beliefs.

    Attributes:
        variant: what uncertainty is used for; `zero_variance` also makes the model's beliefs certain.
        horizon: H, steps that a plan looks ahead. Around an unstable equilibrium a belief that no feedback
            holds together spreads exponentially: too long a horizon drowns the cost of the mean in it.
        evaluations: points (value and gradient) of a decision in each round, the starts included.
        starts: plans of which the best is improved: that of the last decision, and random ones, which hold
            each control for a fifth of the horizon. Far from the target the cost is flat, and a plan that
            lies there has no slope to follow.
        tolerance: relative improvement below which a search ends.
        constraints: whether the environment's limits are kept.
        probability: of keeping a limit, at each step (variance).
        rounds: updates of the multipliers a decision, where there are limits.
        penalty: weight of squared violations in the first round; it doubles with each.
    """

    variant: Variant = "variance"
    horizon: int = 10
    evaluations: int = 40
    starts: int = 4
    tolerance: float = 1e-6
    constraints: bool = True
    probability: float = 0.95
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


class WarmStart(NamedTuple):
    """What a decision begins with: the last plan and multipliers, one step later."""

    plan: Float[Array, "*B H A"]
    multipliers: Float[Array, "*B H C"]


def make_planner(
    spec: EnvSpec, model: WorldModel, config: MomentPlannerConfig, limits: Sequence[Limit] = ()
) -> Planner:
    """The planner for a model whose `decode` gives a `Gaussian` over observations.

    Raises:
        ConfigError: if the environment's actions are discrete.
    """
    space = spec.action
    if not isinstance(space, Box):
        raise ConfigError(f"planner: moment matching needs continuous actions, which env {spec.name} lacks")
    kept = tuple(limits) if config.constraints else ()
    sides = 2 * len(kept)

    def init(batch: int) -> WarmStart:
        plan = jnp.full((batch, config.horizon, *space.shape), centre(space), float)
        return WarmStart(plan, jnp.zeros((batch, config.horizon, sides)))

    def plan(params, belief, plan_state: WarmStart, key, legal=None):
        del legal
        keys = jax.random.split(key, len(plan_state.plan))
        one = partial(_plan, model, space, config, kept, params)
        return jax.vmap(one)(belief, plan_state, keys)

    return Planner(NEEDS, init, plan)


def _plan(
    model: WorldModel,
    space: Box,
    config: MomentPlannerConfig,
    limits: tuple[Limit, ...],
    params,
    belief,
    warm: WarmStart,
    key: Array,
):
    """One decision for one belief."""
    key_starts, key_model = jax.random.split(key)
    drawn = _random_plans(key_starts, config, warm.plan, space)
    problem = (model, space, config, limits, params, belief)
    plan, multipliers, merit = _solve(*problem, warm, drawn, key_model)
    following = WarmStart(shift(plan, plan[-1:]), shift(multipliers, multipliers[-1:]))
    return plan[0], following, PlanOutput(-merit, plan)


def _random_plans(
    key: Array, config: MomentPlannerConfig, like: Float[Array, "H A"], space: Box
) -> Float[Array, "R H A"]:
    """All starts but the first; each control is held for a while."""
    hold = max(1, config.horizon // _PARTS)
    parts = -(-config.horizon // hold)
    shape = (config.starts - 1, parts, *like.shape[1:])
    drawn = jax.random.uniform(key, shape, like.dtype, space.low, space.high)
    return jnp.repeat(drawn, hold, axis=1)[:, : config.horizon]


def _solve(model, space, config, limits, params, belief, warm: WarmStart, drawn: Array, key: Array):
    """The augmented Lagrangian's rounds: (plan, multipliers, final merit)."""
    stage = partial(_stage, model, config, limits, params, key)

    def turn(carry, penalty):
        plan, multipliers = carry
        extra = (multipliers, jnp.full(len(plan), penalty))
        found = minimise_in_box(
            partial(_objective, stage, belief, extra, plan.shape),
            jnp.concatenate([plan[None], drawn]).reshape(config.starts, -1),
            (space.low, space.high),
            evaluations=config.evaluations,
            tolerance=config.tolerance,
        )
        plan = found.point.reshape(plan.shape)
        if limits:
            states = model.decode(params, _states(model, params, key, belief, plan))
            broken = jax.vmap(partial(violations, config, limits))(states)
            multipliers = jnp.maximum(multipliers + penalty * broken, 0.0)
        return (plan, multipliers), found.value

    rounds = config.rounds if limits else 1
    penalties = config.penalty * 2.0 ** jnp.arange(rounds)
    (plan, multipliers), values = jax.lax.scan(turn, tuple(warm), penalties)
    return plan, multipliers, values[-1]


def _objective(stage, belief, extra, shape, point):
    """Value and gradient of a plan as one vector."""
    found = differentiate(stage, belief, point.reshape(shape), extra)
    return found.cost, found.gradient.reshape(-1)


def _predict(model, params, key, belief, control):
    """One step of one belief."""
    batch = jax.tree.map(lambda x: x[None], belief)
    following, prediction = model.predict(params, batch, control[None], key)
    return jax.tree.map(lambda x: x[0], following), prediction.reward[0]


def _states(model, params, key, belief, plan):
    def advance(state, control):
        following, _ = _predict(model, params, key, state, control)
        return following, following

    return jax.lax.scan(advance, belief, plan)[1]


def _stage(model, config, limits, params, key, belief, inputs):
    """(next belief, expected cost and what the augmented Lagrangian adds for the limits)."""
    control, (multipliers, penalty) = inputs
    following, reward = _predict(model, params, key, belief, control)
    cost = -reward
    if limits:
        seen = model.decode(params, jax.tree.map(lambda x: x[None], following))
        broken = violations(config, limits, jax.tree.map(lambda x: x[0], seen))
        excess = jnp.maximum(multipliers + penalty * broken, 0.0)
        cost += jnp.sum(excess**2 - multipliers**2) / (2 * penalty)
    return following, cost


def violations(config: MomentPlannerConfig, limits: Sequence[Limit], belief: Gaussian) -> Float[Array, "C"]:
    """By how much each limit is broken, the lower and the upper side of each; negative if it is kept.

    A side without a bound counts as kept by 1.
    """
    quantile = statistics.NormalDist().inv_cdf(config.probability) if config.variant == "variance" else 0.0
    broken = []
    for limit in limits:
        mean = belief.mean[limit.index]
        variance = belief.covariance[limit.index, limit.index]
        margin = quantile * jnp.sqrt(jnp.maximum(variance, 0.0) + 1e-12)
        for bound, sign in ((limit.low, -1.0), (limit.high, 1.0)):
            finite = abs(bound) < float("inf")
            broken.append(sign * (mean - bound) + margin if finite else -jnp.ones_like(mean))
    return jnp.stack(broken)
