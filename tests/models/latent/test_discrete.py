"""A latent model with discrete actions and ends: of a walk along a line to one of two exits."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imaginax.envs import make
from imaginax.envs.wrappers import reset_in_turn, vectorise
from imaginax.learning.learner import gradient_step, init_learner
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.models.latent.model import as_vectors, latent_model
from imaginax.models.latent.rssm import features
from imaginax.types import Trajectory

BATCH, STEPS, UPDATES = 32, 24, 300
DREAMERV2 = RSSMConfig(
    deterministic=32, stochastic=4, classes=4, hidden=32, cell="layer_norm_gru", activation="elu", unimix=0.01
)
CONFIG = LatentModelConfig(DREAMERV2, hidden=(32, 32), activation="elu", continuation=True)
OBJECTIVE = ObjectiveConfig(dynamics=0.8, representation=0.2, free_nats=0.0, reward=10.0, continuation=5.0)
CHAIN = make("diagnostic_chain")
MODEL = latent_model(CHAIN.spec, CONFIG, OBJECTIVE)
# The state of a `gru` is the mode of its latents, so its beliefs do not depend on what is drawn.
MODES = latent_model(
    CHAIN.spec,
    LatentModelConfig(RSSMConfig("gru", 8, 2, 3, 8), hidden=(8, 8), continuation=True),
    OBJECTIVE,
)


def experience(key) -> Trajectory:
    """Random walks, each of one environment that goes on after its ends."""
    env = vectorise(reset_in_turn(CHAIN), BATCH)

    def step(state, key):
        key_action, key_env = jax.random.split(key)
        action = jax.random.randint(key_action, (BATCH,), 0, 2)
        state, after = env.step(state, action, key_env)
        return state, Trajectory(after.observation, action, after.reward, after.discount, after.first)

    key_init, key_steps = jax.random.split(key)
    data = jax.lax.scan(step, env.init(key_init)[0], jax.random.split(key_steps, STEPS))[1]
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), data)


@pytest.fixture(scope="module")
def trained():
    """The learner after so many updates, and metrics of each."""
    optimiser = optax.adam(3e-3)

    def update(learner, key):
        key_data, key_loss = jax.random.split(key)
        learner, metrics, _ = gradient_step(MODEL.loss, optimiser, learner, experience(key_data), key_loss)
        return learner, metrics

    learner = init_learner(MODEL.init(jax.random.key(0)), optimiser)
    keys = jax.random.split(jax.random.key(1), UPDATES)
    return jax.jit(lambda learner: jax.lax.scan(update, learner, keys))(learner)


def walk(params, actions):
    """Observes the walk of `actions` up to the last, which is imagined: the prediction of that one."""
    state, timestep = CHAIN.init(jax.random.key(0))
    rows = lambda x: jnp.broadcast_to(x, (64, *jnp.shape(x)))  # noqa: E731
    observe, predict = jax.jit(MODEL.observe), jax.jit(MODEL.predict)
    belief = MODEL.encode(params, rows(timestep.observation), jax.random.key(1))
    for number, action in enumerate(actions[:-1]):
        state, timestep = CHAIN.step(state, jnp.int32(action), jax.random.key(0))
        key = jax.random.key(2 + number)
        belief = observe(params, belief, rows(jnp.int32(action)), rows(timestep.observation), key)
    return predict(params, belief, rows(jnp.int32(actions[-1])), jax.random.key(99))[1]


def test_the_loss_falls_and_ends_and_rewards_are_predicted(trained):
    """From the third of eight positions: the left exit is three steps away (0.2), the right one six (1)."""
    learner, metrics = trained
    for name in ("loss", "reward_loss", "continuation_loss", "observation_loss"):
        assert np.mean(metrics[name][-20:]) < 0.5 * metrics[name][0], name
    for actions, discount, reward in (
        ((0, 0, 0), 0.0, 0.2 - 0.02),
        ((0, 0, 1), 1.0, -0.02),
        ((1, 1, 1, 1, 1, 1), 0.0, 1.0 - 0.02),
        ((1, 1, 1, 1, 1, 0), 1.0, -0.02),
    ):
        found = walk(learner.params, actions)
        np.testing.assert_allclose(np.mean(found.discount), discount, atol=0.1)
        np.testing.assert_allclose(np.mean(found.reward), reward, atol=0.15)


def test_the_continuation_has_the_likelihood_of_bernoulli():
    """A head that is a constant: -log p where the episode goes on, -log(1 - p) where it ended."""
    params, data = MODEL.init(jax.random.key(0)), experience(jax.random.key(1))
    head = jax.tree.map(jnp.zeros_like, params.continuation)
    head["Dense_2"]["bias"] = jnp.array([1.5])
    metrics = MODEL.loss(params._replace(continuation=head), data, jax.random.key(2))[1]
    p, ends = 1 / (1 + np.exp(-1.5)), float(jnp.mean(data.discount == 0))
    assert 0 < ends < 0.5 and not np.any(data.first & (data.discount == 0))
    expected = -5.0 * (ends * np.log(1 - p) + (1 - ends) * np.log(p))
    assert float(metrics["continuation_loss"]) == pytest.approx(expected, rel=1e-4)


def test_numbers_and_one_hot_vectors_are_the_same_actions():
    params, key = MODEL.init(jax.random.key(0)), jax.random.key(1)
    belief = MODEL.encode(params, jnp.eye(8)[:4], key)
    numbers = jnp.array([0, 1, 1, -1], jnp.int32)
    vectors = as_vectors(CHAIN.spec.action, numbers)
    np.testing.assert_array_equal(vectors, [[1, 0], [0, 1], [0, 1], [0, 0]])
    ours, theirs = (MODEL.predict(params, belief, action, key) for action in (numbers, vectors))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert MODEL.can.discrete and not MODEL.can.continuous
    reward = lambda action: MODEL.predict(params, belief, action, key)[1].reward.sum()  # noqa: E731
    assert np.all(np.any(jax.grad(reward)(vectors) != 0, axis=-1)), "gradients reach one-hot actions"


def test_acting_and_learning_believe_the_same():
    """Filtering step by step, told of no action at the first, is what the loss infers."""
    params, key = MODES.init(jax.random.key(0)), jax.random.key(1)
    data = jax.tree.map(lambda x: x[:4], experience(jax.random.key(2)))
    data = data._replace(first=jnp.zeros_like(data.first))
    beliefs = MODES.loss(params, data, key)[2]
    belief = jax.tree.map(lambda x: jnp.zeros_like(x[:, 0]), beliefs)
    observe = jax.jit(MODES.observe)
    for t in range(STEPS):
        action = data.action[:, t] if t else jnp.full(4, -1, jnp.int32)
        belief = observe(params, belief, action, data.observation[:, t], key)
        np.testing.assert_allclose(features(belief), features(beliefs)[:, t], atol=1e-5)


def test_a_stored_belief_is_where_the_filter_goes_on():
    """Steps from the middle of a sequence, with the belief before them, are believed as in the whole."""
    params, key = MODES.init(jax.random.key(0)), jax.random.key(1)
    data = experience(jax.random.key(2))
    whole = MODES.loss(params, data, key)[2]
    part = jax.tree.map(lambda x: x[:, 9:], data._replace(belief=whole))
    found = MODES.loss(params, part, key)[2]
    expected = jax.tree.map(lambda x: x[:, 10:], whole)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-5), found, expected)
    cold = MODES.loss(params, part._replace(belief=None), key)[2]
    assert np.abs(features(cold)[:, 1] - features(expected)[:, 0]).max() > 1e-3
