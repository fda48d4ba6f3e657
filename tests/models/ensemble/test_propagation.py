"""Each propagation method against the closed form of a linear-Gaussian ensemble.

Member k predicts the change of x as A_k x + b_k + N(0, s_k^2), so the moments of the particles after
two steps are polynomials of these numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.ensemble.propagation import propagate

SLOPE = np.array([0.5, -0.3, 0.1, 0.9])
OFFSET = np.array([1.0, -0.5, 0.2, 0.4])
NOISE = np.array([0.3, 0.1, 0.5, 0.2])
START, MEMBERS, PARTICLES = 0.7, 4, 40_000


def members(inputs):
    """[K, M, 1] -> mean and variance of each member's prediction."""
    mean = inputs * SLOPE[:, None, None] + OFFSET[:, None, None]
    return mean, jnp.broadcast_to(NOISE[:, None, None] ** 2, mean.shape)


def two_steps(mode):
    """Particles of two candidates after one and two steps, [2, P]."""
    x = jnp.full((2, PARTICLES, 1), START)
    key_first, key_second = jax.random.split(jax.random.key(3))
    first = x + propagate(members, MEMBERS, mode, x, key_first)
    second = first + propagate(members, MEMBERS, mode, first, key_second)
    return np.asarray(first)[..., 0], np.asarray(second)[..., 0]


def moments_of_mixture():
    """Mean and variance of x after one step that draws from the ensemble's mixture."""
    means = START + SLOPE * START + OFFSET
    return means.mean(), (NOISE**2).mean() + means.var()


def assert_moments(particles, mean, variance):
    """Five standard errors of a sample mean and of a sample variance of a near-Gaussian."""
    count = particles.size
    assert abs(particles.mean() - mean) < 5 * np.sqrt(variance / count)
    assert abs(particles.var() - variance) < 5 * variance * np.sqrt(3 / count)


def test_expectation_is_the_mean_of_the_members():
    first, second = two_steps("E")
    expected = START + (SLOPE * START + OFFSET).mean()
    np.testing.assert_allclose(first, expected, rtol=1e-6)
    np.testing.assert_allclose(second, expected + (SLOPE * expected + OFFSET).mean(), rtol=1e-6)


def test_distribution_sampling_keeps_the_correlation_between_steps():
    first, second = two_steps("DS")
    mean, variance = moments_of_mixture()
    assert_moments(first, mean, variance)
    spread = (NOISE**2).mean() + (SLOPE * mean + OFFSET).var() + variance * SLOPE.var()
    assert_moments(
        second, mean + SLOPE.mean() * mean + OFFSET.mean(), (1 + SLOPE.mean()) ** 2 * variance + spread
    )


def test_moment_matching_redraws_the_change_independently():
    first, second = two_steps("MM")
    mean, variance = moments_of_mixture()
    assert_moments(first, mean, variance)
    spread = (NOISE**2).mean() + (SLOPE * mean + OFFSET).var() + variance * SLOPE.var()
    expected = variance + SLOPE.mean() ** 2 * variance + spread  # no covariance of x and its change
    assert_moments(second, mean + SLOPE.mean() * mean + OFFSET.mean(), expected)


def test_ts_infinity_keeps_every_particle_with_its_member():
    _, second = two_steps("TSinf")
    share = PARTICLES // MEMBERS
    for k in range(MEMBERS):
        gain = 1 + SLOPE[k]
        mine = second[:, k * share : (k + 1) * share]
        assert_moments(mine, gain**2 * START + gain * OFFSET[k] + OFFSET[k], (gain**2 + 1) * NOISE[k] ** 2)


def test_ts1_mixes_the_members_at_every_step():
    first, second = two_steps("TS1")
    mean, variance = moments_of_mixture()
    assert_moments(first, mean, variance)
    gains = 1 + SLOPE
    second_mean = (gains * mean + OFFSET).mean()
    square = (gains**2 * (variance + mean**2) + 2 * gains * OFFSET * mean + OFFSET**2 + NOISE**2).mean()
    assert_moments(second, second_mean, square - second_mean**2)


@pytest.mark.parametrize("mode", ["TS1", "TSinf"])
def test_each_member_moves_its_exact_share_of_every_candidate(mode):
    labels = lambda inputs: (jnp.broadcast_to(jnp.arange(5.0)[:, None, None], inputs.shape), None)  # noqa: E731
    moved = [
        propagate(labels, 5, mode, jnp.zeros((3, 20, 1)), jax.random.key(seed))[..., 0] for seed in (0, 1)
    ]
    for candidates in moved:
        assert all(np.bincount(row.astype(int)).tolist() == [4] * 5 for row in np.asarray(candidates))
    assert np.array_equal(moved[0], moved[1]) == (mode == "TSinf")


def test_ts1_hands_each_particle_its_own_prediction():
    """A member that adds exactly its input: shuffling must be undone."""
    x = jnp.arange(40.0).reshape(2, 20, 1)
    moved = propagate(lambda inputs: (inputs, None), 5, "TS1", x, jax.random.key(0))
    np.testing.assert_array_equal(moved, x)
