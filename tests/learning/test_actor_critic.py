"""Actor and critic in worlds whose best behaviour and values are known."""

from __future__ import annotations

import dataclasses

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.distributions import StraightThroughOneHot
from imaginax.learning.actor_critic import Critic, Starts, make_actor_critic
from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.policies.actor import Actor
from imaginax.types import Capabilities, Prediction, WorldModel

ADAM = AdamConfig(0.05)


def world(predict) -> WorldModel:
    nothing = lambda *rest: None  # noqa: E731
    return WorldModel(nothing, nothing, nothing, predict, nothing, nothing, Capabilities())


def functions(model, actor, critic, config, actor_optimiser=ADAM, critic_optimiser=ADAM):
    made = make_actor_critic(
        model,
        actor,
        critic,
        config,
        actor_optimiser=actor_optimiser,
        critic_optimiser=critic_optimiser,
    )
    return made.init(jax.random.key(0)), jax.jit(made.update)


def linear_critic(width: int) -> Critic:
    return Critic(lambda key: jnp.zeros(width), lambda params, belief: belief @ params)


def linear_actor(width: int) -> Actor:
    """Of two actions."""
    act = lambda params, belief: StraightThroughOneHot(belief @ params)  # noqa: E731
    return Actor(lambda key: jnp.zeros((width, 2)), act)


def learned(behaviour, update, starts, updates, model=()):
    for number in range(updates):
        behaviour, metrics = update(behaviour, model, starts, jax.random.key(number))
    return behaviour, metrics


@pytest.mark.parametrize("gradient", ["dynamics", "reinforce", "mixture"])
def test_the_arm_that_ends_the_episode_is_found(gradient):
    """Arm 1 pays 1 and ends the episode, arm 0 pays 0.3 once and 0 for ever after."""

    def predict(params, belief, action, key):
        fresh, good = belief[:, 0], action[:, 1]
        reward = fresh * (good + 0.3 * (1 - good))
        return jnp.stack([0 * fresh, 1 + 0 * fresh], axis=1), Prediction(reward, 1 - good)

    actor = Actor(
        lambda key: jnp.zeros((2, 2)), lambda params, belief: StraightThroughOneHot(belief @ params)
    )
    config = ActorCriticConfig(horizon=4, discount=0.9, gradient=gradient, mixture=0.5)
    behaviour, update = functions(world(predict), actor, linear_critic(2), config)
    starts = Starts(jnp.tile(jnp.array([1.0, 0.0]), (64, 1)), jnp.zeros(64), jnp.ones(64))
    behaviour, _ = learned(behaviour, update, starts, 60)
    chosen = jax.nn.softmax(behaviour.actor.params[0])[1]
    assert chosen > 0.9


def chain(rewards, discounts, length):
    """State i leads to state i + 1, which pays rewards[i + 1]; the last leads to itself."""
    onward = jnp.eye(length)[jnp.minimum(jnp.arange(length) + 1, length - 1)]

    def predict(params, belief, action, key):
        following = belief @ onward
        return following, Prediction(following @ rewards, following @ discounts)

    act = lambda params, belief: StraightThroughOneHot(jnp.zeros((*belief.shape[:-1], 1)))  # noqa: E731
    idle = Actor(lambda key: jnp.zeros(1), act)
    return world(predict), idle


def test_the_critic_learns_the_return_of_its_own_state():
    """A state's value holds its own reward: 2 + 0.9 (3 + 0.9 (5 + 0.9 * 7)); the last state is an end."""
    rewards, goes_on = jnp.array([2.0, 3.0, 5.0, 7.0]), jnp.array([1.0, 1.0, 1.0, 0.0])
    model, idle = chain(rewards, goes_on, 4)
    config = ActorCriticConfig(horizon=3, discount=0.9)
    behaviour, update = functions(model, idle, linear_critic(4), config, critic_optimiser=AdamConfig(0.3))
    starts = Starts(jnp.eye(4), rewards, goes_on)
    behaviour, _ = learned(behaviour, update, starts, 400)
    expected = [2 + 0.9 * (3 + 0.9 * (5 + 0.9 * 7)), 3 + 0.9 * (5 + 0.9 * 7), 5 + 0.9 * 7, 7]
    np.testing.assert_allclose(behaviour.critic.params, expected, rtol=0.01)


def test_a_reward_of_one_for_ever_is_worth_the_geometric_series():
    """A truncated episode goes on in value: 1 / (1 - 0.9)."""
    model, idle = chain(jnp.ones(1), jnp.ones(1), 1)
    config = ActorCriticConfig(horizon=5, discount=0.9)
    behaviour, update = functions(model, idle, linear_critic(1), config, critic_optimiser=AdamConfig(0.3))
    starts = Starts(jnp.ones((2, 1)), jnp.ones(2), jnp.ones(2))
    behaviour, _ = learned(behaviour, update, starts, 300)
    np.testing.assert_allclose(behaviour.critic.params, [10.0], rtol=0.02)


def test_the_gradient_of_dynamics_is_that_of_the_returns():
    """x' = 0.8 x + a, reward -x'^2: against finite differences, inputs of the actor held."""

    def predict(params, belief, action, key):
        following = params * belief + action
        return following, Prediction(-(following[:, 0] ** 2), jnp.ones(len(following)))

    def steady(params, belief):
        return distrax.MultivariateNormalDiag(params * belief, jnp.full(belief.shape, 1e-6))

    config = ActorCriticConfig(horizon=4, discount=0.9, critic=False)
    actor = Actor(lambda key: jnp.array(0.3), steady)
    behaviour, update = functions(world(predict), actor, linear_critic(1), config)
    start = np.array([1.0, -0.5])
    seen = [start * 1.1**t for t in range(3)]

    def loss(gain):
        """Each state's sum of what follows, weighted by the discount of reaching it."""
        x, rewards = start, []
        for t in range(3):
            x = 0.8 * x + gain * seen[t]
            rewards.append(-(x**2))
        sums = [sum(0.9**k * r for k, r in enumerate(rewards[t:])) for t in range(3)]
        return -np.mean([0.9**t * total for t, total in enumerate(sums)])

    starts = Starts(jnp.array(start)[:, None], jnp.zeros(2), jnp.ones(2))
    _, metrics = update(behaviour, jnp.array(0.8), starts, jax.random.key(0))
    np.testing.assert_allclose(metrics["actor_loss"], loss(0.3), rtol=1e-4)
    slope = (loss(0.3 + 1e-5) - loss(0.3 - 1e-5)) / 2e-5
    np.testing.assert_allclose(metrics["actor_gradient_norm"], abs(slope), rtol=1e-3)


def test_what_is_likely_over_counts_less():
    """With a half chance to go on the critic's errors weigh 1, 1/2, 1/4; past an end 0."""
    model, idle = chain(jnp.array([0.0]), jnp.array([0.5]), 1)
    config = ActorCriticConfig(horizon=3, discount=1.0, critic=False)
    behaviour, update = functions(model, idle, linear_critic(1), config)
    behaviour = behaviour._replace(critic=behaviour.critic._replace(params=jnp.array([4.0])))
    for goes_on, weights in ((0.5, [1, 0.5, 0.25]), (0.0, [1, 0, 0])):
        starts = Starts(jnp.ones((1, 1)), jnp.zeros(1), jnp.full(1, goes_on))
        _, metrics = update(behaviour, (), starts, jax.random.key(0))
        np.testing.assert_allclose(metrics["critic_loss"], np.mean(weights) * 4.0**2 / 2, rtol=1e-6)


def test_each_loss_moves_its_own_parameters_and_the_target_follows_in_its_time():
    rewards = jnp.array([2.0, 3.0, 5.0, 7.0])
    model, _ = chain(rewards, jnp.ones(4), 4)
    actor = linear_actor(4)
    config = ActorCriticConfig(horizon=3, entropy=0.1, gradient="reinforce", target_every=3)
    still = dataclasses.replace(ADAM, learning_rate=0.0)
    starts = Starts(jnp.eye(4), rewards, jnp.ones(4))
    for actors, critics in ((ADAM, still), (still, ADAM)):
        behaviour, update = functions(model, actor, linear_critic(4), config, actors, critics)
        after, _ = update(behaviour, (), starts, jax.random.key(0))
        assert np.array_equal(after.actor.params, behaviour.actor.params) == (actors is still)
        assert np.array_equal(after.critic.params, behaviour.critic.params) == (critics is still)
    targets = []
    for number in range(7):
        behaviour, _ = update(behaviour, (), starts, jax.random.key(number))
        targets.append(np.array_equal(behaviour.target, behaviour.critic.params))
    assert targets == [True, False, False, True, False, False, True]


def test_an_actor_counts_where_there_is_something_to_choose():
    """Entropy 1 weighted with 1/2, 1/4: how likely a state is reached and is not the last."""
    model, _ = chain(jnp.array([0.0]), jnp.array([0.5]), 1)
    policy = lambda params, belief: distrax.Independent(  # noqa: E731
        distrax.Uniform(jnp.zeros(belief.shape), jnp.full(belief.shape, jnp.e)), 1
    )
    config = ActorCriticConfig(horizon=3, discount=1.0, entropy=1.0, gradient="reinforce")
    behaviour, update = functions(model, Actor(lambda key: jnp.zeros(1), policy), linear_critic(1), config)
    for goes_on, weights in ((0.5, [0.5, 0.25]), (1.0, [1.0, 0.5]), (0.0, [0.0, 0.0])):
        starts = Starts(jnp.ones((1, 1)), jnp.zeros(1), jnp.full(1, goes_on))
        _, metrics = update(behaviour, (), starts, jax.random.key(0))
        np.testing.assert_allclose(metrics["actor_loss"], -np.mean(weights), rtol=1e-6)


def test_returns_and_baselines_are_the_target_critics():
    """The target says 10, the critic 4: the next value is 10, and the advantage of any action 0."""
    model, _ = chain(jnp.array([0.0]), jnp.array([1.0]), 1)
    config = ActorCriticConfig(horizon=2, discount=1.0, trace_decay=0.5, gradient="reinforce", target_every=9)
    behaviour, update = functions(model, linear_actor(1), linear_critic(1), config)
    critic = behaviour.critic._replace(params=jnp.array([4.0]), updates=jnp.int32(1))
    starts = Starts(jnp.ones((2, 1)), jnp.zeros(2), jnp.ones(2))
    for target, moves in ((10.0, False), (4.0, False)):
        given = behaviour._replace(critic=critic, target=jnp.array([target]))
        _, metrics = update(given, (), starts, jax.random.key(0))
        np.testing.assert_allclose(metrics["imagined_return"], target, rtol=1e-6)
        np.testing.assert_allclose(metrics["critic_loss"], (target - 4.0) ** 2 / 2, rtol=1e-6)
        assert (float(metrics["actor_gradient_norm"]) > 1e-5) == moves
