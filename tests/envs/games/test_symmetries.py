"""A game played on a mapped board is the mapped game."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs

GAMES = [
    ("tic_tac_toe", 9, 8),
    ("connect_four", 42, 2),
    ("othello", 66, 4),
    ("hex_3x3", 10, 2),
    ("go_5x5", 50, 8),
]


def move(env, index, state, action):
    """One move on a board under a map, told in the terms of the board itself; planes are as they are seen."""
    actions = env.game.symmetries.actions[index]
    state, timestep = env.step(state, actions[action], jax.random.key(0))
    return state, (env.game.planes(state), timestep.legal[actions], timestep.reward, timestep.last)


@pytest.mark.parametrize(("name", "moves", "maps"), GAMES)
def test_rules_commute_with_every_map(name, moves, maps, random_games):
    games = random_games(name, 16, moves)
    env, symmetries, every = games.env, games.env.game.symmetries, jnp.arange(maps)
    assert symmetries.actions.shape == (maps, env.spec.action.size)
    np.testing.assert_array_equal(symmetries.actions[0], np.arange(env.spec.action.size))

    def mapped_game(actions, index):
        return jax.lax.scan(partial(move, env, index), env.init(jax.random.key(0))[0], actions)[1]

    planes, *found = jax.jit(jax.vmap(jax.vmap(mapped_game, (None, 0)), (1, None)))(games.actions, every)
    wanted = (games.after.legal, games.after.reward, games.after.last)
    for a, b in zip(wanted, found, strict=True):
        for index in range(maps):
            np.testing.assert_array_equal(a.swapaxes(0, 1), b[:, index])
    of_all_maps = jax.vmap(symmetries.planes, (None, 0))
    turned = jax.jit(jax.vmap(jax.vmap(of_all_maps, (0, None)), (0, None)))(
        games.after.observation.swapaxes(0, 1), every
    )
    np.testing.assert_array_equal(turned.swapaxes(1, 2), planes)


@pytest.mark.parametrize("name", ["tic_tac_toe", "go_5x5", "othello", "hex_3x3"])
def test_maps_differ_and_form_a_group(name):
    actions = np.asarray(envs.make(name).game.symmetries.actions)
    rows = {tuple(row) for row in actions}
    assert len(rows) == len(actions)
    assert {tuple(a[b]) for a in actions for b in actions} == rows


@pytest.mark.parametrize("name", ["chess", "shogi", "gardner_chess", "animal_shogi"])
def test_pieces_have_no_symmetry(name):
    game = envs.make(name).game
    np.testing.assert_array_equal(game.symmetries.actions, np.arange(envs.make(name).spec.action.size)[None])
    planes = jax.random.uniform(jax.random.key(0), envs.make(name).spec.observation.shape)
    np.testing.assert_array_equal(game.symmetries.planes(planes, jnp.int32(0)), planes)
