"""What a latent world model learns from: a bound on the likelihood, with free nats and overshooting.

PlaNet (Hafner et al. 2019, arXiv 1811.04551). Eq. 3, the evidence lower bound, is for every step the
log-likelihood of what was seen less KL(posterior || prior). Observations and rewards are normal with variance
1, so theirs are half squared errors. Latent overshooting (Eq. 7) adds divergences of priors that look several
steps ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from imaginax import distributions
from imaginax.models.latent import rssm
from imaginax.models.latent.config import ObjectiveConfig
from imaginax.models.latent.rssm import RSSM, Belief
from imaginax.types import Metrics, Params, Trajectory


class Networks(NamedTuple):
    """A latent state with what surrounds it.

    rssm: steps of the state
    part: params -> those of `rssm`
    inputs: (observations [*B ...], key) -> what the encoder sees and the decoder shall give
    embed: (params, inputs) -> what `rssm.correct` takes
    decode: (params, belief) -> inputs, or what the error compares with them
    reward: (params, belief) -> [*B]
    continuation: (params, belief) -> [*B]; logits of the episode's going on after this step
    actions: actions as replay stores them -> [*B A], as `rssm` takes them
    error: (decoded, inputs) [T B ...] -> [T B], the negative log-likelihood less its constant
    guess: (params, inputs [T B ...]) -> [T B F], the features of beliefs that an observation alone suggests;
        of a model that learns by contrast
    """

    rssm: RSSM
    part: Callable[[Params], PyTree]
    inputs: Callable[[Array, Array], Array]
    embed: Callable[[Params, Array], Array]
    decode: Callable[[Params, Belief], Array]
    reward: Callable[[Params, Belief], Array]
    continuation: Callable[[Params, Belief], Array] | None = None
    actions: Callable[[Array], Array] = lambda actions: actions
    error: Callable[[Array, Array], Array] = lambda decoded, inputs: half_square(decoded - inputs)
    guess: Callable[[Params, Array], Array] | None = None


def loss(
    networks: Networks, config: ObjectiveConfig, params: Params, data: Trajectory, key: Array
) -> tuple[Float[Array, ""], Metrics, Belief]:
    """The negative bound, averaged over steps; constants of the likelihoods are left out.

    Args:
        networks: what learns.
        config: weights.
        params: of the networks.
        data: [B T ...]; the action of each step led to its observation, and reward and discount came with it.
            Without beliefs an episode begins at every first step. With them, those stored by acting, the
            filter goes on from the belief of the first step and learns from the others.
        key: consumed.

    Returns:
        The loss; its parts; the posteriors [B T ...] of all steps that were learned from, with their
        gradients, from which imagination may start.
    """
    key_inputs, key_observe, key_overshoot = jax.random.split(key, 3)
    data, first, before = _begin(_swapped(data))
    inputs, actions = networks.inputs(data.observation, key_inputs), networks.actions(data.action)
    model, part = networks.rssm, networks.part(params)
    projected = networks.embed(params, inputs)
    priors, posteriors = rssm.observe(model, part, projected, actions, first, key_observe, before)
    blind = config.observation != "reconstruction"
    rewarded = posteriors if config.reward_gradient else jax.lax.stop_gradient(posteriors)
    decoded = networks.decode(params, jax.lax.stop_gradient(posteriors) if blind else posteriors)
    terms = {
        "observation_loss": networks.error(decoded, inputs),
        "reward_loss": config.reward * half_square(networks.reward(params, rewarded) - data.reward),
    }
    if config.observation == "contrastive":
        assert networks.guess is not None
        terms["contrastive_loss"] = contrast(rssm.features(posteriors), networks.guess(params, inputs))
    terms |= balanced_divergence(posteriors, priors, config)
    if networks.continuation is not None:
        goes_on = distrax.Bernoulli(logits=networks.continuation(params, posteriors))
        terms["continuation_loss"] = -config.continuation * jnp.asarray(goes_on.log_prob(data.discount))
    if config.standard:
        terms["standard_loss"] = config.standard * distributions.kl(
            posteriors.stats, distributions.standard(posteriors.stats)
        )
    if config.overshooting:
        found = overshooting(model, part, posteriors, actions, first, key_overshoot, config)
        terms["overshooting_loss"] = config.overshooting * found
    metrics = {name: jnp.mean(term) for name, term in terms.items()}
    total = jnp.sum(jnp.stack(list(metrics.values())))
    metrics |= {"loss": total, "kl": jnp.mean(distributions.kl(posteriors.stats, priors.stats))}
    return total, metrics, _swapped(posteriors)


def _begin(data: Trajectory) -> tuple[Trajectory, Bool[Array, "T B"], Belief | None]:
    """Steps [T B ...] to learn from, which of them begin an episode, and the beliefs before them."""
    if data.belief is None:
        return data, data.first.at[0].set(True), None
    before, data = jax.tree.map(lambda x: x[0], data.belief), jax.tree.map(lambda x: x[1:], data)
    return data, data.first, before


def contrast(features: Float[Array, "T B F"], guesses: Float[Array, "T B F"]) -> Float[Array, "T B"]:
    """Noise-contrastive estimation (Dreamer, arXiv 1912.01603, section 4): which observation led to a belief.

        -ln q(s_i | o_i) + ln sum_j q(s_i | o_j)

    with q(s | o) normal around what the observation suggests, with variance 1, and j over the whole batch.
    """
    rows, columns = (x.reshape(-1, x.shape[-1]) for x in (features, guesses))
    scores = rows @ columns.T - 0.5 * jnp.sum(columns**2, axis=-1)  # terms of the row alone cancel
    found = jax.nn.logsumexp(scores, axis=-1) - jnp.diagonal(scores)
    return found.reshape(features.shape[:2])


def balanced_divergence(posteriors: Belief, priors: Belief, config: ObjectiveConfig) -> Metrics:
    """Terms with the gradient of DreamerV2's KL balancing (arXiv 2010.02193, Algorithm 2).

        dynamics KL(sg[posterior] || prior) + representation KL(posterior || sg[prior])

    where sg stops gradients. What both weights share is one term without sg, so that (1, 1) is the bound
    itself; the rest of the larger weight is another term. The value is that of the larger weight alone.
    """

    def penalty(p: Belief, q: Belief) -> Array:
        if config.free_average:
            return jnp.maximum(jnp.mean(distributions.kl(p.stats, q.stats)), config.free_nats)
        return divergence(p, q, free_nats=config.free_nats)

    shared = min(config.dynamics, config.representation)
    terms = {"divergence_loss": shared * penalty(posteriors, priors)}
    if config.dynamics > shared:
        targets = jax.lax.stop_gradient(posteriors)
        terms["dynamics_loss"] = (config.dynamics - shared) * penalty(targets, priors)
    if config.representation > shared:
        targets = jax.lax.stop_gradient(priors)
        terms["representation_loss"] = (config.representation - shared) * penalty(posteriors, targets)
    return terms


def _swapped(tree: PyTree) -> PyTree:
    """[B T ...] of [T B ...], and the other way round."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), tree)


def half_square(error: Float[Array, "T B *F"]) -> Float[Array, "T B"]:
    """The negative log-likelihood of a normal distribution with variance 1, less its constant."""
    return 0.5 * jnp.sum(error**2, axis=tuple(range(2, error.ndim)))


def divergence(posteriors: Belief, priors: Belief, *, free_nats: float) -> Float[Array, "*B"]:
    """KL(posterior || prior) of every step, at least `free_nats`, below which it has no gradient."""
    return jnp.maximum(distributions.kl(posteriors.stats, priors.stats), free_nats)


def overshooting(
    model: RSSM,
    params: PyTree,
    posteriors: Belief,
    actions: Float[Array, "T B A"],
    first: Bool[Array, "T B"],
    key: Array,
    config: ObjectiveConfig,
) -> Float[Array, ""]:
    """Latent overshooting at distances d of 2 and more: sum_d sum_t KL(sg[q(s_t)] || p_d(s_t)) / (D T).

    That is Eq. 7 a step, as the bound is. Every posterior is a start, from which the model goes on with the
    actions that were taken and no more observations. No prediction crosses the beginning of an episode, so
    that the sum has fewer terms at larger distances. Distance 1 is `divergence`, which alone moves the
    posteriors.
    """
    targets = jax.lax.stop_gradient(posteriors)
    distance = min(config.distance, len(first) - 1)
    ahead = partial(jnp.roll, shift=-1, axis=0)  # what comes back at the end is masked

    def further(carry, given):
        belief, actions, first, targets, reached = carry
        key, number = given
        actions, first, targets = jax.tree.map(ahead, (actions, first, targets))
        belief = _all_rows(model, params, belief, actions, key)
        reached = reached & ~first & (jnp.arange(len(first))[:, None] + number < len(first))
        found = divergence(targets, belief, free_nats=config.free_nats)
        return (belief, actions, first, targets, reached), jnp.mean(jnp.where(reached, found, 0.0))

    if distance < 2:
        return jnp.zeros(())
    start = posteriors, actions, first, targets, jnp.ones(first.shape, bool)
    given = jax.random.split(key, distance), 1 + jnp.arange(distance)
    return jnp.sum(jax.lax.scan(further, start, given)[1][1:]) / distance


def _all_rows(
    model: RSSM, params: PyTree, belief: Belief, actions: Float[Array, "T B A"], key: Array
) -> Belief:
    """One step from all [T B ...] at once."""
    steps, batch = actions.shape[:2]
    rows = jax.tree.map(lambda x: x.reshape(steps * batch, *x.shape[2:]), (belief, actions))
    following = model.predict(params, *rows, key)
    return jax.tree.map(lambda x: x.reshape(steps, batch, *x.shape[1:]), following)
