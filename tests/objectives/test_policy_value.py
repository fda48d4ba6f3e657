"""The loss of AlphaGo Zero against numpy and finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.objectives.policy_value import policy_value_loss, squared_norm

ROWS, ACTIONS = 6, 5


def _case():
    rng = np.random.default_rng(0)
    logits, value = rng.normal(size=(ROWS, ACTIONS)), rng.uniform(-1, 1, ROWS)
    target = rng.dirichlet(np.ones(ACTIONS), ROWS)
    order = np.argsort(-target, axis=1)
    outcome = rng.choice([-1.0, 0.0, 1.0], ROWS)
    valid, decided = np.array([1, 1, 1, 1, 1, 0.0]), np.array([1, 1, 0, 1, 0, 0.0])
    batch = {
        "actions": jnp.asarray(order, jnp.int32),
        "shares": jnp.asarray(np.take_along_axis(target, order, 1), jnp.float32),
        "target": jnp.asarray(outcome, jnp.float32),
        "policy_weight": jnp.asarray(valid, jnp.float32),
        "value_weight": jnp.asarray(decided, jnp.float32),
    }
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    cross = -(target * log_p).sum(1)[:5].mean()
    squared = ((outcome - value) ** 2)[[0, 1, 3]].mean()
    return jnp.asarray(logits, jnp.float32), jnp.asarray(value, jnp.float32), batch, cross, squared


def test_it_is_equation_1_over_the_rows_that_count():
    logits, value, batch, cross, squared = _case()
    loss, metrics = policy_value_loss(logits, value, **batch, scale=0.5)
    np.testing.assert_allclose(metrics["policy_loss"], cross, rtol=1e-5)
    np.testing.assert_allclose(metrics["value_loss"], squared, rtol=1e-5)
    np.testing.assert_allclose(loss, cross + 0.5 * squared, rtol=1e-5)


def test_the_gradient_is_p_minus_pi_and_twice_the_error():
    """In closed form; rows that do not count have none."""
    logits, value, batch, *_ = _case()
    by_logits, by_value = jax.grad(lambda *x: policy_value_loss(*x, **batch)[0], argnums=(0, 1))(
        logits, value
    )
    target = np.zeros((ROWS, ACTIONS))
    np.put_along_axis(target, np.asarray(batch["actions"]), np.asarray(batch["shares"]), 1)
    p = np.asarray(jax.nn.softmax(logits))
    np.testing.assert_allclose(by_logits, (p - target) * batch["policy_weight"][:, None] / 5, atol=1e-6)
    np.testing.assert_allclose(by_value, 2 * (value - batch["target"]) * batch["value_weight"] / 3, atol=1e-6)


def test_without_a_row_that_counts_it_is_zero():
    logits, value, batch, *_ = _case()
    nothing = batch | {"policy_weight": jnp.zeros(ROWS), "value_weight": jnp.zeros(ROWS)}
    assert float(policy_value_loss(logits, value, **nothing)[0]) == 0.0


def test_the_penalty_is_the_sum_of_all_squares():
    np.testing.assert_allclose(squared_norm({"a": jnp.full((2, 3), 2.0), "b": jnp.ones(4)}), 28.0)
