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

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from imaginax.envs.limits import Limit
from imaginax.models.gp.gaussian_dynamics import Feedback, GaussianTask
from imaginax.numerics.gaussian import Gaussian, pack, packed_size, unpack
from imaginax.numerics.sequential_vmap import sequential_vmap
from imaginax.planners import ilqr
from imaginax.planners.config import MomentPlannerConfig
from imaginax.planners.shooting.plans import centre
from imaginax.types import Box, Capabilities, Planner, PlanOutput, WorldModel

NEEDS = Capabilities(continuous=True, differentiable=True, gaussian_belief=True)
_PARTS = 5  # of the horizon, in which a random plan holds its control


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
