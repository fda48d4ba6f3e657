"""Model-predictive control: plan, execute the first action, observe, plan again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from imaginax.types import Planner, TimeStep, WorldModel


def make_mpc(model: WorldModel, planner: Planner, params_of: Callable[[Any], Any]) -> Callable[..., Any]:
    """The `act` of a system whose observation determines the belief.

    At the first step of an episode the planner forgets its warm start. `params_of(learner)` gives the
    world model's parameters; the extras hold the predicted return of the plan.
    """

    def act(learner, carry, timestep: TimeStep, key):
        key_encode, key_plan = jax.random.split(key)
        carry = restart(planner, carry, timestep.first)
        params = params_of(learner)
        belief = model.encode(params, timestep.observation, key_encode)
        action, carry, output = planner.plan(params, belief, carry, key_plan, timestep.legal)
        return carry, action, {"plan_value": output.value}

    return act


def restart(planner: Planner, memory: PyTree, first: Bool[Array, "B"]) -> PyTree:
    """What the planner remembers of the decision before: nothing where an episode begins."""

    def forget(new: Array, old: Array) -> Array:
        return jnp.where(first.reshape(-1, *(1,) * (old.ndim - 1)), new, old)

    return jax.tree.map(forget, planner.init(len(first)), memory)
