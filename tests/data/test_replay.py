"""Replay against a deque."""

from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from imaginax.data.replay import Ring, item_replay, ring_replay
from imaginax.types import ConfigError


@given(num_envs=st.integers(1, 3), rows=st.integers(1, 4), adds=st.integers(0, 12))
def test_keeps_the_newest_items_like_a_deque(num_envs, rows, adds):
    capacity = num_envs * rows
    replay = item_replay({"x": jnp.zeros(2), "n": jnp.zeros((), jnp.int32)}, capacity, num_envs)
    state, kept = replay.init(), deque(maxlen=capacity)
    for step in range(adds):
        numbers = np.arange(num_envs) + step * num_envs
        state = replay.add(
            state, {"x": jnp.stack([numbers, -numbers], -1) * 1.0, "n": jnp.asarray(numbers, jnp.int32)}
        )
        kept.extend(numbers.tolist())
    items, count = replay.data(state)
    assert int(count) == len(kept)
    filled = np.asarray(items["n"])[: int(count)]
    np.testing.assert_array_equal(np.asarray(items["x"])[: int(count), 1], -1.0 * filled)
    assert filled.tolist() == list(kept)  # the oldest first


def test_adds_within_a_compiled_scan():
    replay = item_replay(jnp.zeros(()), 6, 2)
    fill = jax.jit(
        lambda s: jax.lax.scan(lambda s, x: (replay.add(s, x), None), s, jnp.arange(8.0).reshape(4, 2))[0]
    )
    items, count = replay.data(fill(replay.init()))
    assert int(count) == 6 and sorted(items.tolist()) == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("capacity", [0, 5])
def test_a_capacity_that_does_not_fit_the_environments_is_refused(capacity):
    with pytest.raises(ConfigError, match="capacity"):
        item_replay(jnp.zeros(()), capacity, 2)


@given(st.sampled_from([item_replay, ring_replay]), st.integers(1, 3), st.integers(1, 4), st.integers(0, 12))
def test_a_longer_replay_goes_on_with_what_a_shorter_one_held(make, num_envs, rows, adds):
    """Both then hold, the oldest first, what a deque holds that was given more room, whatever had wrapped."""
    unit = num_envs if make is item_replay else 1
    short, long = (make(jnp.zeros(()), unit * length, num_envs) for length in (rows, rows + 3))
    state, kept = short.init(), deque(maxlen=rows)
    for step in range(adds):
        state = short.add(state, jnp.arange(num_envs) + 10.0 * step)
        kept.append(step)
    state, kept = long.lengthen(state), deque(kept, maxlen=rows + 3)
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, long.init())
    for step in range(adds, adds + 5):
        state = long.add(state, jnp.arange(num_envs) + 10.0 * step)
        kept.append(step)
        found = long.data(state)
        if isinstance(found, Ring):
            order = (int(found.start) + np.arange(int(found.count))) % (rows + 3)
            held = np.asarray(found.items)[:, order].T
        else:
            held = np.sort(np.asarray(found[0])[: int(found[1])]).reshape(-1, num_envs)
        np.testing.assert_array_equal(held, np.arange(num_envs) + 10.0 * np.asarray(kept)[:, None])


@pytest.mark.parametrize("adds", [2, 4, 7])
def test_a_minibatch_is_uniform_over_what_is_kept(adds):
    replay = item_replay(jnp.zeros(()), 8, 2, batch=8)
    state = replay.init()
    for step in range(adds):
        state = replay.add(state, jnp.arange(2.0) + 2 * step)
    drawn = jax.vmap(lambda key: replay.sample(state, key))(jax.random.split(jax.random.key(0), 1000))
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(max(0, 2 * adds - 8), 2 * adds))
    assert stats.chisquare(counts).pvalue > 1e-3
