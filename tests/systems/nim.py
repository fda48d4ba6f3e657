"""Nim: fifteen matches, whoever moves takes one to three, and who takes the last one wins."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.types import Box, Discrete, Environment, EnvSpec, Game, Symmetries, TimeStep

MATCHES, MOST = 15, 3


class NimState(NamedTuple):
    left: Array
    mover: Array


def nim() -> Environment:
    """Planes [1 16 1] show how many are left; action a takes a + 1 matches."""
    spec = EnvSpec("nim", Box((1, MATCHES + 1, 1), 0.0, 1.0), Discrete(MOST), max_steps=MATCHES, players=2)
    same = lambda x: x  # noqa: E731
    symmetries = Symmetries(lambda planes, index: planes, jnp.arange(MOST)[None])
    game = Game(planes, same, same, same, same, symmetries, max_legal=MOST)
    return Environment(spec, init, step, game=game)


def planes(state: NimState) -> Array:
    return jax.nn.one_hot(state.left, MATCHES + 1)[None, :, None]


def init(key: Array) -> tuple[NimState, TimeStep]:
    del key
    state = NimState(jnp.int32(MATCHES), jnp.int32(0))
    return state, timestep(state, jnp.zeros(()), jnp.zeros((), bool), first=True)


def step(state: NimState, action: Array, key: Array) -> tuple[NimState, TimeStep]:
    del key
    left = jnp.maximum(state.left - action.astype(jnp.int32) - 1, 0)
    over = left == 0
    state = NimState(left, 1 - state.mover)
    return state, timestep(state, over.astype(jnp.float32), over, first=False)


def timestep(state: NimState, reward: Array, over: Array, *, first: bool) -> TimeStep:
    return TimeStep(
        observation=planes(state),
        reward=reward,
        discount=1.0 - over,
        first=jnp.asarray(first),
        last=over,
        truncated=jnp.zeros((), bool),
        legal=jnp.arange(MOST) < jnp.maximum(state.left, 1),
        player=state.mover,
    )
