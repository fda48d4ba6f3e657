"""Imagined returns of particles that come to an end, against one particle at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.imagination import imagined_returns
from imaginax.models.particles import advance, certain_particles
from imaginax.types import Capabilities, WorldModel

EDGE = 1.0
KEY = jax.random.key(0)


def walk(drift, *, ends):
    """Particle p moves by the action and `drift[p]`; reward: where it gets to, not a number beyond 3."""

    def predict(params, belief, action, key):
        following = belief.states + action[:, None] + drift[:, None]
        reward = jnp.where(following[..., 0] < 3.0, following[..., 0], jnp.nan)
        return advance(belief, following, reward, ends(following[..., 0]))

    encode = lambda params, observation, key: certain_particles(observation, len(drift), ends=True)  # noqa: E731
    return WorldModel(None, encode, None, predict, None, None, Capabilities(continuous=True))


def alone(drift, plan, end):
    """What one particle collects, on average over its ends."""
    place, alive, total = 0.0, 1.0, 0.0
    for action in plan:
        if alive == 0.0:
            break
        place = place + action + drift
        total += alive * place
        alive *= 1 - end(place)
    return total


@pytest.mark.parametrize(
    "ends, end",
    [
        (lambda x: (x > EDGE).astype(float), lambda x: float(x > EDGE)),
        (lambda x: jax.nn.sigmoid(4 * (x - EDGE)), lambda x: 1 / (1 + np.exp(-4 * (x - EDGE)))),
    ],
    ids=["known", "learned"],
)
def test_returns_are_the_mean_of_what_each_particle_collects_until_its_end(ends, end):
    drift = jnp.array([0.0, 0.1, -0.2, 0.4])
    model = walk(drift, ends=ends)
    plans = jnp.array([[0.3, 0.3, 0.3, 0.3], [0.0, -0.5, 0.2, 0.1], [0.9, 0.9, -1.0, 0.2]])
    belief = model.encode((), jnp.zeros((1, 1)), KEY)
    got = imagined_returns(model, (), belief, plans[None, :, :, None], KEY)[0]
    for value, plan in zip(got, plans, strict=True):
        expected = np.mean([alone(float(d), np.asarray(plan, float), end) for d in drift])
        np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_nothing_is_imagined_past_an_end():
    """After one step of 2 all are over: later rewards, which are not numbers, do not count; nothing moves."""
    model = walk(jnp.zeros(3), ends=lambda x: (x > EDGE).astype(float))
    belief = model.encode((), jnp.zeros((1, 1)), KEY)
    value = imagined_returns(model, (), belief, jnp.full((1, 1, 6, 1), 2.0), KEY)
    np.testing.assert_array_equal(value, [[2.0]])
    for _ in range(3):
        belief, prediction = model.predict((), belief, jnp.full((1, 1), 2.0), KEY)
    np.testing.assert_array_equal(belief.states, jnp.full((1, 3, 1), 2.0))
    assert prediction.reward == 0.0 and prediction.discount == 0.0
