"""Hamiltonian Monte Carlo (Duane et al. 1987; Neal 1993): draws from exp(-energy).

A draw follows Hamilton's equations from a random momentum by the leapfrog scheme, which is reversible and
keeps the energy up to second order in its step, and is accepted by Metropolis' rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.numerics.config import HMCConfig

Energy = Callable[[Array], Array]


class Chain(NamedTuple):
    """Draws [S ...], their energies, and the share of proposals that was accepted, the burn-in left out."""

    draws: Float[Array, "S *P"]
    energies: Float[Array, "S"]
    acceptance: Float[Array, ""]


def leapfrog(
    energy: Energy,
    position: Float[Array, "*P"],
    momentum: Float[Array, "*P"],
    *,
    step: Array | float,
    steps: int,
) -> tuple[Float[Array, "*P"], Float[Array, "*P"]]:
    """Position and momentum after `steps` steps; with the momentum turned round they lead back."""
    gradient = jax.grad(energy)

    def drift_kick(carry: tuple, _: None) -> tuple[tuple, None]:
        position, momentum = carry
        position = position + step * momentum
        return (position, momentum - step * gradient(position)), None

    momentum = momentum - step / 2 * gradient(position)
    (position, momentum), _ = jax.lax.scan(drift_kick, (position, momentum), length=steps)
    return position, momentum + step / 2 * gradient(position)


def sample(energy: Energy, start: Float[Array, "*P"], config: HMCConfig, key: Array) -> Chain:
    """A chain of draws from the density proportional to exp(-energy).

    Args:
        energy: of one position; NaN and infinity are never accepted.
        start: where the chain begins.
        config: how.
        key: consumed.
    """

    def draw(carry: tuple, key: Array) -> tuple[tuple, tuple]:
        position, value = carry
        key_momentum, key_accept = jax.random.split(key)
        momentum = jax.random.normal(key_momentum, position.shape, position.dtype)
        moved, end = leapfrog(energy, position, momentum, step=config.step, steps=config.leapfrog)
        reached = energy(moved)
        rise = reached - value + jnp.sum(end**2 - momentum**2) / 2
        uniform = jax.random.uniform(key_accept, dtype=position.dtype)
        accepted = jnp.log(uniform) < -rise  # false where the rise is not a number
        position, value = jnp.where(accepted, moved, position), jnp.where(accepted, reached, value)
        return (position, value), (position, value, accepted)

    keys = jax.random.split(key, config.burn_in + config.draws)
    _, (draws, energies, accepted) = jax.lax.scan(draw, (start, energy(start)), keys)
    kept = slice(config.burn_in, None)
    return Chain(draws[kept], energies[kept], jnp.mean(accepted[kept].astype(start.dtype)))
