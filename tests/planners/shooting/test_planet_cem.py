"""PlaNet's CEM against a copy of Algorithm 2 in NumPy, fed with the same noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.wrappers import privileged
from imaginax.models.imagination import imagined_returns
from imaginax.models.rules import rules
from imaginax.planners.shooting import planet_cem as planet_cem
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.planner import make_planner

CONFIG = ShootingConfig("planet_cem", horizon=4, population=50, iterations=3, elites=8)


@pytest.fixture(scope="module")
def task():
    env = privileged(envs.make("pendulum"))
    model = rules(env)
    belief = jax.vmap(env.init)(jax.random.split(jax.random.key(0), 2))[0]
    return env, model, belief


def test_is_the_algorithm(task):
    env, model, belief = task
    space, key = env.spec.action, jax.random.key(3)
    planner = make_planner(env.spec, model, CONFIG)
    action, _, found = jax.jit(lambda belief, key: planner.plan((), belief, planner.init(2), key))(
        belief, key
    )
    judge = jax.jit(lambda plans, key: imagined_returns(model, (), belief, plans, key))
    mean, std = np.zeros((2, 4, 1)), np.full((2, 4, 1), space.high)
    for step in jax.random.split(key, CONFIG.iterations):
        key_sample, key_model = jax.random.split(step)
        noise = np.asarray(jax.random.normal(key_sample, (2, 50, 4, 1)))
        plans = np.clip(mean[:, None] + std[:, None] * noise, space.low, space.high).astype("float32")
        returns = np.asarray(judge(plans, key_model))
        best = np.argsort(-returns, axis=1, kind="stable")[:, :8]
        elites = np.take_along_axis(plans, best[..., None, None], axis=1)
        mean, std = elites.mean(1), np.sqrt(elites.var(1) + planet_cem.LEAST_VARIANCE)
    np.testing.assert_allclose(found.plan, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(action, mean[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.value, np.take_along_axis(returns, best, 1).mean(1), rtol=1e-4)


def test_nothing_is_remembered(task):
    env, model, belief = task
    planner = make_planner(env.spec, model, CONFIG)
    plan = jax.jit(lambda memory: planner.plan((), belief, memory, jax.random.key(0)))
    fresh = planner.init(2)
    action, memory, _ = plan(fresh)
    np.testing.assert_array_equal(memory, fresh)
    np.testing.assert_array_equal(plan(fresh + 1.0)[0], action)
    assert jnp.abs(action).max() > 0
