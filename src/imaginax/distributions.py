"""Distributions of a latent variable, as arrays that scans can carry."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Gaussian(NamedTuple):
    """Independent normal numbers."""

    mean: Float[Array, "*B Z"]
    std: Float[Array, "*B Z"]


class Categorical(NamedTuple):
    """G independent choices among C classes each, as one-hot vectors (DreamerV2, arXiv 2010.02193)."""

    logits: Float[Array, "*B G C"]


Stats = Gaussian | Categorical


def sample(stats: Stats, key: Array) -> Float[Array, "*B Z"]:
    """One draw; gradients pass, those of a choice straight through to its probabilities."""
    if isinstance(stats, Gaussian):
        return stats.mean + stats.std * jax.random.normal(key, stats.mean.shape, stats.mean.dtype)
    return _straight_through(jax.random.categorical(key, stats.logits), stats.logits)


def mode(stats: Stats) -> Float[Array, "*B Z"]:
    """The most likely value; gradients pass as those of `sample` do."""
    if isinstance(stats, Gaussian):
        return stats.mean
    return _straight_through(jnp.argmax(stats.logits, axis=-1), stats.logits)


def kl(p: Stats, q: Stats) -> Float[Array, "*B"]:
    """KL(p || q) in nats, of all numbers or choices together.

    Raises:
        TypeError: for distributions of two kinds.
    """
    if isinstance(p, Gaussian) and isinstance(q, Gaussian):
        ratio, distance = p.std / q.std, (p.mean - q.mean) / q.std
        return jnp.sum(0.5 * (ratio**2 + distance**2 - 1) - jnp.log(ratio), axis=-1)
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        of_p, of_q = jax.nn.log_softmax(p.logits), jax.nn.log_softmax(q.logits)
        return jnp.sum(jnp.exp(of_p) * (of_p - of_q), axis=(-2, -1))
    raise TypeError(f"no divergence between {type(p).__name__} and {type(q).__name__}")


def standard(like: Stats) -> Stats:
    """What is known before anything is: normal with mean 0 and variance 1, or all classes alike."""
    if isinstance(like, Gaussian):
        return Gaussian(jnp.zeros_like(like.mean), jnp.ones_like(like.std))
    return Categorical(jnp.zeros_like(like.logits))


def _straight_through(chosen: Int[Array, "*B G"], logits: Float[Array, "*B G C"]) -> Float[Array, "*B Z"]:
    """One-hot vectors with the gradients of the probabilities (Bengio et al. 2013, arXiv 1308.3432)."""
    probabilities = jax.nn.softmax(logits)
    one_hot = jax.nn.one_hot(chosen, logits.shape[-1], dtype=logits.dtype)
    through = one_hot + (probabilities - jax.lax.stop_gradient(probabilities))
    return through.reshape(*logits.shape[:-2], -1)
