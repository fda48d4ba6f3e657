"""Resigning loses at once, whoever resigns, and changes nothing else."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from imaginax import envs
from imaginax.envs.games.resignation import resign_action, resignable


def test_who_resigns_loses_and_all_else_is_as_before():
    game = envs.make("tic_tac_toe")
    env = resignable(game)
    key = jax.random.key(0)
    state, _ = env.init(key)
    for action in (4, 0):
        plain, wanted = game.step(state, jnp.int32(action), key)
        state, timestep = env.step(state, jnp.int32(action), key)
        for a, b in zip(jax.tree.leaves((plain, wanted)), jax.tree.leaves((state, timestep)), strict=True):
            assert jnp.array_equal(a, b)
    _, lost = env.step(state, jnp.int32(resign_action(env)), key)
    assert (lost.reward, lost.discount, lost.last, lost.truncated) == (-1.0, 0.0, True, False)
