"""Prioritised replay: probabilities and weights in closed form, and no sequence over the ring's seam."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imaginax.data.prioritised import importance_weights, prioritised_replay
from imaginax.types import ConfigError

N, LENGTH, BATCH = 2, 8, 4000


def filled(steps, sequence, **options):
    """A replay after so many steps; the item of place n at step t is 100 n + t."""
    made = prioritised_replay(jnp.zeros(()), LENGTH, N, batch=BATCH, sequence=sequence, **options)
    fill = lambda state, t: (made.replay.add(state, 100.0 * jnp.arange(N) + t), None)  # noqa: E731
    state = jax.jit(lambda: jax.lax.scan(fill, made.replay.init(), jnp.arange(1.0 * steps))[0])()
    return made, state


@pytest.mark.parametrize("steps", [5, 8, 11, 21])
def test_sequences_are_consecutive_never_cross_the_seam_and_are_uniform_at_first(steps):
    made, state = filled(steps, sequence=3)
    batch = made.replay.sample(state, jax.random.key(0))
    items = np.asarray(batch.items)
    np.testing.assert_array_equal(np.diff(items, axis=1), 1)
    oldest = max(0, steps - LENGTH)
    places = [100 * n + t for n in range(N) for t in range(oldest, steps - 2)]
    values, counts = np.unique(items[:, 0], return_counts=True)
    np.testing.assert_array_equal(values, places)
    assert stats.chisquare(counts).pvalue > 1e-3
    np.testing.assert_allclose(batch.weights, 1.0, rtol=1e-5)
    ring = made.replay.data(state)
    order = (int(ring.start) + np.arange(int(ring.count))) % LENGTH
    np.testing.assert_array_equal(np.asarray(ring.items)[0, order], np.arange(oldest, steps))


@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_probabilities_and_weights_are_those_of_the_paper(alpha):
    """P = p^alpha / sum p^alpha, w = (N P)^-beta / max w."""
    beta = 0.4
    made, state = filled(LENGTH, sequence=1, alpha=alpha, beta=beta)
    indices = jnp.arange(N * LENGTH)
    priorities = jnp.linspace(0.1, 3.0, N * LENGTH)
    state = made.set_priorities(state, indices, priorities)
    batch = made.replay.sample(state, jax.random.key(1))
    p = np.asarray(priorities, float) ** alpha
    p /= p.sum()
    counts = np.bincount(batch.indices, minlength=N * LENGTH)
    assert np.abs(counts - BATCH * p).max() < 5 * np.sqrt(BATCH * p.max())
    assert stats.chisquare(counts, BATCH * p).pvalue > 1e-3
    raw = (N * LENGTH * p[batch.indices]) ** -beta
    np.testing.assert_allclose(batch.weights, raw / raw.max(), rtol=1e-3)
    np.testing.assert_array_equal(batch.items[:, 0], 100 * (batch.indices // LENGTH) + batch.indices % LENGTH)


def test_weights_correct_the_mean():
    """With beta = 1 the weighted mean of a number over draws is its plain mean over what is kept."""
    made, state = filled(LENGTH, sequence=1, alpha=1.0, beta=1.0)
    state = made.set_priorities(state, jnp.arange(N * LENGTH), jnp.linspace(0.5, 2.0, N * LENGTH))
    batch = made.replay.sample(state, jax.random.key(2))
    found = np.average(batch.items[:, 0] % 100, weights=batch.weights)
    assert found == pytest.approx((LENGTH - 1) / 2, abs=0.15)
    assert np.mean(batch.items[:, 0] % 100) != pytest.approx((LENGTH - 1) / 2, abs=0.15)


def test_a_priority_of_zero_is_never_drawn_and_new_items_have_the_largest():
    made, state = filled(LENGTH, sequence=1, alpha=1.0)
    state = made.set_priorities(state, jnp.arange(N * LENGTH), jnp.zeros(N * LENGTH).at[3].set(5.0))
    assert set(np.asarray(made.replay.sample(state, jax.random.key(0)).indices)) == {3}
    state = made.replay.add(state, jnp.array([50.0, 150.0]))
    values, counts = np.unique(made.replay.sample(state, jax.random.key(1)).items, return_counts=True)
    np.testing.assert_array_equal(values, [3, 50, 150])
    assert stats.chisquare(counts).pvalue > 1e-3


def test_what_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="sequence .9. must lie in"):
        prioritised_replay(jnp.zeros(()), 8, 1, batch=1, sequence=9)
    longer = prioritised_replay(jnp.zeros(()), LENGTH + 1, N, batch=1, sequence=1).replay
    with pytest.raises(ConfigError, match="keeps the length"):
        longer.lengthen(filled(2, sequence=1)[1])


def test_what_has_no_priority_has_no_weight_and_never_appears_in_a_long_run():
    """Thousands of changes by large factors: a tree of sums that is changed by differences would drift."""
    made, state = filled(LENGTH, sequence=3, alpha=1.0)

    def change(state, t):
        state = made.replay.add(state, 100.0 * jnp.arange(N) + t)
        start = made.replay.data(state).start
        newest = (start + LENGTH - 3) % LENGTH + LENGTH * jnp.arange(N)
        state = made.set_priorities(state, newest, jnp.array([1e-3, 300.0]))
        batch = made.replay.sample(state, jax.random.fold_in(jax.random.key(0), t))
        crossed = jnp.any(jnp.diff(batch.items, axis=1) != 1)
        return state, (crossed, jnp.isfinite(batch.weights).all(), (batch.weights == 0).any())

    _, (crossed, finite, none) = jax.jit(
        lambda state: jax.lax.scan(change, state, jnp.arange(LENGTH, LENGTH + 3000.0))
    )(state)
    assert not crossed.any() and finite.all() and not none.any()
    weights = importance_weights(jnp.array([0.0, 0.5, 0.25]), 1.0)
    np.testing.assert_allclose(weights, [0.0, 0.5, 1.0])


def test_every_step_of_a_large_replay_can_be_drawn():
    """Running sums of more than 2^24 equal priorities skip numbers in float32, and with them steps."""
    places, steps, batch = 4096, 8192, 20_000
    made = prioritised_replay(jnp.zeros((), jnp.int8), steps, places, batch=batch, sequence=1)
    state = made.replay.init()
    state = state._replace(priorities=jnp.ones((places, steps)))
    indices = np.asarray(jax.jit(made.replay.sample)(state, jax.random.key(0)).indices)
    assert stats.chisquare(np.bincount(indices % 4, minlength=4)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(indices // (steps * places // 8), minlength=8)).pvalue > 1e-3
