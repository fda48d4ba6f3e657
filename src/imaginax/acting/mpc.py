"""Model-predictive control: plan, execute the first action, observe, plan again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, PyTree

from imaginax.acting.filtering import Planned
from imaginax.numerics.trees import select
from imaginax.types import Params, Planner, TimeStep, WorldModel


def make_mpc(model: WorldModel, planner: Planner) -> Callable[..., Any]:
    """The `act` of a system whose observation determines the belief.

    Its params are the world model's. At the first step of an episode the planner forgets its warm start. The
    extras hold the predicted return of the plan.
    """

    def act(params: Params, carry: PyTree, timestep: TimeStep, key: Array):
        key_encode, key_plan = jax.random.split(key)
        carry = select(timestep.first, planner.init(len(timestep.first)), carry)
        belief = model.encode(params, timestep.observation, key_encode)
        action, carry, output = planner.plan(params, belief, carry, key_plan, timestep.legal)
        return carry, action, Planned(output.value)

    return act
