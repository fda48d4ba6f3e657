"""What every board game promises: signs, turns, limits, planes from the mover's side."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.games import names, pgx_games
from imaginax.types import ConfigError

SMALL = [("tic_tac_toe", 9), ("connect_four", 42), ("othello", 66), ("hex_3x3", 10), ("go_5x5", 50)]
LARGE = [("gardner_chess", 60), ("animal_shogi", 60), ("chess", 60), ("shogi", 40)]
EVERY = SMALL + [pytest.param(*game, marks=pytest.mark.slow) for game in LARGE]


@pytest.mark.parametrize(("name", "moves"), EVERY)
def test_players_alternate_and_outcomes_cancel(name, moves, random_games):
    games = random_games(name, 16, moves)
    for game in range(16):
        length = games.moves(game)
        before, after = games.timesteps, games.after
        np.testing.assert_array_equal(before.player[:length, game], np.arange(length) % 2)
        assert before.first[0, game] and not before.first[1:length, game].any()
        assert not after.reward[: length - 1, game].any() and (after.discount[: length - 1, game] == 1).all()
        assert not after.reward[length:, game].any(), "a step after the end is worth nothing"
        if after.last[length - 1, game]:
            assert after.discount[length - 1, game] == 0 and not after.truncated[:, game].any()
            assert after.reward[length - 1, game] in (-1, 0, 1)
    assert games.timesteps.legal.any(-1).all()
    assert games.timesteps.legal.sum(-1)[~np.asarray(games.after.last)].max() <= games.env.game.max_legal
    assert games.timesteps.observation.shape[2:] == games.env.spec.observation.shape
    assert games.timesteps.observation.dtype == games.env.spec.observation.dtype


@pytest.mark.parametrize(("name", "moves"), EVERY)
def test_rewards_of_both_players_sum_to_zero(name, moves, random_games):
    """In pgx's own array, which has both; the reward of a time step is the mover's entry."""
    games = random_games(name, 16, moves)
    states = games.states
    np.testing.assert_array_equal(states.rewards.sum(-1), 0)
    movers = np.take_along_axis(states.rewards[1:], 1 - states.current_player[1:, :, None], axis=-1)[..., 0]
    fresh = ~np.asarray(games.timesteps.last[:-1])
    np.testing.assert_array_equal(games.after.reward[:-1][fresh], movers[fresh])


@pytest.mark.parametrize("name", ["tic_tac_toe", "connect_four", "hex_3x3"])
def test_who_completes_the_line_wins(name, random_games):
    """These games end by their winner's own move, so no reward is negative."""
    games = random_games(name, 16, games_length := envs.make(name).spec.max_steps)
    assert games_length == {"tic_tac_toe": 9, "connect_four": 42, "hex_3x3": 10}[name]
    assert (games.after.reward >= 0).all() and games.after.reward.max() == 1
    assert games.after.last[-1].all()


@pytest.mark.parametrize(("name", "moves"), [("connect_four", 42), ("othello", 66), ("go_5x5", 50)])
def test_planes_show_the_movers_stones_first(name, moves, random_games):
    """Against `Position`, which is drawn for the player who began."""
    games = random_games(name, 16, moves)
    squares = jax.vmap(jax.vmap(pgx_games.position(names.parse(name))))(games.states).squares
    mine = squares * (1 - 2 * games.timesteps.player[..., None, None])
    moved = ~np.asarray(games.timesteps.first)  # pgx's Go has no history before the first move
    planes = games.timesteps.observation[moved]
    np.testing.assert_array_equal(planes[..., 0], np.asarray(mine)[moved] > 0)
    np.testing.assert_array_equal(planes[..., 1], np.asarray(mine)[moved] < 0)


def test_colours_of_go_are_alike_to_the_network(random_games):
    """A pass hands the same position to the other player: planes swap places, the colour plane turns over."""
    env = envs.make("go_5x5")
    state = random_games("go_5x5", 16, 50).state(7, 3)
    passed, timestep = env.step(state, jnp.int32(25), jax.random.key(0))
    before, after = np.asarray(env.game.planes(state)), np.asarray(env.game.planes(passed))
    np.testing.assert_array_equal(after[..., 0], before[..., 1])
    np.testing.assert_array_equal(after[..., 1], before[..., 0])
    assert (after[..., 16] != before[..., 16]).all() and int(timestep.player) == 0


def test_the_colour_plane_of_go_is_one_if_black_is_to_play():
    """AlphaGo Zero, "Neural network architecture": C is 1 if Black is to play and 0 if White is."""
    env = envs.make("go_5x5")
    state, timestep = env.init(jax.random.key(0))
    for black in (True, False, True):
        for planes in (timestep.observation, env.game.planes(env.game.expand(env.game.compact(state)))):
            assert (np.asarray(planes)[..., 16] == black).all()
        state, timestep = env.step(state, jnp.argmax(timestep.legal), jax.random.key(0))


def test_othello_passes_only_without_a_move(random_games):
    legal = random_games("othello", 16, 66).timesteps.legal
    running = ~np.asarray(random_games("othello", 16, 66).timesteps.last)
    np.testing.assert_array_equal(legal[running][:, 64], ~legal[running][:, :64].any(1))


def test_a_swap_in_hex_gives_away_the_mirrored_first_stone():
    env = envs.make("hex_5x5")
    state, timestep = env.init(jax.random.key(0))
    assert not timestep.legal[25] and timestep.legal[:25].all()
    state, timestep = env.step(state, jnp.int32(7), jax.random.key(0))
    assert timestep.legal[25] and not timestep.legal[7] and timestep.observation[..., 3].all()
    state, timestep = env.step(state, jnp.int32(25), jax.random.key(0))
    squares = np.asarray(pgx_games.position(names.parse("hex_5x5"))(state).squares)
    assert squares[2, 1] == -1 and np.abs(squares).sum() == 1, "the stone of b2 c1 is the other's, at row 2"
    assert int(timestep.player) == 0 and not timestep.legal[25]


def test_a_shorter_limit_truncates_and_a_longer_one_changes_nothing():
    env = envs.make("connect_four", max_steps=3)
    assert env.spec.max_steps == 3 and envs.make("connect_four", max_steps=99).spec.max_steps == 42
    step = jax.jit(env.step)
    state, timestep = env.init(jax.random.key(0))
    for column in (0, 1, 2):
        assert not timestep.last
        state, timestep = step(state, jnp.int32(column), jax.random.key(0))
    assert timestep.last and timestep.truncated and timestep.discount == 1 and timestep.reward == 0


def test_a_true_end_at_the_limit_is_not_truncated():
    env = envs.make("tic_tac_toe", max_steps=5)
    state, timestep = env.init(jax.random.key(0))
    for square in (0, 3, 1, 4, 2):
        state, timestep = jax.jit(env.step)(state, jnp.int32(square), jax.random.key(0))
    assert timestep.last and not timestep.truncated and timestep.discount == 0 and timestep.reward == 1


def test_two_passes_or_2n2_moves_end_go(random_games):
    games = random_games("go_5x5", 16, 50)
    lengths = [games.moves(game) for game in range(16)]
    assert games.after.last[-1].all() and not games.after.truncated.any() and max(lengths) == 50
    passes = games.actions == 25
    for game, length in enumerate(lengths):
        twice = np.flatnonzero(passes[1:length, game] & passes[: length - 1, game])
        assert list(twice) == [length - 2] or (length == 50 and len(twice) == 0)


def test_an_illegal_action_loses():
    env = envs.make("tic_tac_toe")
    state, _ = env.init(jax.random.key(0))
    state, _ = env.step(state, jnp.int32(4), jax.random.key(0))
    state, timestep = env.step(state, jnp.int32(4), jax.random.key(0))
    assert timestep.last and timestep.reward == -1 and timestep.discount == 0


def test_games_repeat_no_action_and_take_no_limit_below_one():
    with pytest.raises(ConfigError, match="action_repeat of the game chess must be 1"):
        envs.make("chess", action_repeat=2)
    with pytest.raises(ConfigError, match="max_steps must be at least 1"):
        envs.make("connect_four", max_steps=0)


def test_a_step_fits_the_carry_of_a_scan():
    """Same structure, shapes and strong types; othello's initial turn is a Python number in pgx."""
    for name in ("othello", "go_5x5"):
        env = envs.make(name)
        initial = jax.eval_shape(env.init, jax.random.key(0))
        after = jax.eval_shape(env.step, initial[0], jnp.int32(0), jax.random.key(0))
        assert jax.tree.structure(initial) == jax.tree.structure(after)
        for a, b in zip(jax.tree.leaves(initial), jax.tree.leaves(after), strict=True):
            assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type) and not a.weak_type
