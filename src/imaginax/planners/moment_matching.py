"""Planning on Gaussian beliefs: GP-MPC's optimal control problem (Kamthe & Deisenroth 2018).

Moment matching makes the stochastic problem a deterministic one over z = (mean, covariance): minimise the
sum of expected stage costs over controls in a box. A sequence of linear-quadratic problems solves it
(`planners.ilqr`, with Pontryagin's costates), and limits on states are kept by an augmented Lagrangian:

    variance        chance constraints p(low <= x <= high) >= probability, of each limit
    mean            the same of the mean alone
    zero_variance   the mean alone, and a model whose beliefs stay certain

The paper solves the same problem by a general method of sequential quadratic programming.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from imaginax.envs.limits import Limit
from imaginax.models.gp.gaussian_dynamics import Feedback, GaussianTask
from imaginax.numerics.gaussian import Gaussian, pack, packed_size, unpack
from imaginax.numerics.sequential_vmap import sequential_vmap
from imaginax.planners import ilqr
from imaginax.planners.shooting.planner import centre
from imaginax.types import Box, Capabilities, ConfigError, Planner, PlanOutput, WorldModel

Variant = Literal["variance", "mean", "zero_variance"]
NEEDS = Capabilities(continuous=True, differentiable=True, gaussian_belief=True)
_PARTS = 5  # of the horizon, in which a random plan holds its control
_MOST = {"horizon": 1000, "evaluations": 10_000, "starts": 1000, "rounds": 100}


@dataclasses.dataclass(frozen=True)
class MomentPlannerConfig:
    """A planner on Gaussian beliefs.

    Attributes:
        variant: what uncertainty is used for; `zero_variance` also makes the model's beliefs certain.
        horizon: H, steps that a plan looks ahead.
        evaluations: roll-outs of a decision in each round, with derivatives, the starts included.
        starts: plans of which the best is improved: that of the last decision, and random ones, which hold
            each control for a fifth of the horizon. Far from the target the cost is flat, and a plan that
            lies there has no slope to follow.
        tolerance: relative improvement below which a search ends.
        constraints: whether the environment's limits are kept.
        constraint_horizon: the first steps of a plan, on which limits are kept; 0 for all. Further ahead the
            belief may be so wide that only plans that hardly move keep them, and will be planned anew.
        probability: of keeping a limit, both bounds together, at each step (variance).
        feedback: whether beliefs are predicted with the feedback that the optimisation of the plan gives, as
            far as the bounds of controls let it act. The paper's are those of the plan alone; around an
            unstable equilibrium they spread exponentially.
        rounds: updates of the multipliers a decision, where there are limits.
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


class WarmStart(NamedTuple):
    """What a decision begins with: the last policy and multipliers, one step later."""

    policy: ilqr.Policy  # over packed beliefs
    multipliers: Float[Array, "*B H C"]


def make_planner(
    task: GaussianTask, model: WorldModel, config: MomentPlannerConfig, limits: Sequence[Limit] = ()
) -> Planner:
    """The planner for a task and a model of it whose beliefs are `Gaussian`s over observations."""
    space = task.space
    kept = tuple(limits) if config.constraints else ()
    sides = 2 * len(kept)

    def init(batch: int) -> WarmStart:
        shape, size = (batch, config.horizon), packed_size(task.states)
        plan = jnp.full((*shape, *space.shape), centre(space), float)
        policy = ilqr.Policy(plan, jnp.zeros((*shape, size)), jnp.zeros((*plan.shape, size)))
        return WarmStart(policy, jnp.zeros((*shape, sides)))

    def plan(params, belief, plan_state: WarmStart, key, legal=None):
        del legal
        keys = jax.random.split(key, len(plan_state.multipliers))
        one = sequential_vmap(partial(_plan, model, task, config, kept))
        return jax.vmap(one, (None, 0, 0, 0))(params, belief, plan_state, keys)

    return Planner(NEEDS, init, plan)


def _plan(
    model: WorldModel,
    task: GaussianTask,
    config: MomentPlannerConfig,
    limits: tuple[Limit, ...],
    params,
    belief: Gaussian,
    warm: WarmStart,
    key: Array,
):
    """One decision for one belief."""
    key_starts, key_model = jax.random.split(key)
    drawn = _random_plans(key_starts, config, warm.policy.plan, task.space)
    problem = (model, task, config, limits, params, belief)
    found, multipliers = _solve(*problem, warm, drawn, key_model)
    plan, feedback, multipliers = (
        jnp.concatenate([x[1:], x[-1:]]) for x in (found.plan, found.feedback, multipliers)
    )
    following = WarmStart(ilqr.Policy(plan, found.states, feedback), multipliers)
    return found.plan[0], following, PlanOutput(-found.cost, found.plan)


def _random_plans(
    key: Array, config: MomentPlannerConfig, like: Float[Array, "H A"], space: Box
) -> Float[Array, "R H A"]:
    """All starts but the first; each control is held for a while."""
    hold = max(1, config.horizon // _PARTS)
    parts = -(-config.horizon // hold)
    shape = (config.starts - 1, parts, *like.shape[1:])
    drawn = jax.random.uniform(key, shape, like.dtype, space.low, space.high)
    return jnp.repeat(drawn, hold, axis=1)[:, : config.horizon]


def _solve(model, task, config, limits, params, belief: Gaussian, warm: WarmStart, drawn: Array, key: Array):
    """The augmented Lagrangian's rounds: (the last optimum, multipliers)."""
    size = len(belief.mean)
    near = jnp.arange(config.horizon) < (config.constraint_horizon or config.horizon)

    def step(state: Array, control: Array, feedback: Array) -> Array:
        one = jax.tree.map(lambda x: x[None], unpack(state, size))
        action = Feedback(control[None], feedback[None, :, :size]) if config.feedback else control[None]
        following, _ = model.predict(params, one, action, key)
        return pack(jax.tree.map(lambda x: x[0], following))

    def cost(state: Array, control: Array, following: Array, extra) -> Array:
        after = unpack(following, size)
        expected = task.cost(unpack(state, size), control, after)
        if not limits:
            return expected
        multipliers, penalty, kept = extra
        excess = jnp.maximum(multipliers + penalty * broken(following, kept), 0.0)
        return expected + jnp.sum(excess**2 - multipliers**2) / (2 * penalty)

    def broken(state: Array, kept: Array) -> Array:
        return jnp.where(kept, violations(config, limits, unpack(state, size)), -1.0)

    def turn(carry: WarmStart, penalty: Array):
        policy, multipliers = carry
        extra = multipliers, jnp.full(len(multipliers), penalty), near
        problem = ilqr.Problem(step, cost, pack(belief), (task.space.low, task.space.high), extra)
        starts = jax.tree.map(lambda x: jnp.zeros((len(drawn) + 1, *x.shape), x.dtype).at[0].set(x), policy)
        starts = starts._replace(plan=starts.plan.at[1:].set(drawn))
        found = ilqr.minimise(problem, starts, evaluations=config.evaluations, tolerance=config.tolerance)
        if limits:
            multipliers = jnp.maximum(multipliers + penalty * jax.vmap(broken)(found.states, near), 0.0)
        before = jnp.concatenate([pack(belief)[None], found.states[:-1]])
        return WarmStart(ilqr.Policy(found.plan, before, found.feedback), multipliers), found

    rounds = config.rounds if limits else 1
    penalties = config.penalty * 2.0 ** jnp.arange(rounds)
    (_, multipliers), found = jax.lax.scan(turn, warm, penalties)
    return jax.tree.map(lambda x: x[-1], found), multipliers


def violations(config: MomentPlannerConfig, limits: Sequence[Limit], belief: Gaussian) -> Float[Array, "C"]:
    """By how much each limit is broken, the lower and the upper side of each; negative if it is kept.

    Both sides are kept if, and only if, the limit is: its mean, or with its probability (variance). A side
    without a bound counts as kept by 1.
    """
    broken = []
    for limit in limits:
        mean = belief.mean[limit.index]
        deviation = _deviation(belief.covariance[limit.index, limit.index])
        for bound, other, sign in ((limit.low, limit.high, -1.0), (limit.high, limit.low, 1.0)):
            if math.isinf(bound):
                broken.append(-jnp.ones_like(mean))
                continue
            broken.append(sign * (mean - bound))
            if config.variant == "variance":
                tail = norm.cdf(sign * (other - mean) / deviation) if math.isfinite(other) else 0.0
                broken[-1] += deviation * _quantile(1 - config.probability, tail)
    return jnp.stack(broken)


def _quantile(risk: float, tail: Array | float) -> Float[Array, ""]:
    """The normal quantile of one side of a limit, beyond whose other side the probability `tail` lies.

    Both together may be broken with probability `risk`. So one side has what the other leaves, but at least
    half: where both tails exceed that, no split keeps the limit.
    """
    return -norm.ppf(jnp.maximum(risk - tail, risk / 2))


def _deviation(variance: Float[Array, ""]) -> Float[Array, ""]:
    """The standard deviation, linear in the variance.

    The curvature of the root, huge where it is small, would stop every move.
    """
    variance = jnp.maximum(variance, 0.0)
    present = jax.lax.stop_gradient(variance)
    deviation = jnp.sqrt(present + 1e-12)
    return deviation + (variance - present) / (2 * deviation)
