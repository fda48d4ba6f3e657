"""An ensemble and Gaussian processes that learn reward and end, on a linear system where both are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.diagnostics import lqr_reward
from imaginax.learning.config import EnsembleFitConfig
from imaginax.learning.ensemble import init_learner, make_fit
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import ensemble
from imaginax.models.gp import dynamics as gp_dynamics
from imaginax.models.gp.config import GPFitConfig
from imaginax.models.imagination import imagined_returns
from imaginax.types import Transition

ROWS = 1024
KEY = jax.random.key(0)
SMALL = EnsembleConfig(members=2, hidden=(64, 64), weight_decay=(0.0,) * 3, particles=4)
FIT = EnsembleFitConfig(batch_size=128, epochs=150, learning_rate=3e-3)
EDGE = 1.0


def truth(o, a):
    return o @ jnp.array([[1.0, -0.1], [0.2, 0.95]]) + a @ jnp.array([[0.02, 0.2]])


def over(o):
    """The episode ends to the right of the edge."""
    return o[..., 0] > EDGE


@pytest.fixture(scope="module")
def silent():
    """An environment that says nothing of its reward and its end, and what happened in it."""
    env = envs.make("diagnostic_lqr")._replace(reward=None, features=None)
    key_o, key_a = jax.random.split(jax.random.key(1))
    o = jax.random.uniform(key_o, (ROWS, 2), minval=-2, maxval=2)
    a = jax.random.uniform(key_a, (ROWS, 1), minval=-3, maxval=3)
    following = truth(o, a)
    discount = 1.0 - over(following)
    return env, Transition(o, a, lqr_reward(o, a, following), discount, following)


@pytest.fixture(scope="module")
def learned(silent):
    env, data = silent
    model, (optimiser, fit) = ensemble(env, SMALL), make_fit(env, SMALL, FIT)
    learner, metrics = jax.jit(fit)(init_learner(model.init(KEY), optimiser), data, ROWS, KEY)
    assert metrics["model_end_loss"] < 0.1
    return model, learner.params


def step(model, params, o, a):
    return model.predict(params, model.encode(params, o, KEY), a, KEY)


def test_reward_and_end_are_close_to_the_true_ones(learned):
    model, params = learned
    o = jax.random.uniform(jax.random.key(2), (200, 2), minval=-1.8, maxval=1.8)
    a = jax.random.uniform(jax.random.key(3), (200, 1), minval=-2.5, maxval=2.5)
    following, prediction = step(model, params, o, a)
    true = lqr_reward(o, a, o)
    assert jnp.abs(prediction.reward - true).mean() < 0.03 * true.std()
    np.testing.assert_allclose(following.states.mean(1), truth(o, a), atol=0.1)
    goes_on = 1.0 - over(truth(o, a))
    clear = jnp.abs(truth(o, a)[:, 0] - EDGE) > 0.15
    assert clear.sum() > 150 and (goes_on == 0)[clear].sum() > 20
    assert ((prediction.discount > 0.5) == (goes_on == 1))[clear].all()
    assert jnp.abs(prediction.discount - goes_on)[clear].mean() < 0.03


@pytest.mark.parametrize("end", ["learned", "published"])
def test_an_imagined_return_stops_at_the_end(silent, learned, end):
    """A plan that crosses the edge pays only until then, as on the true system."""
    env, _ = silent
    model, params = learned
    if end == "published":
        model = ensemble(env._replace(reward=lqr_reward, terminated=over), SMALL)
        weights = dict(params.network)  # without the outputs for reward and end
        keep = jnp.array([0, 1, 3, 4])
        weights["layer_2"] = jax.tree.map(lambda w: w[..., keep], weights["layer_2"])
        weights |= {name: weights[name][:2] for name in ("min_log_variance", "max_log_variance")}
        params = params._replace(network=weights)
    plans = jnp.stack([jnp.full((5, 1), 2.0), jnp.full((5, 1), -1.0)])
    o = jnp.array([[0.2, 1.2]])
    got = imagined_returns(model, params, model.encode(params, o, KEY), plans[None], KEY)[0]
    collected = [rewards_until_the_end(o, plan) for plan in plans]
    assert [len(rewards) for rewards in collected] == [3, 5]
    np.testing.assert_allclose(got, [sum(rewards) for rewards in collected], rtol=0.15)


def rewards_until_the_end(o, plan):
    """On the true system."""
    rewards = []
    for action in plan:
        rewards.append(lqr_reward(o, action[None], o)[0])
        o = truth(o, action[None])
        if over(o)[0]:
            break
    return rewards


def test_gaussian_processes_learn_the_reward_too(silent):
    env, data = silent
    config = gp_dynamics.GPConfig(capacity=150, propagation="DS", particles=6)
    model, fit = (
        gp_dynamics.gp_dynamics(env, config),
        gp_dynamics.make_fit(env, config, GPFitConfig(steps=60)),
    )
    params, _ = jax.jit(fit)(model.init(KEY), data, 150, KEY)
    o = jax.random.uniform(jax.random.key(2), (50, 2), minval=-1.5, maxval=1.5)
    a = jax.random.uniform(jax.random.key(3), (50, 1), minval=-2, maxval=2)
    following, prediction = step(model, params, o, a)
    np.testing.assert_allclose(following.states.mean(1), truth(o, a), atol=0.05)
    np.testing.assert_allclose(prediction.reward, lqr_reward(o, a, o), atol=0.1)
