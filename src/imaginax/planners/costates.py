"""Gradients of a plan by Pontryagin's maximum principle (Kamthe & Deisenroth 2018, section 3.2).

With the deterministic dynamics z' = f(z, u) of beliefs z and the stage cost l, the Hamiltonian and the
costates of a plan u_0 .. u_{H-1} are

    H_t = l(z_t, u_t) + lambda_{t+1}' f(z_t, u_t),    lambda_H = 0,    lambda_t = dH_t / dz_t

and the gradient of the plan's cost J is dJ / du_t = dH_t / du_t. The result is that of reverse-mode
differentiation of the whole roll-out, from derivatives of single steps.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Linear(NamedTuple):
    """Derivatives along a plan, of n numbers of the state and A of the control.

    Attributes:
        jacobian: of f in (z, u).
        gradient: of the stage cost c(z, u, z'), l(z, u) = c(z, u, f(z, u)), in (z, u, z').
    """

    jacobian: Float[Array, "H n n+A"]
    gradient: Float[Array, "H n+A+n"]


class Costates(NamedTuple):
    """lambda_t, t from 0 to H - 1, and dJ / du."""

    costates: Float[Array, "H n"]
    gradient: Float[Array, "H A"]


def costates(linear: Linear) -> Costates:
    """The costates of a plan and the gradient of its cost, from the last step to the first."""
    size = linear.jacobian.shape[1]

    def backward(costate: Array, step: Linear):
        slope = step.gradient[:-size] + (step.gradient[-size:] + costate) @ step.jacobian
        return slope[:size], Costates(slope[:size], slope[size:])

    return jax.lax.scan(backward, jnp.zeros(size, linear.jacobian.dtype), linear, reverse=True)[1]
