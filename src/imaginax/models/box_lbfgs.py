"""L-BFGS in a box, every evaluation one turn of one compiled loop.

A projected quasi-Newton method (Bertsekas 1982): variables that are at a bound and would leave are held,
the others take an L-BFGS step, and the path is bent at the bounds. A turn evaluates one point and either
accepts it (Armijo's condition) and finds a new direction, or shortens the step. Searches of a batch
thus stay in step under `jax.vmap`. The first turns evaluate the starts, of which the best is gone on from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_ARMIJO = 1e-4
_SHORTER = 0.3
_FIRST_MOVE = 0.25  # of the box, for the variable that moves most
_SMALLEST_STEP = 1e-6


class Minimum(NamedTuple):
    """The best point of a search, its value and how many points were evaluated."""

    point: Float[Array, "V"]
    value: Float[Array, ""]
    evaluations: Int[Array, ""]


class _Search(NamedTuple):
    point: Float[Array, "V"]
    value: Float[Array, ""]
    gradient: Float[Array, "V"]
    direction: Float[Array, "V"]
    step: Float[Array, ""]
    moves: Float[Array, "L V"]  # differences of points, the newest last; zero where there is none
    changes: Float[Array, "L V"]  # differences of gradients
    evaluations: Int[Array, ""]
    active: Bool[Array, ""]


def minimise_in_box(
    objective: Callable[[Float[Array, "V"]], tuple[Array, Array]],
    starts: Float[Array, "S V"],
    bounds: tuple[float, float],
    *,
    evaluations: int,
    memory: int = 8,
    tolerance: float = 1e-4,
    first_move: float | None = None,
) -> Minimum:
    """Minimises from the best of `starts`, which are moved into the box.

    Args:
        objective: point -> (value, gradient).
        starts: the first points.
        bounds: of every variable; where they are infinite, `first_move` has to be given.
        evaluations: points that may be evaluated, the starts included.
        memory: L, pairs of differences that are kept.
        tolerance: ends once an accepted step lowers the value by less than this, relative to its size.
        first_move: of the variable that moves most, in the first step; by default a quarter of the box.
    """
    first_move = _FIRST_MOVE * (bounds[1] - bounds[0]) if first_move is None else first_move
    starts = jnp.clip(starts, *bounds)
    point = starts[0]
    nothing = jnp.zeros((memory, len(point)), point.dtype)
    zero, still = jnp.zeros((), jnp.int32), jnp.zeros_like(point)
    infinite, one = jnp.full((), jnp.inf, point.dtype), jnp.ones((), point.dtype)
    search = _Search(point, infinite, still, still, one, nothing, nothing, zero, jnp.ones((), bool))

    def turn(search: _Search) -> _Search:
        return _turn(objective, starts, bounds, tolerance, first_move, search)

    def unfinished(search: _Search) -> Bool[Array, ""]:
        return search.active & (search.evaluations < evaluations)

    found = jax.lax.while_loop(unfinished, turn, search)
    return Minimum(found.point, found.value, found.evaluations)


def _turn(
    objective: Callable,
    starts: Float[Array, "S V"],
    bounds: tuple[float, float],
    tolerance: float,
    first_move: float,
    search: _Search,
) -> _Search:
    starting = search.evaluations < len(starts)
    stepped = jnp.clip(search.point + search.step * search.direction, *bounds)
    candidate = jnp.where(starting, starts[jnp.minimum(search.evaluations, len(starts) - 1)], stepped)
    value, gradient = objective(candidate)
    move, change = candidate - search.point, gradient - search.gradient
    good = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
    good &= jnp.where(
        starting, value < search.value, value <= search.value + _ARMIJO * search.gradient @ move
    )
    curved = good & ~starting & (move @ change > 1e-10 * jnp.linalg.norm(move) * jnp.linalg.norm(change))
    moves, changes = (
        jnp.where(curved, jnp.concatenate([old[1:], new[None]]), old)
        for old, new in ((search.moves, move), (search.changes, change))
    )
    ahead = _direction(candidate, gradient, moves, changes, bounds, first_move)
    direction = jnp.where(good, ahead, search.direction)
    step = jnp.where(good | starting, 1.0, _SHORTER * search.step)
    progress = search.value - value > tolerance * (jnp.abs(value) + tolerance)
    going = jnp.where(good & ~starting, progress, step > _SMALLEST_STEP) & jnp.any(direction != 0)
    return _Search(
        jnp.where(good, candidate, search.point),
        jnp.where(good, value, search.value),
        jnp.where(good, gradient, search.gradient),
        direction,
        step,
        moves,
        changes,
        search.evaluations + 1,
        going | (search.evaluations + 1 < len(starts)),
    )


def _free(point: Array, gradient: Array, bounds: tuple[float, float]) -> Bool[Array, "V"]:
    """Variables that the steepest descent does not push out of the box."""
    low, high = bounds
    return ~(((point <= low) & (gradient > 0)) | ((point >= high) & (gradient < 0)))


def _direction(
    point: Array,
    gradient: Array,
    moves: Array,
    changes: Array,
    bounds: tuple[float, float],
    first_move: float,
) -> Float[Array, "V"]:
    """The L-BFGS direction of the free variables, by the two-loop recursion on them alone."""
    free = _free(point, gradient, bounds)
    slope, moves, changes = gradient * free, moves * free, changes * free
    curvature = jnp.sum(moves * changes, axis=1)
    usable = curvature > 0
    weight = jnp.where(usable, 1 / jnp.where(usable, curvature, 1.0), 0.0)

    def down(q: Array, pair: tuple[Array, Array, Array]):
        move, change, rho = pair
        alpha = rho * (move @ q)
        return q - alpha * change, alpha

    def up(r: Array, pair: tuple[Array, Array, Array, Array]):
        move, change, rho, alpha = pair
        return r + move * (alpha - rho * (change @ r)), None

    pairs = (moves, changes, weight)
    q, alphas = jax.lax.scan(down, slope, pairs, reverse=True)
    squares = jnp.sum(changes**2, axis=1)
    newest = usable & (jnp.cumsum(usable[::-1])[::-1] == 1)  # the last usable pair
    scale = jnp.sum(jnp.where(newest, curvature / jnp.where(squares > 0, squares, 1.0), 0.0))
    largest = jnp.maximum(jnp.max(jnp.abs(slope)), jnp.finfo(slope.dtype).tiny)
    first = first_move / largest
    r, _ = jax.lax.scan(up, q * jnp.where(scale > 0, scale, first), (*pairs, alphas))
    downhill = (r * free) @ slope > 0
    return -jnp.where(downhill, r, slope) * free
