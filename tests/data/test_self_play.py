"""Steps are sampled from the window of ended episodes only, with targets for whoever moved."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.data import self_play
from imaginax.envs.wrappers import privileged
from imaginax.types import ConfigError

LENGTH = 20


@pytest.fixture(scope="module")
def env():
    return privileged(envs.make("tic_tac_toe", max_steps=9))


def _step(env, *, episode, ply, reward=0.0, last=False, truncated=False):
    """A step of one environment whose search liked action `ply` best; `ply` also says who moved."""
    example = self_play._example(env)
    return example._replace(
        action=jnp.int16(ply),
        actions=(jnp.arange(9) + ply).astype(jnp.int16) % 9,
        shares=jnp.asarray([0.75, 0.25, *[0.0] * 7], jnp.float16),
        value=jnp.float32(ply / 8),
        reward=jnp.float32(reward),
        last=jnp.asarray(last),
        truncated=jnp.asarray(truncated),
        player=jnp.int8(ply % 2),
        episode=jnp.int32(episode),
    )


def _filled(env, games):
    """Replay after games given as (length, reward of the last mover, truncated); the last goes on."""
    replay = self_play.self_play_replay(env, LENGTH, 1)
    state = replay.init()
    add = jax.jit(replay.add)
    for game, (length, reward, truncated) in enumerate(games):
        for ply in range(length):
            last = ply == length - 1 and reward is not None
            new = _step(
                env,
                episode=game,
                ply=ply,
                reward=reward if last else 0.0,
                last=last,
                truncated=last and truncated,
            )
            state = add(state, jax.tree.map(lambda x: x[None], new))
    return replay.data(state)


def _sample(env, plies, window=100, rows=256, **options):
    draw = jax.jit(
        lambda key: self_play.sample(
            plies, env.game.unpack, key, each=rows, longest=env.spec.max_steps, window=window, **options
        )
    )
    return jax.tree.map(np.asarray, draw(jax.random.key(0)))


def test_outcomes_are_those_of_the_player_who_moved(env):
    plies = _filled(env, [(5, 1.0, False), (4, 0.0, False), (6, 1.0, False), (3, None, False)])
    batch = _sample(env, plies)
    assert batch.valid.all() and batch.has_value.all()
    favourite = batch.actions[:, 0]  # equals the number of the ply
    assert set(favourite) == set(range(6))  # of ended games; the running one's plies have no outcome
    # Games of 5 plies are won by the player of plies 0, 2, 4; of 6 plies by that of 1, 3, 5.
    assert set(batch.value[favourite == 5]) == {1.0}
    assert set(batch.value[favourite == 4]) == {1.0, -1.0}  # the last of five, the last but one of six
    assert set(batch.value[favourite == 0]) == {1.0, 0.0, -1.0}
    np.testing.assert_allclose(batch.shares.sum(1), 1.0, rtol=1e-3)
    np.testing.assert_allclose(batch.shares[:, 0], 0.75, rtol=1e-3)


def test_outcomes_mix_with_what_the_search_expected(env):
    """Ply p of the only game, of five plies, was worth p / 8 to whoever moved."""
    batch = _sample(env, _filled(env, [(5, 1.0, False), (1, None, False)]), search_value=0.25)
    ply = batch.actions[:, 0]
    np.testing.assert_allclose(batch.value, 0.75 * np.where(ply % 2, -1, 1) + 0.25 * ply / 8, rtol=1e-3)
    assert set(ply) == set(range(5))


def test_the_window_is_counted_in_games_and_leaves_out_the_one_under_way(env):
    plies = _filled(env, [(5, 1.0, False), (4, 0.0, False), (6, 1.0, False), (3, None, False)])
    newest = _sample(env, plies, window=1)
    assert set(newest.actions[:, 0]) == set(range(6))
    assert set(newest.value) == {1.0, -1.0}
    assert np.array_equal(newest.value, np.where(newest.actions[:, 0] % 2 == 1, 1.0, -1.0))
    two = _sample(env, plies, window=2)
    assert set(two.value) == {1.0, 0.0, -1.0}
    shares = [np.mean(two.value == 0.0), 4 / 10]
    assert abs(shares[0] - shares[1]) < 0.1, "plies of the window are equally likely"


def test_a_game_that_has_just_ended_counts(env):
    batch = _sample(env, _filled(env, [(4, 0.0, False), (5, 1.0, False)]), window=1)
    assert np.array_equal(batch.value, np.where(batch.actions[:, 0] % 2 == 0, 1.0, -1.0))


def test_truncated_games_have_no_outcome(env):
    batch = _sample(env, _filled(env, [(5, 0.0, True), (4, 1.0, False), (1, None, False)]))
    assert batch.valid.all()
    assert 0 < batch.has_value.mean() < 1
    assert set(batch.actions[batch.has_value == 0, 0]) == set(range(5))


def test_rows_before_the_first_end_of_a_game_are_invalid(env):
    batch = _sample(env, _filled(env, [(5, None, False)]))
    assert not batch.valid.any() and not batch.has_value.any()


def test_the_ring_forgets_the_oldest_plies(env):
    games = [(5, 1.0, False)] + [(6, 1.0, False)] * 4 + [(2, None, False)]  # 31 plies, 20 are kept
    batch = _sample(env, _filled(env, games))
    # Kept are the last 20: all of three games of six but for none of the first game.
    assert np.array_equal(batch.value, np.where(batch.actions[:, 0] % 2 == 1, 1.0, -1.0))


def test_a_short_ring_is_refused(env):
    with pytest.raises(ConfigError, match="window_plies must be at least"):
        self_play.self_play_replay(env, env.spec.max_steps, 1)
