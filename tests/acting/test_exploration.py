"""What exploration adds: its distributions, its bounds, and never an illegal action."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imaginax.acting.exploration import act_randomly, epsilon_greedy, gaussian_noise, random_action
from imaginax.types import Box, Discrete, TimeStep

N = 4096
KEY = jax.random.key(0)


def timestep(legal=None) -> TimeStep:
    zeros, no = jnp.zeros(N), jnp.zeros(N, bool)
    return TimeStep(jnp.zeros((N, 2)), zeros, zeros, no, no, no, legal)


def test_noise_is_normal_around_the_decision_and_clipped():
    explore = gaussian_noise(Box((1,), -2.0, 4.0), 0.3)  # a standard deviation of 0.9
    action = np.asarray(explore(jnp.full((N, 1), 2.5), timestep(), KEY))[:, 0]
    inside = action[action < 4.0]
    assert action.max() == 4.0
    assert (action == 4.0).mean() == pytest.approx(stats.norm.sf(1.5 / 0.9), abs=0.015)
    expected = stats.truncnorm(-np.inf, 1.5 / 0.9, loc=2.5, scale=0.9)
    assert stats.kstest(inside, expected.cdf).pvalue > 1e-3


def test_a_greedy_action_is_replaced_with_probability_epsilon_by_a_legal_one():
    legal = jnp.broadcast_to(jnp.array([True, False, True, True]), (N, 4))
    action = epsilon_greedy(Discrete(4), 0.3)(jnp.full(N, 2, jnp.int32), timestep(legal), KEY)
    assert action.dtype == jnp.int32
    counts = np.bincount(action, minlength=4)
    assert counts[1] == 0
    expected = N * np.array([0.1, 0.8, 0.1])
    assert stats.chisquare(counts[[0, 2, 3]], expected).pvalue > 1e-3


def test_epsilon_may_differ_between_environments():
    epsilon = jnp.where(jnp.arange(N) < N // 2, 0.0, 1.0)
    action = epsilon_greedy(Discrete(2), epsilon)(jnp.zeros(N, jnp.int32), timestep(), KEY)
    assert not np.any(action[: N // 2])
    assert np.mean(action[N // 2 :]) == pytest.approx(0.5, abs=0.05)


def test_random_actions_are_uniform():
    box = Box((3,), -1.0, 3.0)
    drawn = np.asarray(random_action(box, timestep(), KEY))
    assert drawn.shape == (N, 3)
    assert stats.kstest(drawn.ravel(), stats.uniform(-1, 4).cdf).pvalue > 1e-3
    counts = np.bincount(random_action(Discrete(5), timestep(), KEY), minlength=5)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_random_stage_remembers_nothing():
    memory, action, _ = act_randomly(Discrete(2))(None, jnp.arange(3), timestep(), KEY)
    np.testing.assert_array_equal(memory, np.arange(3))
    np.testing.assert_array_equal(action, random_action(Discrete(2), timestep(), KEY))
