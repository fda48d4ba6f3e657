"""Limits on what an observation may become, as in the constrained tasks of GP-MPC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imaginax.types import Environment, State, TimeStep


class Limit(NamedTuple):
    """One number of the observation has to stay between `low` and `high`."""

    index: int
    low: float = -math.inf
    high: float = math.inf


def outside(limits: Sequence[Limit], observation: Float[Array, "*batch D"]) -> Bool[Array, "*batch"]:
    """Whether an observation breaks one of the limits."""
    broken = jnp.zeros(observation.shape[:-1], bool)
    for limit in limits:
        value = observation[..., limit.index]
        broken |= (value < limit.low) | (value > limit.high)
    return broken


def stop_outside(
    env: Environment,
    limits: tuple[Limit, ...],
    *,
    observe: Callable[[State], Float[Array, "D"]],
    reward: float,
) -> Environment:
    """A violated limit ends the trial: the environment stands still from then on.

    Its clock runs on, so that every trial takes the same number of steps.

    Args:
        env: a single environment that does not reset itself.
        limits: of its observation; every start keeps them.
        observe: its state -> observation.
        reward: of every step after the violation.
    """

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        stopped = outside(limits, observe(state))
        following, timestep = env.step(state, action, key)
        following = jax.tree.map(lambda old, new: jnp.where(stopped, old, new), state, following)
        timestep = timestep._replace(
            observation=jnp.where(stopped, observe(state), timestep.observation),
            reward=jnp.where(stopped, reward, timestep.reward),
        )
        return following, timestep

    return env._replace(step=step, limits=limits)
