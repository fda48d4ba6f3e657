"""Model-predictive control: plan, execute the first action, observe, plan again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from imaginax.types import Params, Planner, TimeStep, WorldModel


def make_mpc(model: WorldModel, planner: Planner) -> Callable[..., Any]:
    """The `act` of a system whose observation determines the belief.

    Its params are the world model's. At the first step of an episode the planner forgets its warm start. The
    extras hold the predicted return of the plan.
    """

    def act(params: Params, carry: PyTree, timestep: TimeStep, key: Array):
        key_encode, key_plan = jax.random.split(key)
        carry = restart(planner, carry, timestep.first)
        belief = model.encode(params, timestep.observation, key_encode)
        action, carry, output = planner.plan(params, belief, carry, key_plan, timestep.legal)
        return carry, action, {"plan_value": output.value}

    return act


def restart(planner: Planner, memory: PyTree, first: Bool[Array, "B"]) -> PyTree:
    """What the planner remembers of the decision before: nothing where an episode begins."""

    def forget(new: Array, old: Array) -> Array:
        return jnp.where(first.reshape(-1, *(1,) * (old.ndim - 1)), new, old)

    return jax.tree.map(forget, planner.init(len(first)), memory)
