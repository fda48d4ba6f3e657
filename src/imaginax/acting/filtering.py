"""Filtering apart from deciding: what is believed about an environment, and who chooses by it.

Systems whose world model has a memory act in the same way:

    belief <- observe(belief, previous action, observation)    all forgotten where an episode begins
    action <- decide(belief)                                   a planner, an actor, a controller, a search
    action <- explore(action)

The `act` made here runs inside compiled chunks and on host environments alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax.acting.exploration import Explore
from imaginax.numerics.trees import select
from imaginax.types import Belief, Discrete, EnvSpec, Params, Planner, TimeStep, WorldModel


class Decide(NamedTuple):
    """Chooses actions by beliefs.

    Attributes:
        init: batch size -> memory of the first decision of an episode.
        decide: (params, belief, memory, time step, key) -> (action [B ...], memory, extras); the extras, a
            NamedTuple or (), say more of the decision.
    """

    init: Callable[[int], PyTree]
    decide: Callable[[Params, Belief, PyTree, TimeStep, Array], tuple[Array, PyTree, PyTree]]


class Memory(NamedTuple):
    """What acting carries from step to step.

    Attributes:
        belief: about the last step.
        action: that was taken then, as the environment got it.
        decision: the memory of `Decide`, such as a planner's warm start.
    """

    belief: Belief
    action: Array
    decision: PyTree


class Extras(NamedTuple):
    """What is known of a decision besides its action.

    Attributes:
        belief: the posterior by which it was made; replay may store it.
        decision: what `Decide` says of it.
    """

    belief: Belief
    decision: PyTree


def make_act(
    model: WorldModel, spec: EnvSpec, decide: Decide, explore: Explore | None = None
) -> Callable[[Params, Memory, TimeStep, Array], tuple[Memory, Array, Extras]]:
    """(params, memory, time step [B ...], key) -> (memory, action [B ...], extras).

    Args:
        model: filters; `params` are its parameters and those of `decide`.
        spec: of the environment.
        decide: chooses.
        explore: changes what was chosen; the model is told the changed action.
    """

    def act(params: Params, memory: Memory, timestep: TimeStep, key: Array) -> tuple[Memory, Array, Extras]:
        key_observe, key_decide, key_explore = jax.random.split(key, 3)
        fresh = start(model, spec, decide, params, len(timestep.first))
        belief, action, before = select(timestep.first, fresh, memory)
        belief = model.observe(params, belief, action, timestep.observation, key_observe)
        action, after, extras = decide.decide(params, belief, before, timestep, key_decide)
        if explore is not None:
            action = explore(action, timestep, key_explore)
        return Memory(belief, action, after), action, Extras(belief, extras)

    return act


def start(model: WorldModel, spec: EnvSpec, decide: Decide, params: Params, batch: int) -> Memory:
    """The memory before an episode: a belief of zeros, no action, and the decision's own beginning."""
    observation = jax.ShapeDtypeStruct((batch, *spec.observation.shape), spec.observation.dtype)
    shapes = jax.eval_shape(model.encode, params, observation, jax.random.key(0))
    belief = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return Memory(belief, no_action(spec, batch), decide.init(batch))


def no_action(spec: EnvSpec, batch: int) -> Array:
    """What stands for the action before the first observation: zeros, or -1, which is no class at all."""
    if isinstance(spec.action, Discrete):
        return jnp.full(batch, -1, jnp.int32)
    return jnp.zeros((batch, *spec.action.shape))


# ---------------------------------------------------------------- deciders


class Planned(NamedTuple):
    """What is known of a planned action: `value` [B], the return that the planner predicts."""

    value: Array


def by_planning(planner: Planner) -> Decide:
    """Executes the first action that the planner finds."""

    def decide(params: Params, belief: Belief, memory: PyTree, timestep: TimeStep, key: Array):
        action, memory, found = planner.plan(params, belief, memory, key, timestep.legal)
        return action, memory, Planned(found.value)

    return Decide(planner.init, decide)


def by_policy(policy: Callable[[Params, Belief], Any], spec: EnvSpec, *, greedy: bool = False) -> Decide:
    """Draws an action from the policy's distribution, or takes its mode.

    Args:
        policy: (params, belief) -> distribution over actions, one-hot vectors where they are discrete.
        spec: of the environment, whose discrete actions are numbers.
        greedy: take the mode.
    """

    def decide(params: Params, belief: Belief, memory: PyTree, timestep: TimeStep, key: Array):
        del timestep
        distribution = policy(params, belief)
        action = distribution.mode() if greedy else distribution.sample(seed=key)
        if isinstance(spec.action, Discrete):
            action = jnp.argmax(action, axis=-1).astype(jnp.int32)
        return action, memory, ()

    return Decide(lambda batch: (), decide)
