"""An actor and a critic that learn in the imagination of a world model (Dreamer, DreamerV2).

From every belief s_0 that the model inferred, the actor acts in the model for H steps:

    s_0 --a_0--> s_1 --a_1--> ... --a_{H-1}--> s_H

A state carries the reward and the discount that came with it, as in both papers, so that

    R_t = r_t + d_t ((1 - lambda) v(s_{t+1}) + lambda R_{t+1})

includes the reward of s_t itself. Action a_t decides about R_{t+1}. A loss at time t is weighted by how
likely s_t is reached, the product of the discounts of earlier states; the actor's also by how likely s_t is
not the last state, since nothing is chosen there (the code released with DreamerV2 leaves that factor out).

    actor   maximises  dynamics   R_{t+1}, differentiated through model and actions   (Dreamer, Eq. 7)
                       reinforce  log p(a_t | s_t) (R_{t+1} - v(s_t)), R and v constant
                       mixture    of both, and the entropy of p(. | s_t)              (DreamerV2, Eq. 6)
    critic  minimises  (v(s_t) - R_t)^2 / 2, R constant                              (Dreamer, Eq. 8)

The actor's loss moves the actor alone, the critic's the critic alone. Of s_0 reward and end are those that
were seen; those of later states are predicted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.learning.learner import Learner, gradient_step, init_learner
from imaginax.models.imagination import Imagined, imagine
from imaginax.objectives.returns import lambda_returns, reaching
from imaginax.policies.actor import Actor
from imaginax.types import Belief, Metrics, Params, WorldModel


class Critic(NamedTuple):
    """The value of beliefs.

    init:  key -> params
    value: (params, belief [*B ...]) -> [*B]
    """

    init: Callable[[Array], Params]
    value: Callable[[Params, Belief], Float[Array, "*B"]]


class Behaviour(NamedTuple):
    """What learning carries.

    Attributes:
        actor: parameters and optimiser of the actor.
        critic: those of the critic.
        target: parameters of the critic that values are computed with in returns.
    """

    actor: Learner
    critic: Learner
    target: Params


class Starts(NamedTuple):
    """Where imagination begins: N beliefs, and the reward and the discount that came with each."""

    beliefs: Belief
    reward: Float[Array, "N"]
    discount: Float[Array, "N"]


class Targets(NamedTuple):
    """What the critic learns from, at the first H states of each roll-out.

    Attributes:
        beliefs: the states.
        returns: R_t.
        weights: how likely each is reached.
    """

    beliefs: Belief
    returns: Float[Array, "H N"]
    weights: Float[Array, "H N"]


class ActorCritic(NamedTuple):
    """Functions that learn behaviours.

    init:   key -> Behaviour
    update: (Behaviour, params of the world model, Starts, key) -> (Behaviour, metrics)
    """

    init: Callable[[Array], Behaviour]
    update: Callable[[Behaviour, Params, Starts, Array], tuple[Behaviour, Metrics]]


def make_actor_critic(
    model: WorldModel,
    actor: Actor,
    critic: Critic,
    config: ActorCriticConfig,
    *,
    actor_optimiser: AdamConfig,
    critic_optimiser: AdamConfig,
) -> ActorCritic:
    """The functions for one world model."""
    actor_adam, critic_adam = adam(actor_optimiser), adam(critic_optimiser)

    def init(key: Array) -> Behaviour:
        key_actor, key_critic = jax.random.split(key)
        value = critic.init(key_critic)
        learner = init_learner(value, critic_adam)
        return Behaviour(
            init_learner(actor.init(key_actor), actor_adam), learner, jax.tree.map(jnp.copy, value)
        )

    def actor_loss(params: Params, target: Params, world: Params, starts: Starts, key: Array):
        policy = lambda belief: actor.act(params, jax.lax.stop_gradient(belief))  # noqa: E731
        imagined = imagine(model, world, starts.beliefs, policy, config.horizon, key)
        return _actor_loss(config, imagined, starts, critic.value(target, imagined.beliefs))

    def critic_loss(params: Params, targets: Targets):
        value = critic.value(params, targets.beliefs)
        loss = jnp.mean(targets.weights * (value - targets.returns) ** 2) / 2
        return loss, {"critic_loss": loss, "value": jnp.mean(value)}, ()

    def update(behaviour: Behaviour, world: Params, starts: Starts, key: Array):
        learned, metrics, targets = gradient_step(
            actor_loss, actor_adam, behaviour.actor, behaviour.target, world, starts, key
        )
        metrics["actor_gradient_norm"] = metrics.pop("gradient_norm")
        value, found, _ = gradient_step(critic_loss, critic_adam, behaviour.critic, targets)
        metrics |= found | {"critic_gradient_norm": found.pop("gradient_norm")}
        renewed = behaviour.critic.updates % config.target_every == 0
        target = jax.tree.map(lambda new, old: jnp.where(renewed, new, old), value.params, behaviour.target)
        return Behaviour(learned, value, target), metrics

    return ActorCritic(init, update)


def _actor_loss(
    config: ActorCriticConfig, imagined: Imagined, starts: Starts, values: Float[Array, "I N"]
) -> tuple[Float[Array, ""], Metrics, Any]:
    """The loss, metrics, and the critic's `Targets`; values are those of all H + 1 states."""
    rewards = jnp.concatenate([starts.reward[None], imagined.prediction.reward])[:-1]
    goes_on = jnp.concatenate([starts.discount[None], imagined.prediction.discount])[:-1]
    discounts = config.discount * goes_on
    if config.critic:
        returns = lambda_returns(rewards, discounts, values[1:], decay=config.trace_decay)
    else:
        returns = lambda_returns(rewards, discounts, jnp.zeros_like(rewards), decay=1.0)
    weights = jax.lax.stop_gradient(reaching(discounts))
    advantage = jax.lax.stop_gradient(returns[1:] - values[:-2])
    share = {"dynamics": 1.0, "reinforce": 0.0, "mixture": config.mixture}[config.gradient]
    objective = config.entropy * imagined.entropy[:-1]
    if share > 0:
        objective += share * returns[1:]
    if share < 1:
        objective += (1 - share) * imagined.log_prob[:-1] * advantage
    loss = -jnp.mean(weights[:-1] * jax.lax.stop_gradient(goes_on[:-1]) * objective)
    metrics = {
        "actor_loss": loss,
        "actor_entropy": jnp.mean(imagined.entropy),
        "imagined_return": jnp.mean(returns),
        "imagined_reward": jnp.mean(rewards[1:]),
    }
    beliefs = jax.tree.map(lambda x: x[:-1], imagined.beliefs)
    return loss, metrics, jax.lax.stop_gradient(Targets(beliefs, returns, weights))


def adam(config: AdamConfig) -> optax.GradientTransformation:
    """Adam on gradients of bounded norm, with decoupled weight decay."""
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.scale_by_adam(eps=config.epsilon),
        optax.add_decayed_weights(config.weight_decay),
        optax.scale_by_learning_rate(config.learning_rate),
    )
