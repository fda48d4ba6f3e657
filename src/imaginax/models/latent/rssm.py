"""The recurrent state-space model of PlaNet, and the two it was compared with.

Hafner et al. 2019 (arXiv 1811.04551, section 3), with h the deterministic and s the stochastic state:

    deterministic path   h_t = f(h_{t-1}, s_{t-1}, a_{t-1})
    prior                s_t ~ p(s_t | h_t)
    posterior            s_t ~ q(s_t | h_t, o_t)

`ssm` has no deterministic path; `gru` has no noise, since its state is the mean, as in the released code.
With `classes`, s consists of choices instead of numbers (DreamerV2, Hafner et al. 2021, arXiv 2010.02193),
and that of `gru` of the most likely ones.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from imaginax import distributions
from imaginax.distributions import Categorical, Gaussian, Stats
from imaginax.models.latent.config import RSSMConfig
from imaginax.networks.dense import Dense
from imaginax.networks.mlp import activation
from imaginax.networks.recurrent import GRU, LayerNormGRU
from imaginax.numerics.trees import select


class Belief(NamedTuple):
    """The state of the model.

    Attributes:
        deterministic: h; of no width in an SSM.
        stochastic: s, drawn from `stats`.
        stats: its distribution.
    """

    deterministic: Float[Array, "*B D"]
    stochastic: Float[Array, "*B Z"]
    stats: Stats


class RSSM(NamedTuple):
    """The model as pure functions.

    init:    key -> params
    start:   number of beliefs -> those before anything was seen, [B, ...]
    project: (params, embedded observations [*B, E]) -> [*B, hidden]; what `correct` needs of them
    predict: (params, belief, action [B, A], key) -> belief; the prior of the next step
    correct: (params, belief, projected, key) -> belief; the posterior, given the prior's belief
    """

    init: Any
    start: Any
    project: Any
    predict: Any
    correct: Any


class Cell(nn.Module):
    """One step of the model; the methods are those of `RSSM`.

    Attributes:
        config: sizes.
        dtype: of the products; weights, the state and its distribution are float32.
    """

    config: RSSMConfig
    dtype: Any = jnp.float32

    def setup(self):
        config = self.config
        outputs = config.stochastic * (config.classes or 2)
        dense = partial(Dense, dtype=self.dtype)
        self.activate = activation(config.activation)
        self.before = dense(config.hidden)
        if config.kind != "ssm":
            cell = {"gru": GRU, "layer_norm_gru": LayerNormGRU}[config.cell]
            self.cell = cell(config.deterministic, dtype=self.dtype)
            self.prior_hidden = dense(config.hidden)
        self.prior = dense(outputs)
        # One layer of two inputs. That for the observation needs no belief: outside of a scan over time it
        # is one large product.
        self.posterior_observation = dense(config.hidden, use_bias=False)
        self.posterior_belief = dense(config.hidden)
        self.posterior = dense(outputs)

    def project(self, embedding: Float[Array, "*B E"]) -> Float[Array, "*B U"]:
        """The observation's part of the posterior's hidden layer."""
        return self.posterior_observation(embedding)

    def predict(self, belief: Belief, action: Float[Array, "*B A"], key: Array) -> Belief:
        """The prior of the next step."""
        x = self.activate(self.before(jnp.concatenate([belief.stochastic, action], axis=-1)))
        h = belief.deterministic
        if self.config.kind != "ssm":
            h = self.cell(h, x)
            x = self.activate(self.prior_hidden(h))
        return self._drawn(h, self.prior(x), key)

    def correct(self, belief: Belief, projected: Float[Array, "*B U"], key: Array) -> Belief:
        """The posterior of this step."""
        h = belief.deterministic
        known = _numbers(belief.stats) if self.config.kind == "ssm" else h
        x = self.activate(self.posterior_belief(known) + projected)
        return self._drawn(h, self.posterior(x), key)

    def _drawn(self, h: Array, outputs: Array, key: Array) -> Belief:
        stats = stats_of(self.config, outputs)
        s = distributions.mode(stats) if self.config.kind == "gru" else distributions.sample(stats, key)
        return Belief(h, s, stats)

    def all(self, belief: Belief, action: Array, embedding: Array, key: Array) -> Belief:
        """Every layer once, for initialisation."""
        return self.correct(self.predict(belief, action, key), self.project(embedding), key)


def stats_of(config: RSSMConfig, outputs: Float[Array, "*B O"]) -> Stats:
    """The distribution that the outputs of a layer stand for."""
    if config.classes:
        logits = outputs.reshape(*outputs.shape[:-1], config.stochastic, config.classes)
        return Categorical(distributions.mixed_with_uniform(logits, config.unimix))
    mean, std = jnp.split(outputs, 2, axis=-1)
    return Gaussian(mean, nn.softplus(std) + config.min_std)


def _numbers(stats: Stats) -> Float[Array, "*B O"]:
    if isinstance(stats, Categorical):
        return stats.logits.reshape(*stats.logits.shape[:-2], -1)
    return jnp.concatenate(stats, axis=-1)


def make_rssm(config: RSSMConfig, *, embedding: int, actions: int, dtype: Any = jnp.float32) -> RSSM:
    """The model for observations embedded in `embedding` numbers and actions of `actions` numbers."""
    cell = Cell(config, dtype)

    def start(batch: int) -> Belief:
        width = 0 if config.kind == "ssm" else config.deterministic
        zeros = jnp.zeros((batch, config.stochastic * (config.classes or 2)))
        stats = stats_of(config, zeros)
        s = jnp.zeros((batch, config.stochastic * (config.classes or 1)))
        return Belief(jnp.zeros((batch, width)), s, stats)

    def init(key: Array) -> PyTree:
        example = start(1), jnp.zeros((1, actions)), jnp.zeros((1, embedding)), key
        return cell.init(key, *example, method=Cell.all)["params"]

    def called(method: Any) -> Any:
        return lambda params, *given: cell.apply({"params": params}, *given, method=method)

    return RSSM(init, start, called(Cell.project), called(Cell.predict), called(Cell.correct))


def features(belief: Belief) -> Float[Array, "*B F"]:
    """What decoders see of a belief."""
    return jnp.concatenate([belief.stochastic, belief.deterministic], axis=-1)


# ------------------------------------------------------------------ over time


def observe(
    rssm: RSSM,
    params: PyTree,
    projected: Float[Array, "T B U"],
    actions: Float[Array, "T B A"],
    first: Bool[Array, "T B"],
    key: Array,
    before: Belief | None = None,
) -> tuple[Belief, Belief]:
    """Filters sequences, and starts anew wherever an episode begins.

    Args:
        rssm: the model.
        params: its parameters.
        projected: `project` of the embedded observations.
        actions: that led to each of them; without meaning at an episode's first.
        first: whether an episode begins there.
        key: consumed.
        before: beliefs [B ...] before the first step; nothing was seen by default.

    Returns:
        The beliefs [T B ...] before each observation, priors, and after it, posteriors.
    """
    start = rssm.start(actions.shape[1])

    def step(
        belief: Belief, given: tuple[Array, Array, Array, Array]
    ) -> tuple[Belief, tuple[Belief, Belief]]:
        projected, action, first, key = given
        belief, action = select(first, (start, jnp.zeros_like(action)), (belief, action))
        key_prior, key_posterior = jax.random.split(key)
        prior = rssm.predict(params, belief, action, key_prior)
        posterior = rssm.correct(params, prior, projected, key_posterior)
        return posterior, (prior, posterior)

    given = projected, actions, first, jax.random.split(key, len(actions))
    return jax.lax.scan(step, start if before is None else before, given)[1]
