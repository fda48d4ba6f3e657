"""iCEM: what it adds to CEM, one part at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.planners.shooting import icem
from imaginax.planners.shooting.config import ShootingConfig
from tests.planners.worlds import SPACE, quadratic, world

CONFIG = ShootingConfig("icem", horizon=4, population=60, elites=10, iterations=3, keep=0.3, decay=1.25)
TARGET = np.array([[1.0, -1.5], [2.5, 0.0], [-0.5, 2.0], [0.0, 1.0]], np.float32)


def decide(model, config=CONFIG, warm=None, seed=0):
    warm = icem.start(SPACE, config, 1) if warm is None else warm
    return icem.plan(model, SPACE, config, (), jnp.zeros(1, int), warm, jax.random.key(seed))


def test_population_shrinks_to_twice_the_elites_and_carries_elites_and_mean():
    """Counts candidates by a world that is asked about each of them."""
    sizes = []
    model = world(lambda step, action: (sizes.append(action.shape[0]), -jnp.sum(action**2, -1))[1])
    decide(model, dataclasses.replace(CONFIG, population=40))
    assert sizes == [40 + 3, 32 + 3, 25 + 3 + 1]  # 40 / 1.25^i samples, 3 kept elites, the mean at the end
    sizes.clear()
    decide(model, dataclasses.replace(CONFIG, population=22))
    assert sizes == [22 + 3, 20 + 3, 20 + 3 + 1]  # never below twice the elites


def test_executes_the_best_plan_ever_seen():
    """Every candidate's first action is recorded; the decision must be the best of them."""
    seen = []

    def record(step, action):
        seen.extend(np.asarray(action)[np.asarray(step) == 0])

    model = world(lambda step, action: jnp.where(step == 0, jnp.sin(9 * action[:, 0]), 0.0))
    spied = model._replace(
        predict=lambda p, b, a, k: (jax.debug.callback(record, b, a), model.predict(p, b, a, k))[1]
    )
    action, _, found = decide(spied)
    jax.effects_barrier()
    values = np.sin(9 * np.array(seen)[:, 0])
    assert len(values) == (60 + 3) + (48 + 3) + (38 + 3 + 1)
    np.testing.assert_allclose(found.value[0], values.max(), atol=1e-6)
    np.testing.assert_array_equal(action[0], seen[int(values.argmax())])


def test_kept_elites_never_lose_ground():
    """With kept elites the best value of a static task cannot fall from one decision to the next."""
    model = quadratic(np.repeat(TARGET[:1], 4, axis=0))
    warm, values = None, []
    for seed in range(6):
        _, warm, found = decide(model, warm=warm, seed=seed)
        values.append(float(found.value[0]))
    assert values[-1] > values[0] and values[-1] > -0.6, values


def test_warm_start_is_the_shifted_plan():
    _, warm, _ = decide(quadratic(TARGET))
    assert bool(warm.known[0]) and warm.elites.shape == (1, 3, 4, 2)
    np.testing.assert_array_equal(warm.mean[:, -1], warm.mean[:, -2])
    assert (warm.elites >= SPACE.low).all() and (warm.elites <= SPACE.high).all()


def test_keep_zero_is_allowed():
    action, _, found = decide(
        quadratic(TARGET), dataclasses.replace(CONFIG, keep=0.0, population=200, iterations=6)
    )
    assert np.isfinite(found.value).all() and np.abs(np.asarray(action[0]) - TARGET[0]).max() < 0.9
