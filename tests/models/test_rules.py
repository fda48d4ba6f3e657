"""The true rules as a model: what it predicts is what the environment does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs import make
from imaginax.envs.wrappers import privileged, vectorise
from imaginax.models.rules import guided_rules, rules
from imaginax.types import ConfigError


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
    loss, metrics, _ = model.loss(params, (), jax.random.key(0))
    assert loss == 0 and metrics == {}


def _network(params, planes):
    """A network whose answer depends on every square: logits name squares, so a turned board shows."""
    own = planes[..., 0].astype(jnp.float32).reshape(len(planes), 9)
    return params * own + jnp.arange(9.0) * 0, params * own @ jnp.arange(9.0) / 100


def test_guided_rules_add_what_the_network_thinks_of_the_next_position():
    env = privileged(make("tic_tac_toe"))
    model, copies = guided_rules(env, lambda key: jnp.float32(2), _network), vectorise(env, 3)
    state, timestep = copies.init(jax.random.key(0))
    belief = model.encode(jnp.float32(2), timestep.observation, jax.random.key(1))
    predict, step = jax.jit(model.predict), jax.jit(copies.step)
    games = jnp.array([[4, 4, 0], [0, 0, 3], [2, 1, 1], [6, 2, 4], [8, 6, 2]])  # the third: 0, 1, 2 in a row
    for number, action in enumerate(games):
        belief, prediction = predict(jnp.float32(2), belief, action, jax.random.key(2))
        state, timestep = step(state, action, jax.random.key(3))
        np.testing.assert_array_equal(prediction.reward, timestep.reward)
        np.testing.assert_array_equal(prediction.discount, -timestep.discount)
        logits, value = _network(jnp.float32(2), jax.vmap(env.game.planes)(timestep.observation))
        np.testing.assert_allclose(prediction.value, value, rtol=1e-6)
        lowest = np.finfo(np.float32).min
        np.testing.assert_allclose(prediction.policy, jnp.where(timestep.legal, logits, lowest), rtol=1e-6)
        seen = model.evaluate(jnp.float32(2), belief, jax.random.key(4))
        np.testing.assert_allclose(seen.value, value, rtol=1e-6)
        assert number == 4 or not timestep.last.any()
    assert timestep.reward.tolist() == [0, 0, 1] and timestep.last.tolist() == [False, False, True]


def test_the_answer_under_a_symmetry_is_mapped_back():
    """The network marks the mover's stones; under any symmetry its marks come back to them."""
    env = privileged(make("tic_tac_toe"))
    model, copies = (
        guided_rules(env, lambda key: jnp.float32(1), _network, random_symmetry=True),
        vectorise(env, 64),
    )
    state, timestep = copies.init(jax.random.key(0))
    for action in (0, 5):
        state, timestep = copies.step(state, jnp.full(64, action), jax.random.key(0))
    belief = model.encode(jnp.float32(1), timestep.observation, jax.random.key(1))
    seen = jax.jit(model.evaluate)(jnp.float32(1), belief, jax.random.key(2))
    np.testing.assert_array_equal(seen.policy, jnp.tile(jnp.eye(9)[0], (64, 1)))
    assert len(np.unique(np.round(seen.value, 4))) == 4  # the corner's four places, seen by the network


def test_rules_of_no_game_cannot_be_guided():
    with pytest.raises(ConfigError, match="diagnostic_chain is not a board game"):
        guided_rules(make("diagnostic_chain"), lambda key: (), _network)


def test_rules_of_one_player_are_guided_by_what_the_network_is_shown():
    env = privileged(make("diagnostic_chain"))
    model = guided_rules(
        env,
        lambda key: jnp.float32(3),
        lambda params, seen: (params * seen[:, :2], seen[:, 0]),
        inputs=lambda state: state.inner.position + jnp.arange(4.0),
    )
    _, timestep = vectorise(env, 2).init(jax.random.key(0))
    belief = model.encode(jnp.float32(3), timestep.observation, jax.random.key(1))
    np.testing.assert_array_equal(model.evaluate(jnp.float32(3), belief, jax.random.key(2)).value, [2.0, 2.0])
    belief, predicted = model.predict(jnp.float32(3), belief, jnp.array([0, 1]), jax.random.key(3))
    np.testing.assert_array_equal(belief.inner.position, [1, 3])
    np.testing.assert_array_equal(predicted.value, [1.0, 3.0])
    np.testing.assert_array_equal(predicted.policy, [[3.0, 6.0], [9.0, 12.0]])
    np.testing.assert_array_equal(predicted.discount, [1.0, 1.0])
