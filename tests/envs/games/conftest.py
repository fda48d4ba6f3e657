"""Random games, played once for every test that asks for the same ones."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs


class Games(NamedTuple):
    """B random games of one kind.

    Attributes:
        env: the game.
        states: [T, B] the position before each move, as numpy arrays.
        timesteps: [T, B] what the mover was told then.
        actions: [T, B]
        after: [T, B] the time step that the move led to.
    """

    env: object
    states: object
    timesteps: object
    actions: np.ndarray
    after: object

    def moves(self, game):
        """How many moves one of the games has."""
        ended = np.asarray(self.after.last[:, game])
        return int(ended.argmax()) + 1 if ended.any() else len(ended)

    def state(self, step, game):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf[step, game]), self.states)


def random_move(legal, key):
    return jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf))


@functools.cache
def play(name, batch, moves, seed=0):
    """Games of at most `moves` random legal moves; a finished one stays as it is."""
    env = envs.make(name)

    def move(carry, key):
        state, timestep = carry
        action = jax.vmap(random_move)(timestep.legal, jax.random.split(key, batch))
        following = jax.vmap(env.step, (0, 0, None))(state, action, key)
        return following, (state, timestep, action, following[1])

    @jax.jit
    def games(key):
        key_init, key_play = jax.random.split(key)
        initial = jax.vmap(env.init)(jax.random.split(key_init, batch))
        return jax.lax.scan(move, initial, jax.random.split(key_play, moves))[1]

    return Games(env, *jax.tree.map(np.asarray, games(jax.random.key(seed))))


@pytest.fixture(scope="session")
def random_games():
    return play
