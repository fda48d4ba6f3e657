"""The true rules as a model: what it predicts is what the environment does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs import make
from imaginax.envs.wrappers import privileged, vectorise
from imaginax.models.rules import rules


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("gpmpc_cartpole", jnp.array([[[3.0], [-8.0]]] * 4)),
        ("diagnostic_chain", jnp.array([[1, 0], [1, 0], [1, 0], [1, 1]])),
    ],
)
def test_predict_equals_stepping_the_environment(name, actions):
    env = privileged(make(name))
    model, copies = rules(env), vectorise(env, 2)
    predict, step = jax.jit(model.predict), jax.jit(copies.step)
    params = model.init(jax.random.key(0))
    state, timestep = copies.init(jax.random.key(1))
    belief = model.encode(params, timestep.observation, jax.random.key(2))
    discounts = []
    for action in actions:
        belief, prediction = predict(params, belief, action, jax.random.key(3))
        state, timestep = step(state, action, jax.random.key(4))
        jax.tree.map(np.testing.assert_array_equal, belief, state)
        np.testing.assert_array_equal(prediction.reward, timestep.reward)
        np.testing.assert_array_equal(prediction.discount, timestep.discount)
        filtered = model.observe(params, (), action, timestep.observation, jax.random.key(5))
        jax.tree.map(np.testing.assert_array_equal, filtered, state)
        discounts.append(prediction.discount.tolist())
    # the second walker of the chain leaves by the near exit in its third step
    assert discounts[2] == ([1, 0] if name == "diagnostic_chain" else [1, 1])


def test_capabilities_follow_the_action_space():
    assert rules(make("pendulum")).can._asdict() | {"value": False} == {
        "discrete": False,
        "continuous": True,
        "value": False,
        "policy": False,
        "differentiable": True,
        "gaussian_belief": False,
    }
    chain = rules(make("diagnostic_chain")).can
    assert chain.discrete and not chain.continuous


def test_an_imagined_return_is_differentiable_in_the_plan():
    """One Newton step through twenty predictions finds the optimum of the linear-quadratic task."""
    from imaginax.envs.diagnostics import lqr_optimal_return

    env = privileged(make("diagnostic_lqr"))
    model = rules(env)
    _, timestep = vectorise(env, 1).init(jax.random.key(0))

    def step(belief, action):
        belief, prediction = model.predict((), belief, action[None, None], jax.random.key(0))
        return belief, prediction.reward[0]

    def negative_return(plan):
        return -jnp.sum(jax.lax.scan(step, timestep.observation, plan)[1])

    zero = jnp.zeros(env.spec.max_steps)
    gradient, curvature = (
        jax.jit(jax.grad(negative_return))(zero),
        jax.jit(jax.hessian(negative_return))(zero),
    )
    best = -negative_return(zero - jnp.linalg.solve(curvature, gradient))
    optimum = lqr_optimal_return(timestep.observation.inner.x)
    np.testing.assert_allclose(best, optimum[0], rtol=1e-4)


def test_nothing_to_decode_and_nothing_to_learn():
    model = rules(make("pendulum"))
    params = model.init(jax.random.key(0))
    assert jax.tree.leaves(params) == [] and model.decode(params, ()) is None
    loss, metrics = model.loss(params, (), jax.random.key(0))
    assert loss == 0 and metrics == {}
