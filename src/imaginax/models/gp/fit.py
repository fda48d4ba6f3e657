"""Choosing the hyperparameters of Gaussian processes by their marginal likelihood.

PILCO's objective (Deisenroth & Rasmussen 2011; UCL-SML/pilco-matlab, gp/hypCurb.m): minus the log marginal
likelihood, plus

    sum_f (log(l_f / std x_f) / log 100)^30 + (log(sf / sn) / log 1000)^30

for length-scales l, signal deviation sf and noise deviation sn, which is next to nothing until a
length-scale is a hundred times longer or shorter than the data spread, or the signal a thousand times larger
than the noise, and is a wall there. Every output is fitted from several starts, all at once, and keeps the
parameters of the best one.

Targets that are all zero have a likelihood without a bound, as signal and noise vanish. Both variances
therefore have a floor, eps mean(y^2) with eps the rounding error: the search moves what they have above it.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from imaginax.models.gp import sparse
from imaginax.models.gp.config import GPFitConfig
from imaginax.models.gp.exact import Data, Hyperparameters, clean, output_log_likelihood
from imaginax.models.gp.kernels import Kernel, Linear, Term, make_kernel
from imaginax.models.gp.sparse import Inducing
from imaginax.numerics.lbfgs import Minimum, minimise

LONGEST = 100.0  # length-scale over the deviation of the input
LARGEST_RATIO = 1000.0  # of the signal's deviation to the noise's
POWER = 30
NOISE = 0.1  # of the target's deviation, at the start


class Fitted(NamedTuple):
    """The chosen hyperparameters.

    Attributes:
        hyperparameters: of the best start of each output; the present ones where none gave a number.
        objective: what was minimised, there.
        start: the best start.
        starts: how each search ended.
    """

    hyperparameters: Hyperparameters
    objective: Float[Array, "E"]
    start: Int[Array, "E"]
    starts: Minimum


class Spread(NamedTuple):
    """Standard deviations of the data in use."""

    inputs: Float[Array, "F"]
    targets: Float[Array, "E"]


def spread_of(data: Data) -> Spread:
    """Of inputs and targets. What does not change has 1 as an input, and its size as a target."""
    data = clean(data)
    inputs, targets = _deviation(data.inputs, data.count), _deviation(data.targets, data.count)
    return Spread(jnp.where(inputs > 0.0, inputs, 1.0), jnp.where(targets > 0.0, targets, sizes(data)))


def sizes(data: Data) -> Float[Array, "E"]:
    """Root mean square of each target; 1 where all are zero."""
    data = clean(data)
    size = _root_mean_square(data.targets, data.count)
    return jnp.where(size > 0.0, size, 1.0)


def _deviation(x: Float[Array, "N F"], count: Int[Array, ""] | int) -> Float[Array, "F"]:
    """Standard deviation of each column, of which `count` rows are in use; 0 if rounding explains it."""
    used = (jnp.arange(len(x)) < count)[:, None]
    # Moments about the first row: a constant column spreads by exactly zero.
    shifted = jnp.where(used, x - x[0], 0.0)
    centred = jnp.where(used, shifted - shifted.sum(0) / jnp.maximum(count, 1), 0.0)
    std = _root_mean_square(centred, jnp.maximum(count, 2) - 1)
    return jnp.where(std > 10.0 * jnp.finfo(x.dtype).eps * _root_mean_square(x, count), std, 0.0)


def _root_mean_square(x: Float[Array, "N F"], count: Int[Array, ""] | int) -> Float[Array, "F"]:
    """Of each column, by its largest number, so that squares neither overflow nor vanish."""
    largest = jnp.max(jnp.abs(x), axis=0)
    scaled = x / jnp.where(largest > 0.0, largest, 1.0)
    return largest * jnp.sqrt(jnp.sum(jnp.square(scaled), axis=0) / jnp.maximum(count, 1))


def heuristic(kernel: Kernel, spread: Spread) -> Hyperparameters:
    """Length-scales std(x), signal std(y), noise std(y) / 10, for a kernel of the same terms as `kernel`."""
    outputs, features = len(spread.targets), len(spread.inputs)
    log_lengthscales = jnp.broadcast_to(jnp.log(spread.inputs), (outputs, features))
    log_variance = 2.0 * jnp.log(spread.targets)
    kernel = make_kernel(tuple(type(term) for term in kernel), log_lengthscales, log_variance)
    return Hyperparameters(kernel, log_variance + 2.0 * math.log(NOISE))


def floored(hyperparameters: Hyperparameters, size: Float[Array, "*E"]) -> Hyperparameters:
    """With a floor, eps size^2, added to the variances of the noise and of each term that has one."""
    floor = 2.0 * jnp.log(size) + math.log(jnp.finfo(size.dtype).eps)

    def raised(term: Term) -> Term:
        if isinstance(term, Linear):
            return term
        return term._replace(log_variance=jnp.logaddexp(term.log_variance, floor))

    kernel = tuple(raised(term) for term in hyperparameters.kernel)
    return Hyperparameters(kernel, jnp.logaddexp(hyperparameters.log_noise, floor))


def curb(hyperparameters: Hyperparameters, spread: Float[Array, "F"]) -> Float[Array, ""]:
    """PILCO's penalty of one output; linear terms are free."""
    total = jnp.zeros((), spread.dtype)
    for term in hyperparameters.kernel:
        if isinstance(term, Linear):
            continue
        lengths = (term.log_lengthscales - jnp.log(spread)) / math.log(LONGEST)
        ratio = 0.5 * (term.log_variance - hyperparameters.log_noise) / math.log(LARGEST_RATIO)
        total = total + jnp.sum(lengths**POWER) + ratio**POWER
    return total


def fit_hyperparameters(present: Hyperparameters, data: Data, config: GPFitConfig, key: Array) -> Fitted:
    """The best of several searches, for every output.

    Args:
        present: where the first search starts, and what kernel it is.
        data: of fixed capacity; the number of rows in use is traced.
        config: of the search.
        key: for the random starts.
    """
    data = clean(data)
    spread, size = spread_of(data), sizes(data)
    centre = heuristic(present.kernel, spread)
    starts = floored(_starts(present, centre, config, key), size)
    search = jax.vmap(partial(_searches, data, spread.inputs, config), (1, 0, 1, 0))
    return _best(present, search(starts, centre, data.targets, size))


def _searches(
    data: Data,
    spread: Float[Array, "F"],
    config: GPFitConfig,
    starts: Hyperparameters,
    centre: Hyperparameters,
    y: Float[Array, "N"],
    size: Float[Array, ""],
) -> Minimum:
    """How the searches of one output end, [S ...]."""

    def objective(above: Hyperparameters) -> Float[Array, ""]:
        hyperparameters = floored(above, size)
        value = -output_log_likelihood(hyperparameters, data, y)
        return value + penalty(hyperparameters, centre, spread, config)

    find = partial(minimise, objective, steps=config.steps, tolerance=config.tolerance)
    found = jax.vmap(find)(starts)
    return found._replace(point=floored(found.point, size))


def penalty(
    hyperparameters: Hyperparameters, centre: Hyperparameters, spread: Float[Array, "F"], config: GPFitConfig
) -> Float[Array, ""]:
    """What the objective of one output has besides the likelihood."""
    total = curb(hyperparameters, spread) if config.curb else jnp.zeros((), spread.dtype)
    if config.prior_std:
        away = jax.tree.map(lambda a, b: jnp.sum(jnp.square(a - b)), hyperparameters, centre)
        total = total + 0.5 * sum(jax.tree.leaves(away)) / config.prior_std**2
    return total


def _starts(
    present: Hyperparameters, centre: Hyperparameters, config: GPFitConfig, key: Array
) -> Hyperparameters:
    """Starts [S E ...]: the present values, the heuristic ones, and some drawn around these."""
    leaves, structure = jax.tree.flatten(centre)
    drawn = max(config.starts - 2, 0)
    around = [
        leaf + config.spread * jax.random.normal(k, (drawn, *leaf.shape), leaf.dtype)
        for leaf, k in zip(leaves, jax.random.split(key, len(leaves)), strict=True)
    ]
    join = lambda now, first, others: jnp.concatenate([now[None], first[None], others])  # noqa: E731
    starts = jax.tree.map(join, present, centre, jax.tree.unflatten(structure, around))
    return jax.tree.map(lambda leaf: leaf[: config.starts], starts)


def _best(present: Hyperparameters, ends: Minimum) -> Fitted:
    """The best start of each output, all its parameters together; `ends` is [E S ...]."""
    best = jnp.argmin(ends.value, axis=1)
    outputs = jnp.arange(len(best))
    objective = ends.value[outputs, best]
    sound = jnp.isfinite(objective)

    def choose(end: Array, now: Array) -> Array:
        return jnp.where(sound.reshape(-1, *(1,) * (now.ndim - 1)), end[outputs, best], now)

    return Fitted(jax.tree.map(choose, ends.point, present), objective, best, ends)


# ------------------------------------------------------------------ sparse


class SparseFitted(NamedTuple):
    """Hyperparameters and inducing inputs that were chosen together.

    Attributes:
        hyperparameters: of the best start.
        inducing: of the same start.
        objective: what was minimised, there.
        starts: how each search ended.
    """

    hyperparameters: Hyperparameters
    inducing: Inducing
    objective: Float[Array, ""]
    starts: Minimum


def fit_sparse(
    present: Hyperparameters,
    inducing: Inducing,
    data: Data,
    config: GPFitConfig,
    key: Array,
    *,
    inputs_only: bool = False,
) -> SparseFitted:
    """Maximises FITC's marginal likelihood, summed over the outputs which share the inducing inputs.

    Args:
        present: where the first search starts; the others start as those of `fit_hyperparameters`.
        inducing: where every search starts, `sparse.choose` for instance.
        data: of fixed capacity.
        config: of the searches.
        key: for the random starts.
        inputs_only: moves the inducing inputs alone, by one search, which is PILCO's second stage after a fit
            of the hyperparameters to an exact process.
    """
    data = clean(data)
    spread, size = spread_of(data), sizes(data)
    centre = heuristic(present.kernel, spread)

    def objective(point: tuple[Hyperparameters, Float[Array, "M F"]]) -> Float[Array, ""]:
        hyperparameters = present if inputs_only else floored(point[0], size)
        value = -sparse.log_likelihood(hyperparameters, inducing._replace(inputs=point[1]), data)
        walls = jax.vmap(penalty, (0, 0, None, None))(hyperparameters, centre, spread.inputs, config)
        return jnp.sum(value + walls)

    def search(start: Hyperparameters) -> Minimum:
        point = start, inducing.inputs
        return minimise(objective, point, steps=config.steps, tolerance=config.tolerance)

    starts = _starts(present, centre, dataclasses.replace(config, starts=1) if inputs_only else config, key)
    ends = jax.vmap(search)(starts if inputs_only else floored(starts, size))
    best = jnp.argmin(ends.value)
    sound = jnp.isfinite(ends.value[best])
    choose = lambda end, now: jnp.where(sound, end[best], now)  # noqa: E731
    hyperparameters, inputs = jax.tree.map(choose, ends.point, (present, inducing.inputs))
    if not inputs_only:
        hyperparameters = floored(hyperparameters, size)
    return SparseFitted(hyperparameters, inducing._replace(inputs=inputs), ends.value[best], ends)
