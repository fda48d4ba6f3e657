"""A game played on from compact states is the same game."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.games import notation

SMALL = [("tic_tac_toe", 9), ("connect_four", 42), ("othello", 66), ("hex_3x3", 10), ("go_5x5", 50)]
LARGE = [("gardner_chess", 200), ("animal_shogi", 100), ("chess", 200), ("shogi", 100)]
EVERY = SMALL + [pytest.param(*game, marks=pytest.mark.slow) for game in LARGE]
# bytes of a state as pgx keeps it, and of a compact one
BYTES = {"connect_four": (285, 20), "go_9x9": (5718, 1568), "chess": (46266, 1723), "shogi": (14463, 380)}


@pytest.mark.parametrize(("name", "moves"), EVERY)
def test_play_on_from_compact_states(name, moves, random_games):
    """Every position is squeezed and restored before the move that was really played."""
    games = random_games(name, 8, moves)
    env, game = games.env, games.env.game

    def move(packed, action):
        state, timestep = env.step(game.expand(packed), action, jax.random.key(0))
        return game.compact(state), (timestep, game.planes(state))

    @jax.jit
    @jax.vmap
    def replay(packed, actions):
        return jax.lax.scan(move, packed, actions)[1]

    first = jax.tree.map(lambda leaf: leaf[0], games.states)
    timesteps, planes = replay(jax.jit(jax.vmap(game.compact))(first), games.actions.T)
    for wanted, found in zip(jax.tree.leaves(games.after), jax.tree.leaves(timesteps), strict=True):
        np.testing.assert_array_equal(wanted, np.asarray(found).swapaxes(0, 1))
    np.testing.assert_array_equal(games.after.observation, np.asarray(planes).swapaxes(0, 1))


@pytest.mark.parametrize("name", BYTES)
def test_compact_states_are_small(name):
    state, _ = jax.eval_shape(envs.make(name).init, jax.random.key(0))
    packed = jax.eval_shape(envs.make(name).game.compact, state)
    assert (size(state), size(packed)) == BYTES[name]


def size(tree):
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@pytest.mark.slow
def test_a_repetition_is_found_from_compact_states():
    """Knights go out and home twice: the third occurrence of the first position ends the game."""
    env = envs.make("gardner_chess")
    move = jax.jit(lambda packed, action: env.step(env.game.expand(packed), action, jax.random.key(0)))
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    for text in ("b1a3", "b5c3", "a3b1", "c3b5") * 2:
        assert not timestep.last
        action = notation.parse_move("gardner_chess", state, text)
        state, timestep = move(env.game.compact(state), action)
    assert timestep.last and timestep.discount == 0 and timestep.reward == 0
