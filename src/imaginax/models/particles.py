"""Beliefs that are sets of particles in observation space, and what learned dynamics predict of them.

An episode may end in imagination: where the model knows its end, every particle carries the probability that
its episode still goes on, and what it would do afterwards neither counts nor moves it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.types import Prediction


class Particles(NamedTuple):
    """P equally likely states of each of B problems.

    Attributes:
        states: observations.
        alive: probability that the episode of a particle goes on; None where the model knows no end.
    """

    states: Float[Array, "B P D"]
    alive: Float[Array, "B P"] | None = None


def certain_particles(observation: Float[Array, "B D"], count: int, *, ends: bool) -> Particles:
    """`count` particles at what is observed; with `ends` they can come to an end."""
    states = jnp.repeat(observation[:, None], count, axis=1)
    return Particles(states, jnp.ones_like(states[..., 0]) if ends else None)


def advance(
    belief: Particles,
    following: Float[Array, "B P D"],
    reward: Float[Array, "B P"],
    end: Float[Array, "B P"] | None = None,
) -> tuple[Particles, Prediction]:
    """One imagined step.

    Args:
        belief: before the step.
        following: where each particle goes.
        reward: of each particle's step.
        end: probability that the step ends the episode; None where the belief knows no end.

    Returns:
        The belief after the step, and its prediction: the mean reward of the particles that were alive, and
        as discount the fraction of them that still are. The sum of rewards, each multiplied by all discounts
        before it, is then the mean over particles of what each collects until its own end.
    """
    if belief.alive is None or end is None:
        mean = reward.mean(1)
        return Particles(following, belief.alive), Prediction(mean, jnp.ones_like(mean))
    moves = belief.alive > 0
    alive = belief.alive * (1 - end)
    before = belief.alive.sum(1)
    share = 1 / jnp.where(before > 0, before, 1)
    collected = jnp.where(moves, belief.alive * reward, 0)
    states = jnp.where(moves[..., None], following, belief.states)
    alive = jnp.where(moves, alive, 0)
    return Particles(states, alive), Prediction(share * collected.sum(1), share * alive.sum(1))
