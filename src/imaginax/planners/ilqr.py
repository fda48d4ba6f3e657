"""Trajectory optimisation by a sequence of linear-quadratic problems (iLQR, Li & Todorov 2004).

    minimise sum_t c(z_t, u_t, z_{t+1})    subject to    z_{t+1} = f(z_t, u_t),    low <= u_t <= high

Around the last plan the dynamics are linear and the cost is quadratic, where a curvature that is negative
counts with its absolute value. A Riccati recursion solves that problem. Its feedback takes part in the next
roll-out: errors early in a plan do not grow along an unstable motion, which is what makes gradients of whole
plans useless over long horizons. The result is a plan without feedback.

The bounds are Pontryagin's: with the costates of the last plan (`planners.costates`), a control at a bound
stays there if the Hamiltonian decreases towards the outside; the others move, and stop at their bounds.

A turn is one roll-out with the derivatives of the dynamics. If it keeps enough of what the recursion promised
it is the new plan, and moves are damped less (Levenberg); if not, the recursion is done anew with more
damping. The first turns are the starts, of which the best is gone on from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.numerics.cholesky import cholesky, solve_lower, solve_transposed
from imaginax.planners.costates import Linear, costates

_ENOUGH = 0.1  # of the promised decrease
_FIRST_DAMPING = 0.1  # in units of the cost, for moves of half a control's range
_LESS, _MORE = 0.2, 5.0
_DAMPINGS = (1e-9, 1e6)


class Problem(NamedTuple):
    """What is minimised, over states z [n] and controls u [A].

    Attributes:
        step: f: (z, u, feedback [A n]) -> next z; differentiable once. The feedback is the policy's: beliefs
            may spread less with it. No derivative is taken in it.
        cost: c: (z, u, next z, extra of that step) -> scalar; differentiable twice.
        start: z_0.
        bounds: of every control.
        extra: anything with a leading axis H.
    """

    step: Callable[[Array, Array, Array], Array]
    cost: Callable[[Array, Array, Array, PyTree], Array]
    start: Float[Array, "n"]
    bounds: tuple[float, float]
    extra: PyTree = None


class Policy(NamedTuple):
    """u = plan + feedback (z - states), within the bounds.

    Attributes:
        plan: the controls.
        states: those that the plan expects before each control.
        feedback: of differences from them.
    """

    plan: Float[Array, "*S H A"]
    states: Float[Array, "*S H n"]
    feedback: Float[Array, "*S H A n"]


class Optimum(NamedTuple):
    """The best plan of a search.

    Attributes:
        plan: the controls.
        feedback: that the plan was found with.
        states: z_1 .. z_H.
        cost: of the plan.
        evaluations: roll-outs made.
    """

    plan: Float[Array, "H A"]
    feedback: Float[Array, "H A n"]
    states: Float[Array, "H n"]
    cost: Float[Array, ""]
    evaluations: Int[Array, ""]


class _Trajectory(NamedTuple):
    before: Float[Array, "H n"]
    plan: Float[Array, "H A"]
    feedback: Float[Array, "H A n"]
    after: Float[Array, "H n"]
    jacobian: Float[Array, "H n n+A"]  # of the dynamics
    costs: Float[Array, "H"]


class _Quadratic(NamedTuple):
    """Derivatives of the stage costs in (z, u, next z)."""

    gradient: Float[Array, "H m"]
    curvature: Float[Array, "H m m"]


class _Search(NamedTuple):
    best: _Trajectory
    quadratic: _Quadratic
    cost: Float[Array, ""]
    damping: Float[Array, ""]
    evaluations: Int[Array, ""]
    active: Bool[Array, ""]


def minimise(problem: Problem, starts: Policy, *, evaluations: int, tolerance: float) -> Optimum:
    """Minimises from the best of `starts`.

    Args:
        problem: dynamics, cost, bounds.
        starts: S first policies; plans alone where the feedback is zero.
        evaluations: roll-outs that may be made, the starts included.
        tolerance: ends once an accepted plan lowers the cost by less than this, relative to its size.
    """

    def unfinished(search: _Search) -> Bool[Array, ""]:
        return search.active & (search.evaluations < evaluations)

    def turn(search: _Search) -> _Search:
        return _turn(problem, starts, tolerance, search)

    found = jax.lax.while_loop(unfinished, turn, _begin(problem, starts.plan[0]))
    return Optimum(found.best.plan, found.best.feedback, found.best.after, found.cost, found.evaluations)


def _begin(problem: Problem, plan: Float[Array, "H A"]) -> _Search:
    """Before the first roll-out."""
    (horizon, controls), size, dtype = plan.shape, len(problem.start), plan.dtype
    states, costs = jnp.zeros((horizon, size), dtype), jnp.zeros(horizon, dtype)
    feedback = jnp.zeros((horizon, controls, size), dtype)
    nothing = _Trajectory(
        states, plan, feedback, states, jnp.zeros((horizon, size, size + controls), dtype), costs
    )
    both = 2 * size + controls
    quadratic = _Quadratic(jnp.zeros((horizon, both), dtype), jnp.zeros((horizon, both, both), dtype))
    cost, damping = jnp.array(jnp.inf, dtype), jnp.array(_FIRST_DAMPING, dtype)
    return _Search(nothing, quadratic, cost, damping, jnp.int32(0), jnp.ones((), bool))


def _turn(problem: Problem, starts: Policy, tolerance: float, search: _Search) -> _Search:
    starting = search.evaluations < len(starts.plan)
    index = jnp.minimum(search.evaluations, len(starts.plan) - 1)
    policy, promise = jax.lax.cond(
        starting,
        lambda: (jax.tree.map(lambda x: x[index], starts), jnp.zeros_like(search.cost)),
        lambda: _riccati(problem, search.best, search.quadratic, search.damping),
    )
    tried = _roll_out(problem, policy)
    cost = jnp.sum(tried.costs)
    good = (search.cost - cost > _ENOUGH * promise) & jnp.all(jnp.isfinite(tried.jacobian))
    best, quadratic = jax.lax.cond(
        good, lambda: (tried, _expand(problem, tried)), lambda: (search.best, search.quadratic)
    )
    damping = jnp.where(starting, 1.0, jnp.where(good, _LESS, _MORE)) * search.damping
    progress = search.cost - cost > tolerance * (jnp.abs(cost) + tolerance)
    short = search.damping > _FIRST_DAMPING  # a step that says little about what is left
    going = starting | jnp.where(good, progress | short, damping < _DAMPINGS[1])
    return _Search(
        best,
        quadratic,
        jnp.where(good, cost, search.cost),
        jnp.maximum(damping, _DAMPINGS[0]),
        search.evaluations + 1,
        going,
    )


def _roll_out(problem: Problem, policy: Policy) -> _Trajectory:
    """The trajectory of a policy, with the derivatives of the dynamics along it."""
    size = len(problem.start)
    directions = jnp.eye(size + policy.plan.shape[1], dtype=policy.plan.dtype)

    def advance(state: Array, inputs: tuple[Policy, PyTree]):
        own, extra = inputs
        control = jnp.clip(own.plan + own.feedback @ (state - own.states), *problem.bounds)
        following, tangent = jax.linearize(
            lambda both: problem.step(both[:size], both[size:], own.feedback),
            jnp.concatenate([state, control]),
        )
        jacobian = jax.vmap(tangent)(directions).T
        cost = problem.cost(state, control, following, extra)
        return following, _Trajectory(state, control, own.feedback, following, jacobian, cost)

    return jax.lax.scan(advance, problem.start, (policy, problem.extra))[1]


def _riccati(
    problem: Problem, around: _Trajectory, quadratic: _Quadratic, damping: Float[Array, ""]
) -> tuple[Policy, Float[Array, ""]]:
    """The policy that solves the linear-quadratic problem, and by how much it promises to lower the cost."""
    size, (low, high) = len(problem.start), problem.bounds
    slopes = costates(Linear(around.jacobian, quadratic.gradient)).gradient
    held = ((around.plan <= low) & (slopes > 0)) | ((around.plan >= high) & (slopes < 0))
    damped = damping / ((high - low) / 2) ** 2 * jnp.eye(slopes.shape[1], dtype=slopes.dtype)

    def solve(value: tuple[Array, Array], inputs: tuple[Array, ...]):
        slope, curvature = value  # of the cost to go, in the next state
        jacobian, gradient, hessian, control, held = inputs
        both = jnp.concatenate([jnp.eye(jacobian.shape[1], dtype=jacobian.dtype), jacobian])
        first = both.T @ gradient.at[-size:].add(slope)
        second = both.T @ hessian.at[-size:, -size:].add(curvature) @ both
        own, across = second[size:, size:], second[size:, :size]
        room = low - control, high - control
        move, feedback = _in_box(own + damped, first[size:], across, room, held)
        slope = first[:size] + feedback.T @ (own @ move + first[size:]) + across.T @ move
        curvature = second[:size, :size] + feedback.T @ (own @ feedback + across) + across.T @ feedback
        promise = -(first[size:] @ move + move @ own @ move / 2)
        return (slope, (curvature + curvature.T) / 2), (move, feedback, promise)

    nothing = jnp.zeros(size, slopes.dtype), jnp.zeros((size, size), slopes.dtype)
    inputs = (around.jacobian, quadratic.gradient, quadratic.curvature, around.plan, held)
    _, (move, feedback, promise) = jax.lax.scan(solve, nothing, inputs, reverse=True)
    return Policy(around.plan + move, around.before, feedback), jnp.sum(promise)


def _in_box(
    curvature: Float[Array, "A A"],
    slope: Float[Array, "A"],
    across: Float[Array, "A n"],
    room: tuple[Array, Array],
    held: Bool[Array, "A"],
) -> tuple[Float[Array, "A"], Float[Array, "A n"]]:
    """Minimises a quadratic over a move: those that would leave their room stop there, without feedback."""

    def free_moves(fixed: Bool[Array, "A"], at: Float[Array, "A"]):
        free = jnp.where(fixed, 0.0, 1.0)
        factor = cholesky(curvature * free * free[:, None] + jnp.diag(1 - free))
        right = jnp.concatenate([(slope + curvature @ at)[:, None], across], axis=1) * free[:, None]
        solved = -solve_transposed(factor, solve_lower(factor, right))
        return at + solved[:, 0], solved[:, 1:]

    move, _ = free_moves(held, jnp.zeros_like(slope))
    stopped = held | (move <= room[0]) | (move >= room[1])
    move, feedback = free_moves(stopped, jnp.where(stopped, jnp.clip(move, *room), 0.0))
    return jnp.clip(move, *room), feedback


def _expand(problem: Problem, around: _Trajectory) -> _Quadratic:
    """Of the stage costs; negative curvatures count with their absolute value."""
    size = len(problem.start)

    def cost(point: Array, extra: PyTree) -> Array:
        return problem.cost(point[:size], point[size:-size], point[-size:], extra)

    points = jnp.concatenate([around.before, around.plan, around.after], axis=1)
    gradients = jax.vmap(jax.grad(cost))(points, problem.extra)
    return _Quadratic(gradients, jax.lax.map(_absolute, jax.vmap(jax.hessian(cost))(points, problem.extra)))


def _absolute(matrix: Float[Array, "m m"]) -> Float[Array, "m m"]:
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.abs(values)) @ vectors.T
