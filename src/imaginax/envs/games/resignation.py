"""A game in which one may resign, by one action more than its rules have."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.types import Discrete, Environment, State, TimeStep


def resign_action(env: Environment) -> int:
    """The action that resigns in `resignable(env)`: the first number that is no move."""
    assert isinstance(env.spec.action, Discrete), "only board games can be resigned"
    return env.spec.action.size


def resignable(env: Environment) -> Environment:
    """The game in which `resign_action(env)` loses it at once.

    That action is in no set of legal ones and `spec.action` stays the game's own, so that searches and
    networks know nothing of it.
    """
    resign = resign_action(env)

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        state, timestep = env.step(state, jnp.minimum(action, resign - 1), key)
        lost = timestep._replace(
            reward=jnp.full_like(timestep.reward, -1.0),
            discount=jnp.zeros_like(timestep.discount),
            last=jnp.ones_like(timestep.last),
            truncated=jnp.zeros_like(timestep.truncated),
        )
        return state, jax.tree.map(lambda a, b: jnp.where(action == resign, a, b), lost, timestep)

    return env._replace(step=step)
