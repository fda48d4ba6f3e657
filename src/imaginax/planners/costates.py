"""Gradients of a plan by Pontryagin's maximum principle (Kamthe & Deisenroth 2018, section 3.2).

With the deterministic dynamics z' = f(z, u) of beliefs z and the stage cost l, the Hamiltonian and the
costates of a plan u_0 .. u_{H-1} are

    H_t = l(z_t, u_t) + lambda_{t+1}' f(z_t, u_t),    lambda_H = 0,    lambda_t = dH_t / dz_t

and the gradient of the plan's cost J is dJ / du_t = dH_t / du_t. The result is that of reverse-mode
differentiation of the whole roll-out; here the costates are there to be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Stage = Callable[[PyTree, PyTree], tuple[PyTree, Array]]  # (z, (u, extra)) -> (next z, l)


class Plan(NamedTuple):
    """A plan's cost and its derivatives.

    Attributes:
        cost: J.
        gradient: dJ / du.
        costates: lambda_t, t from 0 to H - 1, of the shape of z.
        states: z_1 .. z_H.
    """

    cost: Float[Array, ""]
    gradient: Float[Array, "H A"]
    costates: PyTree
    states: PyTree


def differentiate(stage: Stage, start: PyTree, controls: Float[Array, "H A"], extra: PyTree = None) -> Plan:
    """The cost of a plan and its gradient.

    Args:
        stage: (z, (u, extra of that step)) -> (next z, cost of the step).
        start: z_0.
        controls: the plan.
        extra: anything with a leading axis H that the stage cost depends on.
    """

    def forward(state: PyTree, inputs: tuple[Array, PyTree]):
        control, own = inputs
        (following, cost), back = jax.vjp(lambda z, u: stage(z, (u, own)), state, control)
        return following, (following, cost, back)

    def backward(costate: PyTree, back: Callable[..., tuple[PyTree, Array]]):
        costate, slope = back((costate, one))
        return costate, (costate, slope)

    last, (states, costs, backs) = jax.lax.scan(forward, start, (controls, extra))
    one = jnp.ones_like(costs[0])
    nothing = jax.tree.map(jnp.zeros_like, last)
    _, (costates, gradient) = jax.lax.scan(backward, nothing, backs, reverse=True)
    return Plan(jnp.sum(costs), gradient, costates, states)
