from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pytest

from imaginax import envs
from imaginax.envs.wrappers import training_environment

ACTIONS = {
    "asterix": 5,
    "breakout": 3,
    "freeway": 3,
    "seaquest": 6,
    "space_invaders": 4,
}  # of MinAtar's paper


@cache
def made(game: str):
    env = envs.make(f"minatar_{game}")
    return env, jax.jit(env.init), jax.jit(env.step)


@pytest.mark.parametrize("game", ["breakout", "freeway"])
def test_the_same_game_as_pgx_plays(game):
    """With the same keys: what is seen, the rewards and the end."""
    env, init, step = made(game)
    theirs = pgx.make(f"minatar-{game}")
    their_step = jax.jit(theirs.step)
    key = jax.random.key(3)
    state, timestep = init(key)
    other = jax.jit(theirs.init)(key)
    assert env.spec.action.size == ACTIONS[game] == theirs.num_actions
    assert timestep.first and timestep.observation.shape == env.spec.observation.shape
    for _ in range(200):
        key, key_action, key_step = jax.random.split(key, 3)
        action = jax.random.randint(key_action, (), 0, env.spec.action.size)
        state, timestep = step(state, action, key_step)
        other = their_step(other, action, key_step)
        np.testing.assert_array_equal(timestep.observation, other.observation)
        assert timestep.reward == other.rewards[0] and timestep.last == other.terminated
        assert timestep.discount == 1 - other.terminated and not timestep.truncated
        if timestep.last:
            break
    assert timestep.last == (game == "breakout")  # a game of Freeway takes 2,500 steps


def test_games_start_again_by_themselves():
    env = training_environment(envs.make("minatar_breakout"), 4)
    state, timestep = jax.jit(env.init)(jax.random.key(0))

    def body(carry, key):
        state, timestep = env.step(carry, jnp.zeros(4, jnp.int32), key)
        return state, timestep

    _, steps = jax.lax.scan(body, state, jax.random.split(jax.random.key(1), 60))
    assert (steps.last[:-1] == steps.first[1:]).all() or (steps.last == steps.first).all()
    assert steps.last.sum() >= 4
    assert (steps.discount == ~steps.last).all()


def test_a_picture_shows_the_planes():
    env, init, _ = made("breakout")
    state, timestep = init(jax.random.key(0))
    image = np.asarray(env.render(state))
    assert image.shape == (200, 200, 3) and image.dtype == np.uint8
    bricks = np.asarray(timestep.observation)[..., 3]
    assert bricks.sum() == 30
    cells = image[10::20, 10::20]
    assert len(np.unique(cells[bricks], axis=0)) == 1
    assert not (cells[bricks][0] == cells[5, 5]).all()
