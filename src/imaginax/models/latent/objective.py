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
    decode: (params, belief) -> inputs
    reward: (params, belief) -> [*B]
    """

    rssm: RSSM
    part: Callable[[Params], PyTree]
    inputs: Callable[[Array, Array], Array]
    embed: Callable[[Params, Array], Array]
    decode: Callable[[Params, Belief], Array]
    reward: Callable[[Params, Belief], Array]


def loss(
    networks: Networks, config: ObjectiveConfig, params: Params, data: Trajectory, key: Array
) -> tuple[Float[Array, ""], Metrics, Belief]:
    """The negative bound, averaged over steps; constants of the likelihoods are left out.

    Args:
        networks: what learns.
        config: weights.
        params: of the networks.
        data: [B T ...]; the action of each step led to its observation, and the reward came with it.
        key: consumed.

    Returns:
        The loss; its parts; the posteriors [B T ...] of all steps, with their gradients, from which
        imagination may start.
    """
    key_inputs, key_observe, key_overshoot = jax.random.split(key, 3)
    data = _swapped(data)
    first = data.first.at[0].set(True)
    inputs = networks.inputs(data.observation, key_inputs)
    model, part = networks.rssm, networks.part(params)
    projected = networks.embed(params, inputs)
    priors, posteriors = rssm.observe(model, part, projected, data.action, first, key_observe)
    terms = {
        "observation_loss": half_square(networks.decode(params, posteriors) - inputs),
        "reward_loss": config.reward * half_square(networks.reward(params, posteriors) - data.reward),
        "divergence_loss": config.divergence * divergence(posteriors, priors, free_nats=config.free_nats),
    }
    if config.prior:
        targets = jax.lax.stop_gradient(posteriors)
        terms["prior_loss"] = config.prior * divergence(targets, priors, free_nats=config.free_nats)
    if config.standard:
        terms["standard_loss"] = config.standard * distributions.kl(
            posteriors.stats, distributions.standard(posteriors.stats)
        )
    if config.overshooting:
        found = overshooting(model, part, posteriors, data.action, first, key_overshoot, config)
        terms["overshooting_loss"] = config.overshooting * found
    metrics = {name: jnp.mean(term) for name, term in terms.items()}
    total = jnp.sum(jnp.stack(list(metrics.values())))
    metrics |= {"loss": total, "kl": jnp.mean(distributions.kl(posteriors.stats, priors.stats))}
    return total, metrics, _swapped(posteriors)


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
