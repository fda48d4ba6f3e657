"""Choosing the hyperparameters of Gaussian processes by their marginal likelihood.

PILCO's objective (Deisenroth & Rasmussen 2011; UCL-SML/pilco-matlab, gp/hypCurb.m): minus the log marginal
likelihood, plus

    sum_f (log(l_f / std x_f) / log 100)^30 + (log(sf / sn) / log 1000)^30

for length-scales l, signal deviation sf and noise deviation sn, which is next to nothing until a
length-scale is a hundred times longer or shorter than the data spread, or the signal a thousand times larger
than the noise, and is a wall there. Every output is fitted from several starts, all at once, and keeps the
parameters of the best one.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from imaginax.models import gp_sparse
from imaginax.models.gp import Data, Hyperparameters, clean, in_use, log_likelihood
from imaginax.models.gp_sparse import Inducing
from imaginax.models.kernels import Kernel, Linear, make_kernel
from imaginax.models.lbfgs import Minimum, minimise
from imaginax.types import ConfigError

LONGEST = 100.0  # length-scale over the deviation of the input
LARGEST_RATIO = 1000.0  # of the signal's deviation to the noise's
POWER = 30
NOISE = 0.1  # of the target's deviation, at the start
MOST = 1_000_000


@dataclasses.dataclass(frozen=True)
class GPFitConfig:
    """How hyperparameters are chosen.

    Attributes:
        starts: of each output. The first is at the present values, the second at length-scales std(x),
            signal std(y) and noise std(y) / 10, and each further one is drawn around the second.
        spread: standard deviation of the logarithms of those that are drawn.
        steps: of L-BFGS from each start at most, each a likelihood with its gradient.
        tolerance: relative change of the objective at which a search ends.
        curb: whether PILCO's penalty is part of the objective.
        prior_std: of a log-normal prior on every parameter, around the second start; 0 for none.
    """

    starts: int = 2
    spread: float = 1.0
    steps: int = 100
    tolerance: float = 1e-6
    curb: bool = True
    prior_std: float = 0.0

    def __post_init__(self):
        for name in ("starts", "steps"):
            if not 1 <= getattr(self, name) <= MOST:
                raise ConfigError(f"fit.{name} must lie in [1, {MOST}], got {getattr(self, name)}")
        if not 0.0 <= self.tolerance < 1.0:
            raise ConfigError(f"fit.tolerance must lie in [0, 1), got {self.tolerance}")
        for name in ("spread", "prior_std"):
            if not 0.0 <= getattr(self, name) <= MOST:
                raise ConfigError(f"fit.{name} must lie in [0, {MOST}], got {getattr(self, name)}")


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
    """Of inputs and targets; 1 where there is no spread."""
    used = in_use(data)[:, None]
    count = jnp.maximum(used.sum(), 2).astype(data.inputs.dtype)

    def deviation(x: Array) -> Array:
        # Moments about the first row: a constant column spreads by exactly zero.
        shifted = jnp.where(used, x - x[0], 0.0)
        mean = shifted.sum(0) / count
        std = jnp.sqrt(jnp.sum(jnp.where(used, jnp.square(shifted - mean), 0.0), axis=0) / (count - 1.0))
        return jnp.where(std > 0.0, std, 1.0)

    data = clean(data)
    return Spread(deviation(data.inputs), deviation(data.targets))


def heuristic(kernel: Kernel, spread: Spread) -> Hyperparameters:
    """Length-scales std(x), signal std(y), noise std(y) / 10, for a kernel of the same terms as `kernel`."""
    outputs, features = len(spread.targets), len(spread.inputs)
    log_lengthscales = jnp.broadcast_to(jnp.log(spread.inputs), (outputs, features))
    log_variance = 2.0 * jnp.log(spread.targets)
    kernel = make_kernel(tuple(type(term) for term in kernel), log_lengthscales, log_variance)
    return Hyperparameters(kernel, log_variance + 2.0 * math.log(NOISE))


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
    spread = spread_of(data)
    centre = heuristic(present.kernel, spread)
    starts = _starts(present, centre, config, key)
    data = clean(data)

    search = jax.vmap(partial(_searches, data, spread.inputs, config), (1, 0, 1))
    return _best(present, search(starts, centre, data.targets))


def _searches(
    data: Data,
    spread: Float[Array, "F"],
    config: GPFitConfig,
    starts: Hyperparameters,
    centre: Hyperparameters,
    y: Float[Array, "N"],
) -> Minimum:
    """How the searches of one output end, [S ...]."""
    single = data._replace(targets=y[:, None])

    def objective(hyperparameters: Hyperparameters) -> Float[Array, ""]:
        one = jax.tree.map(lambda leaf: leaf[None], hyperparameters)
        value = -log_likelihood(one, single)[0]
        return value + penalty(hyperparameters, centre, spread, config)

    find = partial(minimise, objective, steps=config.steps, tolerance=config.tolerance)
    return jax.vmap(find)(starts)


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
        inducing: where every search starts, `gp_sparse.choose` for instance.
        data: of fixed capacity.
        config: of the searches.
        key: for the random starts.
        inputs_only: moves the inducing inputs alone, by one search, which is PILCO's second stage after a fit
            of the hyperparameters to an exact process.
    """
    spread = spread_of(data)
    centre = heuristic(present.kernel, spread)
    data = clean(data)

    def objective(point: tuple[Hyperparameters, Float[Array, "M F"]]) -> Float[Array, ""]:
        hyperparameters = present if inputs_only else point[0]
        value = -gp_sparse.log_likelihood(hyperparameters, inducing._replace(inputs=point[1]), data)
        walls = jax.vmap(penalty, (0, 0, None, None))(hyperparameters, centre, spread.inputs, config)
        return jnp.sum(value + walls)

    def search(start: Hyperparameters) -> Minimum:
        point = start, inducing.inputs
        return minimise(objective, point, steps=config.steps, tolerance=config.tolerance)

    starts = _starts(present, centre, dataclasses.replace(config, starts=1) if inputs_only else config, key)
    ends = jax.vmap(search)(starts)
    best = jnp.argmin(ends.value)
    sound = jnp.isfinite(ends.value[best])
    choose = lambda end, now: jnp.where(sound, end[best], now)  # noqa: E731
    hyperparameters, inputs = jax.tree.map(choose, ends.point, (present, inducing.inputs))
    return SparseFitted(hyperparameters, inducing._replace(inputs=inputs), ends.value[best], ends)
