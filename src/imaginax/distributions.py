"""Distributions of latents, actions and outcomes: distrax, and what it lacks.

Scans and replay carry parameters, `Gaussian` and `Categorical`, since distribution objects do not pass
through `jax.lax.scan`; `distribution` makes the object of them. Own are a tanh-normal with a mode, the
truncated normal, one-hot vectors with straight-through gradients, and two-hot numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jax.scipy.stats import norm
from jaxtyping import Array, Float


class Gaussian(NamedTuple):
    """Independent normal numbers."""

    mean: Float[Array, "*B Z"]
    std: Float[Array, "*B Z"]


class Categorical(NamedTuple):
    """G independent choices among C classes each, as one-hot vectors (DreamerV2, arXiv 2010.02193)."""

    logits: Float[Array, "*B G C"]


Stats = Gaussian | Categorical


# ----------------------------------------------------------------- latents


def distribution(stats: Stats) -> distrax.Distribution:
    """Of vectors [*B Z] for numbers, of one-hot vectors [*B G C] for choices."""
    if isinstance(stats, Gaussian):
        return distrax.MultivariateNormalDiag(stats.mean, stats.std)
    return distrax.Independent(StraightThroughOneHot(stats.logits), 1)


def sample(stats: Stats, key: Array) -> Float[Array, "*B Z"]:
    """One draw, choices side by side; gradients pass, those of a choice straight through."""
    return _flat(stats, distribution(stats).sample(seed=key))


def mode(stats: Stats) -> Float[Array, "*B Z"]:
    """The most likely value; gradients pass as those of `sample` do."""
    return _flat(stats, distribution(stats).mode())


def kl(p: Stats, q: Stats) -> Float[Array, "*B"]:
    """KL(p || q) in nats, of all numbers or choices together.

    Raises:
        TypeError: for distributions of two kinds.
    """
    if type(p) is not type(q):
        raise TypeError(f"no divergence between {type(p).__name__} and {type(q).__name__}")
    return jnp.asarray(distribution(p).kl_divergence(distribution(q)))


def standard(like: Stats) -> Stats:
    """The standard normal prior, or the uniform one over classes."""
    if isinstance(like, Gaussian):
        return Gaussian(jnp.zeros_like(like.mean), jnp.ones_like(like.std))
    return Categorical(jnp.zeros_like(like.logits))


def _flat(stats: Stats, value: Array) -> Array:
    if isinstance(stats, Gaussian):
        return value
    return value.reshape(*stats.logits.shape[:-2], -1)


def mixed_with_uniform(logits: Float[Array, "*B C"], share: float) -> Float[Array, "*B C"]:
    """Logits of (1 - share) softmax(logits) + share / C; no class is then impossible (DreamerV3's unimix)."""
    if not share:
        return logits
    return jnp.log((1 - share) * jax.nn.softmax(logits) + share / logits.shape[-1])


class StraightThroughOneHot(distrax.OneHotCategorical):
    """One-hot vectors whose gradient is that of their probabilities (Bengio et al. 2013, arXiv 1308.3432).

    Latents of DreamerV2 (arXiv 2010.02193, Algorithm 1) and discrete actions of Dreamer. `log_prob` and the
    divergence are distrax's.
    """

    def __init__(self, logits: Float[Array, "*B C"]):
        super().__init__(logits=logits, dtype=logits.dtype)

    def _sample_n(self, key: Array, n: int) -> Array:
        return self._through(super()._sample_n(key, n))

    def mode(self) -> Array:
        """The most likely class, with the same gradient."""
        return self._through(super().mode())

    def _through(self, one_hot: Any) -> Array:
        probabilities = jnp.asarray(self.probs)
        return one_hot + (probabilities - jax.lax.stop_gradient(probabilities))


# ----------------------------------------------------------------- actions


class TanhNormal(distrax.Transformed):
    """Vectors tanh(x) of independent normal x: Dreamer's actor (arXiv 1912.01603, section 3).

    Mode and entropy have no closed form; they come from samples with noise that is always the same, so that
    both are functions of the parameters.

    Attributes:
        samples: draws of `mode` and `entropy`; Dreamer's released agent takes 100.
    """

    def __init__(self, mean: Float[Array, "*B A"], std: Float[Array, "*B A"], samples: int = 100):
        super().__init__(distrax.MultivariateNormalDiag(mean, std), distrax.Block(distrax.Tanh(), 1))
        self.samples = samples

    def mode(self) -> Array:
        """The most likely of the samples."""
        draws, densities = self._draws()
        best = jnp.argmax(densities, axis=0)[None, ..., None]
        return jnp.take_along_axis(draws, best, axis=0)[0]

    def entropy(self) -> Array:
        """Minus the samples' mean log density, with its gradient."""
        return -jnp.mean(self._draws()[1], axis=0)

    def log_prob(self, value: Array) -> Array:
        """As distrax, except that the bounds -1 and 1 count as the nearest numbers within."""
        inside = 1 - jnp.finfo(value.dtype).epsneg
        return jnp.asarray(super().log_prob(jnp.clip(value, -inside, inside)))

    def _draws(self) -> tuple[Array, Array]:
        draws = self.sample_and_log_prob(seed=jax.random.key(0), sample_shape=(self.samples,))
        return jnp.asarray(draws[0]), jnp.asarray(draws[1])


class TruncatedNormal(distrax.Distribution):
    """Vectors of independent normal numbers within bounds: DreamerV2's actor for control (arXiv 2010.02193).

    With a, b = (low - mean) / std, (high - mean) / std and Z = Phi(b) - Phi(a):

        log p(x) = log phi((x - mean) / std) - log std - log Z
        entropy  = log(sqrt(2 pi e) std Z) + (a phi(a) - b phi(b)) / (2 Z)

    Draws are differentiable in `mean` and `std`, by the inverse of the distribution function.
    """

    def __init__(
        self, mean: Float[Array, "*B A"], std: Float[Array, "*B A"], low: float = -1.0, high: float = 1.0
    ):
        super().__init__()
        self._mean, self._std, self._low, self._high = mean, jnp.broadcast_to(std, mean.shape), low, high
        self._a, self._b = (low - mean) / std, (high - mean) / std
        self._mass = ndtr(self._b) - ndtr(self._a)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._mean.shape[-1:]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self._mean.shape[:-1]

    def _sample_n(self, key: Array, n: int) -> Array:
        # Not jax.random.truncated_normal, whose draws lose derivatives in the bounds in jax 0.10.
        share = jax.random.uniform(key, (n, *self._mean.shape), self._mean.dtype)
        limits = jnp.finfo(self._mean.dtype)
        probability = jnp.clip(ndtr(self._a) + share * self._mass, limits.tiny, 1 - limits.epsneg)
        return jnp.clip(self._mean + self._std * ndtri(probability), self._low, self._high)

    def log_prob(self, value: Array) -> Array:
        """Minus infinity outside of the bounds."""
        inside = (value >= self._low) & (value <= self._high)
        density = norm.logpdf(value, self._mean, self._std) - jnp.log(self._mass)
        return jnp.sum(jnp.where(inside, density, -jnp.inf), axis=-1)

    def entropy(self) -> Array:
        """In closed form."""
        scale = 0.5 * jnp.log(2 * jnp.pi * jnp.e) + jnp.log(self._std) + jnp.log(self._mass)
        edges = self._a * norm.pdf(self._a) - self._b * norm.pdf(self._b)
        return jnp.sum(scale + edges / (2 * self._mass), axis=-1)

    def mean(self) -> Array:
        """mean + std (phi(a) - phi(b)) / Z."""
        return self._mean + self._std * (norm.pdf(self._a) - norm.pdf(self._b)) / self._mass

    def mode(self) -> Array:
        """The mean of the normal distribution, or the nearest bound."""
        return jnp.clip(self._mean, self._low, self._high)


# ---------------------------------------------------------------- outcomes


def symlog(x: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """sign(x) log(1 + |x|) (DreamerV3, Hafner et al. 2023, arXiv 2301.04104)."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


def symexp(x: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """sign(x) (exp(|x|) - 1), the inverse of `symlog`."""
    return jnp.sign(x) * jnp.expm1(jnp.abs(x))


def symexp_support(bins: int = 255, largest: float = 20.0) -> Float[np.ndarray, "C"]:
    """Numbers that are evenly spaced under `symlog`, symmetric around 0 to the last bit.

    Args:
        bins: C, an odd number.
        largest: `symlog` of the largest.
    """
    half = np.expm1(np.linspace(0.0, largest, bins // 2 + 1)).astype(np.float32)
    return np.concatenate([-half[:0:-1], half])


def two_hot(x: Float[Array, "*B"], support: Float[Any, "C"]) -> Float[Array, "*B C"]:
    """Weights of the two neighbours on the support whose weighted mean is x; x beyond the ends is clipped.

    Args:
        x: numbers.
        support: ascending.
    """
    support = jnp.asarray(support)
    x = jnp.clip(x, support[0], support[-1])
    above = jnp.clip(jnp.searchsorted(support, x, side="right"), 1, len(support) - 1)
    low, high = support[above - 1], support[above]
    weight = ((x - low) / (high - low))[..., None]
    one_hot = lambda index: jax.nn.one_hot(index, len(support), dtype=support.dtype)  # noqa: E731
    return (1 - weight) * one_hot(above - 1) + weight * one_hot(above)


class TwoHot(distrax.Distribution):
    """Numbers that are learned as a distribution over a fixed support (DreamerV3, arXiv 2301.04104).

    `log_prob` is minus the cross-entropy to the two-hot weights of a number. `mean` adds the two halves of a
    symmetric support in pairs, so that equal logits give exactly 0.
    """

    def __init__(self, logits: Float[Array, "*B C"], support: Float[Any, "C"]):
        super().__init__()
        self._logits, self._support = logits, jnp.asarray(support, logits.dtype)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self._logits.shape[:-1]

    def _sample_n(self, key: Array, n: int) -> Array:
        drawn = jax.random.categorical(key, self._logits, shape=(n, *self._logits.shape[:-1]))
        return self._support[drawn]

    def log_prob(self, value: Array) -> Array:
        """sum_c w_c log softmax(logits)_c."""
        weights = jax.lax.stop_gradient(two_hot(value, self._support))
        return jnp.sum(weights * jax.nn.log_softmax(self._logits), axis=-1)

    def mean(self) -> Array:
        """sum_c softmax(logits)_c support_c."""
        parts = jax.nn.softmax(self._logits) * self._support
        half = parts.shape[-1] // 2
        pairs = parts[..., :half] + parts[..., : -half - 1 : -1]
        return jnp.sum(pairs, axis=-1) + jnp.sum(parts[..., half : parts.shape[-1] - half], axis=-1)

    def mode(self) -> Array:
        """The mean: what is predicted."""
        return self.mean()


def mixture_density(
    logits: Float[Array, "*B Z K"],
    mean: Float[Array, "*B Z K"],
    std: Float[Array, "*B Z K"],
    temperature: float = 1.0,
) -> distrax.Distribution:
    """Z independent mixtures of K normal densities each: the MDN-RNN of World Models (arXiv 1803.10122).

    Args:
        logits: of the components.
        mean: of each.
        std: of each.
        temperature: tau divides the logits and multiplies the variances; above 1 dreams are less certain.
    """
    components = distrax.Normal(mean, std * temperature**0.5)
    mixture = distrax.MixtureSameFamily(distrax.Categorical(logits / temperature), components)
    return distrax.Independent(mixture, 1)
