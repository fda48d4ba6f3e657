"""Games as sequences of moves: played again from their record, and told apart."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt

from imaginax.arena.batches import select
from imaginax.envs.wrappers import privileged, strip_weak_types
from imaginax.types import Environment, State, TimeStep


def replay(env: Environment, actions: Int[Array, " T"], key: Array) -> tuple[State, TimeStep]:
    """The states and time steps [T + 1, ...] of one recorded game, for pictures, records and solvers.

    Args:
        env: the game that was played.
        actions: its moves, -1 after its end, where the last state is repeated.
        key: of `env.init`, which decides nothing that shows on the board of the games here.
    """
    env = privileged(env)
    first = strip_weak_types(env.init(key))
    _, rest = jax.lax.scan(functools.partial(_replay_step, env), first, actions)
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)


def _replay_step(env: Environment, carry: tuple[State, TimeStep], action: Array):
    played = strip_weak_types(env.step(carry[0], jnp.maximum(action, 0), jax.random.key(0)))
    carry = select(action >= 0, played, carry)
    return carry, carry


def fingerprints(actions: Int[Array, "T G"]) -> UInt[Array, "G"]:
    """A hash of the moves of every game: equal moves, equal numbers."""

    def mix(hashed: Array, moves: Array):
        hashed = (hashed ^ moves.astype(jnp.uint32)) * jnp.uint32(0x9E3779B1)
        return hashed ^ (hashed >> 15), None

    return jax.lax.scan(mix, jnp.zeros(actions.shape[1], jnp.uint32), actions)[0]


def count_distinct(values: UInt[Array, "G"]) -> Int[Array, ""]:
    """How many different values there are."""
    ordered = jnp.sort(values)
    return 1 + (ordered[1:] != ordered[:-1]).sum(dtype=jnp.int32)
