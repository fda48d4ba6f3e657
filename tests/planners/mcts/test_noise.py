"""The root's noise against its closed form."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.planners.mcts.noise import dirichlet_mixture

LOWEST = jnp.finfo(jnp.float32).min


def expected_variation(legal, alpha, fraction=0.25):
    """Of a uniform prior on `legal` actions, in total variation.

    A coordinate of the noise is Beta(a, b) with a = alpha, b = (legal - 1) alpha, whose mean absolute
    deviation is 2 a^a b^b / (B(a, b) (a + b)^(a + b + 1)).
    """
    a, b = alpha, (legal - 1) * alpha
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    deviation = 2 * math.exp(a * math.log(a) + b * math.log(b) - log_beta - (a + b + 1) * math.log(a + b))
    return fraction * legal * deviation / 2


def mixtures(actions, legal, alpha, rows, seed=0):
    allowed = jnp.zeros(actions, bool).at[jnp.arange(legal) * (actions // legal)].set(True)
    prior = jnp.where(allowed, -jnp.log(legal), LOWEST)
    rows_of = jnp.broadcast_to(prior, (rows, actions)), jnp.broadcast_to(allowed, (rows, actions))
    mixed = dirichlet_mixture(jax.random.key(seed), *rows_of, fraction=0.25, alpha=alpha)
    return np.asarray(mixed), np.asarray(allowed)


@pytest.mark.parametrize(
    "actions, legal, alpha, published",
    [(4672, 30, 0.3, 0.1414), (2187, 80, 0.15, 0.1727), (362, 250, 0.03, 0.222), (7, 7, 1.0, 0.084)],
    ids=["chess", "shogi", "go", "connect four"],
)
def test_noise_moves_the_prior_as_far_as_it_should_however_few_actions_are_legal(
    actions, legal, alpha, published
):
    np.testing.assert_allclose(expected_variation(legal, alpha), published, atol=1e-3)
    log_prior, allowed = mixtures(actions, legal, alpha, rows=200)
    mixed = np.exp(log_prior)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0, atol=1e-5)
    assert (log_prior[:, ~allowed] == LOWEST).all()
    moved = np.abs(mixed - allowed / legal).sum(axis=1) / 2
    np.testing.assert_allclose(moved.mean(), expected_variation(legal, alpha), rtol=0.04)


def test_the_concentration_follows_the_number_of_legal_actions():
    """With alpha 0 two rows of 10 and 40 legal actions have the noise of alpha 1 and 0.25."""
    legal = jnp.arange(50) < jnp.where(jnp.arange(4000) % 2, 40, 10)[:, None]
    prior = jnp.where(legal, -jnp.log(legal.sum(1, keepdims=True)), LOWEST)
    mixed = np.exp(dirichlet_mixture(jax.random.key(1), prior, legal, fraction=0.25, alpha=0.0))
    moved = np.abs(mixed - np.exp(prior)).sum(axis=1) / 2
    np.testing.assert_allclose(moved[::2].mean(), expected_variation(10, 1.0), rtol=0.03)
    np.testing.assert_allclose(moved[1::2].mean(), expected_variation(40, 0.25), rtol=0.03)


def test_a_tiny_concentration_gives_finite_noise_and_a_single_legal_action_stays_certain():
    log_prior, allowed = mixtures(100, 50, 1e-3, rows=500)
    assert np.isfinite(log_prior).all()
    np.testing.assert_allclose(np.exp(log_prior).sum(axis=1), 1.0, atol=1e-5)
    log_prior, allowed = mixtures(100, 1, 0.3, rows=2)
    np.testing.assert_allclose(log_prior[:, allowed], 0.0, atol=1e-6)


def test_a_fraction_of_zero_changes_nothing():
    prior = jax.nn.log_softmax(jnp.array([[0.0, 1.0, 2.0]]))
    legal = jnp.ones((1, 3), bool)
    mixed = dirichlet_mixture(jax.random.key(0), prior, legal, fraction=0.0, alpha=0.3)
    np.testing.assert_allclose(mixed, prior, atol=1e-6)
