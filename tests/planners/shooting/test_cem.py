"""PETS's CEM: its semantics against a second writing of them, its optimum against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.planners.shooting import cem
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.types import Box
from tests.planners.worlds import SPACE, quadratic, world

TARGET = np.array([[1.0, -1.5], [2.5, 0.0], [-0.5, 2.0]], np.float32)
CONFIG = ShootingConfig(horizon=3, population=64, elites=8, iterations=4, alpha=0.2, epsilon=0.02)


def published_cem(mean, key, config):
    """The reference's loop in plain numpy for one problem; only the noise is drawn as the library does."""
    low, high = SPACE.low, SPACE.high
    variance = np.full_like(mean, (high - low) ** 2 / 16)
    for _ in range(config.iterations):
        if variance.max() <= config.epsilon:
            break
        key, key_sample, _ = jax.random.split(key, 3)
        noise = np.asarray(jax.random.truncated_normal(key_sample, -2.0, 2.0, (1, config.population, 3, 2)))[
            0
        ]
        cut = np.minimum(np.minimum(((mean - low) / 2) ** 2, ((high - mean) / 2) ** 2), variance)
        samples = mean + noise * np.sqrt(cut)
        costs = ((samples - TARGET) ** 2).sum((1, 2))
        elites = samples[np.argsort(costs)[: config.elites]]
        mean = config.alpha * mean + (1 - config.alpha) * elites.mean(0)
        variance = config.alpha * variance + (1 - config.alpha) * elites.var(0)
    return mean


@pytest.mark.parametrize("iterations", [4, 30])
def test_equals_the_published_algorithm(iterations):
    """Thirty iterations end early, by the variance: the loop must stop where the reference does."""
    config = ShootingConfig(**{**CONFIG.__dict__, "iterations": iterations})
    start = np.array([[[0.5, 0.5], [2.9, 0.0], [0.0, -1.9]]], np.float32)
    key = jax.random.key(4)
    action, warm, found = cem.plan(
        quadratic(TARGET), SPACE, config, (), jnp.zeros(1, int), jnp.asarray(start), key
    )
    expected = published_cem(start[0], key, config)
    np.testing.assert_allclose(found.plan[0], expected, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(action[0], expected[0], rtol=2e-4, atol=2e-4)  # the mean is executed
    np.testing.assert_allclose(warm[0, :2], expected[1:], rtol=2e-4, atol=2e-4)  # and shifted,
    np.testing.assert_array_equal(warm[0, 2], [0.5, 0.5])  # padded with the middle of [-2, 3]


def test_every_problem_of_a_batch_stops_by_itself():
    """One problem alone and beside another that needs more iterations: the first must not move on."""
    config = ShootingConfig(horizon=1, population=64, elites=16, iterations=20, epsilon=0.05)
    reward = world(lambda scale, action: -scale * jnp.sum((action - 1.0) ** 2, axis=-1)).predict
    model = world(None)._replace(
        predict=lambda p, scale, action, key: (scale, reward(p, scale, action, key)[1])
    )
    flat_and_steep = jnp.array([0.0, 1.0])  # without a slope the variance hardly falls
    start = jnp.zeros((2, 1, 2))
    _, _, found = cem.plan(model, SPACE, config, (), flat_and_steep, start, jax.random.key(0))
    short = ShootingConfig(**{**config.__dict__, "iterations": 6})
    _, _, early = cem.plan(model, SPACE, short, (), flat_and_steep, start, jax.random.key(0))
    np.testing.assert_array_equal(found.plan[1], early.plan[1])
    assert not np.array_equal(found.plan[0], early.plan[0])


def test_samples_never_leave_the_bounds_and_fill_them():
    mean = jnp.array([[[-2.0, 0.5], [2.999, 3.0]]])
    samples = cem.sample(SPACE, 4000, mean, jnp.full((1, 2, 2), 25 / 16), jax.random.key(0))
    assert samples.min() >= -2.0 and samples.max() <= 3.0
    free = samples[0, :, 0, 1]
    np.testing.assert_allclose([free.min(), free.max()], [-2.0, 3.0], atol=0.02)
    np.testing.assert_allclose(free.std(), 1.25 * np.sqrt(0.7737), rtol=0.03)
    np.testing.assert_array_equal(samples[0, :, 0, 0], -2.0)


@pytest.mark.parametrize("bad", [jnp.nan, -jnp.inf])
def test_a_candidate_without_a_number_is_never_elite(bad):
    """The reward rises towards a region where the model breaks down: the plan must stay out of it."""
    model = world(lambda step, action: jnp.where(action[:, 0] > 1.0, bad, action[:, 0]))
    config = ShootingConfig(horizon=2, population=200, elites=10, iterations=8)
    _, _, found = cem.plan(
        model, SPACE, config, (), jnp.zeros(1, int), jnp.zeros((1, 2, 2)), jax.random.key(0)
    )
    assert np.isfinite(found.value).all() and (found.plan[..., 0] <= 1.0).all()
    assert found.plan[0, 0, 0] > 0.8


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (1.0, 2.0)])
def test_later_decisions_search_a_range_that_zero_is_at_the_edge_of_or_outside(bounds):
    """Padded with zeros the last action would have no room to vary, and in time the first neither."""
    space, config = Box((1,), *bounds), ShootingConfig(horizon=3, population=100, elites=10)
    target = bounds[0] + 0.8
    model = world(lambda step, action: -jnp.sum((action - target) ** 2, axis=-1))
    warm = cem.start(space, config, 1)
    plan = jax.jit(lambda warm, key: cem.plan(model, space, config, (), jnp.zeros(1, int), warm, key))
    for key in jax.random.split(jax.random.key(0), 5):
        action, warm, _ = plan(warm, key)
    np.testing.assert_allclose(action, target, atol=0.05)


def test_start_is_the_middle_of_the_range():
    start = cem.start(Box((2,), -1.0, 4.0), CONFIG, 3)
    np.testing.assert_array_equal(start, np.full((3, 3, 2), 1.5))
