"""Stretches that are drawn from replay are stretches of what was put in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.data.replay import ring_replay
from imaginax.data.sequences import sample_sequences, sequence_replay
from imaginax.types import Trajectory

PLACES, CAPACITY = 3, 10


def item(step):
    """Items whose observation is 100 x place + step."""
    number = jnp.arange(PLACES, dtype=jnp.float32) * 100 + step
    flag = jnp.full(PLACES, step % 4 == 0)
    return Trajectory(number, number[:, None], number, number, flag)


@pytest.fixture(scope="module")
def drawn():
    """Draws after so many steps."""
    replay = ring_replay(jax.tree.map(lambda x: x[0], item(0)), CAPACITY, PLACES)
    add = jax.jit(replay.add)

    def draw(steps, length, batch=2000, **how):
        state = replay.init()
        for step in range(steps):
            state = add(state, item(step))
        return sample_sequences(replay.data(state), jax.random.key(steps), batch=batch, length=length, **how)

    return draw


@pytest.mark.parametrize("steps", [4, 9, 10, 13, 27])
def test_stretches_are_consecutive_of_one_place_and_uniform(drawn, steps):
    found = drawn(steps, length=4)
    observation = np.asarray(found.observation)
    np.testing.assert_array_equal(np.diff(observation, axis=1), 1)
    place, begin = np.divmod(observation[:, 0], 100)
    oldest, newest = max(0, steps - CAPACITY), steps - 1
    values, counts = np.unique(begin, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(oldest, newest - 2))
    expected = len(begin) / len(values)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    assert set(place) == {0.0, 1.0, 2.0}
    np.testing.assert_array_equal(found.first, observation % 100 % 4 == 0)
    np.testing.assert_array_equal(found.action[..., 0], observation)


@pytest.mark.parametrize(
    ("steps", "shares"),
    [(27, {17: 3, 20: 1, 21: 3, 24: 1}), (13, {3: 1, 4: 1, 5: 3, 8: 1, 9: 2})],
    ids=["whole", "cut off at the oldest step"],
)
def test_ends_of_episodes_are_drawn_more_often(drawn, steps, shares):
    """Of episodes of four, sequences of three: those that would reach over an end stop there instead."""
    observation = np.asarray(drawn(steps, length=3, prioritize_ends=True).observation)
    np.testing.assert_array_equal(np.diff(observation, axis=1), 1)
    values, counts = np.unique(observation[:, 0] % 100, return_counts=True)
    assert values.tolist() == list(shares)
    expected = len(observation) * np.array(list(shares.values())) / 8
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_sequences_with_stored_beliefs_have_one_step_more():
    """Its belief is where the filter goes on; the belief of every step is that of its observation."""
    with_belief = lambda step: item(step)._replace(belief={"h": item(step).action + 0.5})  # noqa: E731
    for make, steps in ((item, 4), (with_belief, 5)):
        example = jax.tree.map(lambda x: x[0], make(0))
        replay = sequence_replay(example, CAPACITY, PLACES, batch=50, sequence=4)
        state = replay.init()
        for step in range(13):
            state = replay.add(state, make(step))
        found = replay.sample(state, jax.random.key(0))
        assert found.observation.shape == (50, steps)
        np.testing.assert_array_equal(np.diff(found.observation, axis=1), 1)
    np.testing.assert_array_equal(found.belief["h"][..., 0], found.observation + 0.5)
