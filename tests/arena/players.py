"""Players whose thoughts are known."""

from __future__ import annotations

import jax.numpy as jnp

from imaginax import envs
from imaginax.arena.engine import Engine, TimedPlayer
from imaginax.arena.gtp import Gtp
from imaginax.types import Player, SearchSummary


def counting(simulations: int | None) -> Player:
    """Moves to the last legal action, and expects `simulations` / 10000 and its params."""
    worth = (simulations or 0) / 10_000

    def move(params, memory, timestep, key):
        del key
        order = jnp.arange(timestep.legal.shape[-1]) + 1.0
        policy = jnp.where(timestep.legal, order, 0.0)
        action = policy.argmax(axis=-1).astype(jnp.int32)
        line = jnp.stack([action, -jnp.ones_like(action)], axis=-1)
        value = jnp.full(action.shape, worth) + params
        return action, memory, SearchSummary(policy / policy.sum(-1, keepdims=True), value, line)

    return Player("counting", lambda batch: (), move)


def remembering(simulations: int | None) -> Player:
    """Its line says what it remembers: its thoughts, in hundreds, and the moves that it was told."""
    player = counting(simulations)

    def move(params, memory, timestep, key):
        action, _, summary = player.move(params, (), timestep, key)
        line = summary.line.at[:, 1].set(memory)
        return action, memory + 100, summary._replace(line=line)

    return Player(
        "remembering",
        lambda batch: jnp.zeros(batch, jnp.int32),
        move,
        lambda memory, action: memory + action + 1,
    )


def engine(game: str, *, simulations: int | None = None, worth: float = 0.0) -> Engine:
    """A game with the counting player."""
    return Engine(envs.make(game), TimedPlayer(counting, jnp.float32(worth), simulations=simulations))


def said(gtp: Gtp, *lines: str) -> list[str | None]:
    """The answers to some lines of GTP."""
    return [gtp.answer(line) for line in lines]
