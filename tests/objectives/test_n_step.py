"""n-step returns against a loop over the steps of random episodes, whose rewards are primes."""

import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.objectives.n_step import n_step_return

ROWS, LENGTH = 60, 9
PRIMES = np.array([2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37])


def episodes(players, seed=0):
    """Rows that begin anywhere in an episode and go on into the next ones, as a ring has them."""
    rng = np.random.default_rng(seed)
    reward = rng.choice(PRIMES, (ROWS, LENGTH)).astype(np.float32)
    value = rng.choice(PRIMES, (ROWS, LENGTH)).astype(np.float32) + 0.5
    player = rng.integers(0, players, (ROWS, LENGTH)).astype(np.int8)
    last = rng.random((ROWS, LENGTH)) < 0.25
    last[:, -1] = True
    return reward, value, player, last, last & (rng.random((ROWS, LENGTH)) < 0.4)


def by_hand(row, discount, steps):
    """The return and whether it is known, of one row."""
    reward, value, player, last, truncated = row
    total, weight = 0.0, 1.0
    for k in range(LENGTH):
        sign = 1 if player[k] == player[0] else -1
        if k == steps:
            return total + weight * sign * value[k], True
        total += weight * sign * reward[k]
        weight *= discount
        if last[k]:
            return total, not truncated[k]
    raise AssertionError("every row ends")


@pytest.mark.parametrize("players", [1, 2])
@pytest.mark.parametrize(("discount", "steps"), [(1.0, None), (0.9, None), (0.9, 1), (0.997, 5), (1.0, 8)])
def test_returns_are_those_of_a_loop(players, discount, steps):
    rows = episodes(players)
    found, known = n_step_return(*map(jnp.asarray, rows), discount=discount, steps=steps)
    wanted = [by_hand([part[i] for part in rows], discount, steps) for i in range(ROWS)]
    np.testing.assert_array_equal(known, [each for _, each in wanted])
    assert 0 < np.mean(known) < 1 or steps == 1
    where = np.asarray(known)
    np.testing.assert_allclose(found[where], np.array([each for each, _ in wanted])[where], rtol=1e-5)


@pytest.mark.parametrize("steps", [0, LENGTH])
def test_the_step_of_the_bootstrap_must_be_there(steps):
    with pytest.raises(ValueError, match="steps must lie in"):
        n_step_return(*map(jnp.asarray, episodes(1)), steps=steps)
