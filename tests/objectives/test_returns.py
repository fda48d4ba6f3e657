from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.objectives.returns import lambda_returns, reaching


def test_golden_numbers_of_rlax():
    """The case of google-deepmind/rlax 4c5d25b, multistep_test.py."""
    rewards = jnp.array([[1.0, 0.0, -1.0, 0.0, 1.0], [0.5, 0.8, -0.7, 0.0, 2.1]])
    discounts = jnp.array([[0.5, 0.9, 1.0, 0.5, 0.8], [0.9, 0.5, 0.3, 0.8, 0.7]])
    values = jnp.array([[3.0, 1.0, 5.0, -5.0, 3.0], [-1.7, 1.2, 2.3, 2.2, 2.7]])
    expected = [[1.6460547, 0.7228125, 0.7375, 0.65, 3.4], [0.7866317, 0.9913063, 0.1101501, 2.834, 3.99]]
    found = lambda_returns(rewards.T, discounts.T, values.T, decay=0.75)
    np.testing.assert_allclose(found.T, expected, rtol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.95, 1.0])
def test_the_average_of_all_n_step_returns(decay):
    """By the definition: (1 - lambda) sum_n lambda^(n-1) G_n, all that is left for the longest."""
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 7))
    discounts = rng.uniform(0.0, 1.0, size=7)
    discounts[4] = 0.0

    def n_step(t: int, n: int) -> float:
        weights = np.cumprod([1.0, *discounts[t : t + n]])
        return weights[:n] @ rewards[t : t + n] + weights[n] * values[t + n - 1]

    def average(t: int) -> float:
        longest = 7 - t
        shares = [(1 - decay) * decay ** (n - 1) for n in range(1, longest)] + [decay ** (longest - 1)]
        return sum(share * n_step(t, n) for n, share in enumerate(shares, 1))

    found = lambda_returns(jnp.array(rewards), jnp.array(discounts), jnp.array(values), decay=decay)
    np.testing.assert_allclose(found, [average(t) for t in range(7)], rtol=1e-5, atol=1e-6)


def test_primes_cannot_be_mistaken_for_each_other():
    """Three steps, rewards 2, 3, 5, half the value of the next each time, 7 after the last."""
    rewards, discounts = jnp.array([2.0, 3.0, 5.0]), jnp.array([0.5, 0.5, 0.5])
    values = jnp.array([11.0, 13.0, 7.0])
    np.testing.assert_allclose(lambda_returns(rewards, discounts, values, decay=0.0), [7.5, 9.5, 8.5])
    np.testing.assert_allclose(lambda_returns(rewards, discounts, values, decay=1.0), [5.625, 7.25, 8.5])


def test_a_step_weighs_as_much_as_it_is_likely_to_be_reached():
    discounts = jnp.array([0.9, 0.0, 0.9, 0.5])
    np.testing.assert_allclose(reaching(discounts), [1.0, 0.9, 0.0, 0.0])
