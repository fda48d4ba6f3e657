"""A policy in the loop of a model, against loops by hand, a closed form, and finite differences."""

from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from imaginax.distributions import StraightThroughOneHot, TanhNormal
from imaginax.models.imagination import imagine, starts
from imaginax.types import Capabilities, Prediction, WorldModel

KEY = jax.random.key(0)
GAIN, A, B, Q = -0.6, 0.9, 0.5, 0.3


class Params(NamedTuple):
    """x' = a x + b u + sqrt(q) noise, with reward x'^2 and discount sigmoid(x')."""

    a: jax.Array
    b: jax.Array
    q: jax.Array


PARAMS = Params(jnp.float32(A), jnp.array([B, -B]), jnp.float32(Q))


def linear() -> WorldModel:
    def predict(params, belief, action, key):
        noise = jnp.sqrt(params.q) * jax.random.normal(key, belief["x"].shape)
        x = params.a * belief["x"] + action @ params.b + noise
        return {"x": x}, Prediction(x**2, jax.nn.sigmoid(x), value=3.0 * x)

    nothing = lambda *rest: None  # noqa: E731
    return WorldModel(nothing, nothing, nothing, predict, nothing, nothing, Capabilities(continuous=True))


def gaussian_policy(gain, std=0.4):
    """Actions [B 2] around (gain x, 0)."""

    def policy(belief):
        mean = jnp.stack([gain * belief["x"], 0 * belief["x"]], axis=-1)
        return distrax.MultivariateNormalDiag(mean, jnp.full_like(mean, std))

    return policy


def both(belief):
    return jnp.stack([belief["x"]] * 2, axis=-1)


def tanh_policy(gain):
    return lambda belief: TanhNormal(gain * both(belief), 0.3 * jnp.ones_like(both(belief)))


def choosing(gain):
    return lambda belief: StraightThroughOneHot(jnp.stack([gain * belief["x"], 1 + 0 * belief["x"]], -1))


POLICIES = {"normal": gaussian_policy, "tanh": tanh_policy, "one-hot": choosing}
BEGIN = {"x": jnp.array([0.5, -1.0, 2.0])}


@pytest.mark.parametrize("kind", POLICIES)
def test_is_the_loop_by_hand(kind):
    model, policy, horizon = linear(), POLICIES[kind](GAIN), 4
    found = jax.jit(lambda key: imagine(model, PARAMS, BEGIN, policy, horizon, key))(KEY)
    belief = BEGIN
    for t, key in enumerate(jax.random.split(KEY, horizon)):
        key_action, key_predict = jax.random.split(key)
        here = policy(belief)
        action = here.sample(seed=key_action)
        same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)  # noqa: E731
        same(found.beliefs["x"][t], belief["x"])
        same(found.actions[t], action)
        same(found.log_prob[t], here.log_prob(action))
        same(found.entropy[t], here.entropy())
        belief, prediction = model.predict(PARAMS, belief, action, key_predict)
        for name in ("reward", "discount", "value"):
            same(getattr(found.prediction, name)[t], getattr(prediction, name))
    same(found.beliefs["x"][horizon], belief["x"])
    assert found.prediction.policy is None


def test_moments_are_those_of_the_linear_gaussian_system():
    """m' = (a + b k) m and v' = (a + b k)^2 v + 2 b^2 s^2 + q; the expected reward is m'^2 + v'."""
    rows, horizon, std = 100_000, 5, 0.4
    found = imagine(linear(), PARAMS, {"x": jnp.full(rows, 1.5)}, gaussian_policy(GAIN, std), horizon, KEY)
    mean, variance = 1.5, 0.0
    for t in range(horizon):
        closed = A + B * GAIN
        mean, variance = closed * mean, closed**2 * variance + 2 * (B * std) ** 2 + Q
        x = np.asarray(found.beliefs["x"][t + 1], float)
        assert x.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / rows))
        assert x.var() == pytest.approx(variance, rel=0.03)
        assert np.mean(found.prediction.reward[t]) == pytest.approx(mean**2 + variance, rel=0.03)
    entropy = 2 * (0.5 * np.log(2 * np.pi * np.e) + np.log(std))
    np.testing.assert_allclose(found.entropy, entropy, rtol=1e-5)
    assert -np.mean(found.log_prob) == pytest.approx(entropy, rel=0.01)


@pytest.mark.parametrize("kind", ["normal", "tanh"])
def test_gradients_through_dynamics_and_actions_are_finite_differences(kind):
    def objective(gain, params, begin):
        found = imagine(linear(), params, begin, POLICIES[kind](gain), 4, KEY)
        return jnp.mean(jnp.cumprod(found.prediction.discount, axis=0) * found.prediction.reward)

    given = jnp.float32(GAIN), PARAMS, BEGIN
    jax.test_util.check_grads(objective, given, order=1, modes=["rev"], atol=2e-2, rtol=2e-2)
    assert all(np.all(slope != 0) for slope in jax.tree.leaves(jax.grad(objective, (0, 1, 2))(*given)))


def test_what_the_caller_stops_does_not_learn():
    def objective(gain, params, begin):
        params, begin = jax.lax.stop_gradient((params, begin))
        return jnp.sum(imagine(linear(), params, begin, gaussian_policy(gain), 3, KEY).prediction.reward)

    slopes = jax.grad(objective, (0, 1, 2))(jnp.float32(GAIN), PARAMS, BEGIN)
    assert slopes[0] != 0 and not any(np.any(x) for x in jax.tree.leaves(slopes[1:]))


def test_one_hot_actions_pass_the_gradient_of_their_probabilities():
    """One step: d x' / d gain = b . d softmax / d gain."""
    x = lambda gain: imagine(linear(), PARAMS, BEGIN, choosing(gain), 1, KEY).beliefs["x"][1]  # noqa: E731
    slope = jax.jacobian(x)(jnp.float32(GAIN))
    p = np.asarray(jax.nn.softmax(jnp.stack([GAIN * BEGIN["x"], jnp.ones(3)], -1)))
    np.testing.assert_allclose(slope, 2 * B * p[:, 0] * p[:, 1] * BEGIN["x"], rtol=1e-4)


def test_log_probabilities_have_the_gradient_of_reinforce():
    """E[f(x') d log pi / d gain] is the slope of E[f(x')], here of one step with f = x'^2."""
    begin, std = {"x": jnp.full(200_000, 1.5)}, 0.4

    def surrogate(gain):
        found = imagine(linear(), PARAMS, begin, gaussian_policy(gain, std), 1, KEY)
        advantage = jax.lax.stop_gradient(found.prediction.reward[0] - found.prediction.reward.mean())
        return jnp.mean(advantage * found.log_prob[0])

    expected = 2 * (A + B * GAIN) * 1.5 * B * 1.5
    assert float(jax.grad(surrogate)(jnp.float32(GAIN))) == pytest.approx(expected, rel=0.05)


def test_starts_lie_one_after_the_other():
    beliefs = {"x": jnp.arange(6).reshape(2, 3), "y": jnp.zeros((2, 3, 4))}
    flat = starts(beliefs)
    np.testing.assert_array_equal(flat["x"], np.arange(6))
    assert flat["y"].shape == (6, 4)
