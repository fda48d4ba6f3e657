"""World models, planners, and the players of games."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, PyTree

from imaginax.types.environments import TimeStep

Params = PyTree
Belief = PyTree
Metrics = dict[str, Array]


class Capabilities(NamedTuple):
    """What a model offers and what a planner needs; `check_compatible` checks needs <= can."""

    discrete: bool = False
    continuous: bool = False
    value: bool = False
    policy: bool = False
    differentiable: bool = False  # predictions, in beliefs and actions; in forward mode at least
    gaussian_belief: bool = False  # beliefs are `gaussian.Gaussian`s of observations


class Evaluation(NamedTuple):
    """What a model thinks of a belief: its value for the player to move, and logits over actions.

    Illegal actions have the lowest finite logit, where the model knows which they are.
    """

    value: Float[Array, "*#B"]
    policy: Float[Array, "*#B A"]


class Prediction(NamedTuple):
    """What a model says of one imagined step; None where it says nothing.

    `value` and `policy` are of where the step led.
    """

    reward: Float[Array, "*#B"]
    discount: Float[Array, "*#B"]
    value: Float[Array, "*#B"] | None = None
    policy: Float[Array, "*#B A"] | None = None


class WorldModel(NamedTuple):
    """Batched functions that encode, filter, imagine and learn.

    init:    key -> params
    encode:  (params, observation [B, ...], key) -> belief
    observe: (params, belief, action, observation, key) -> belief
    predict: (params, belief, action [B, ...], key) -> (belief, Prediction)
    decode:  (params, belief) -> distribution over observations, or None
    loss:    (params, data, key) -> (scalar, metrics, beliefs it inferred, [B T ...], or None)
    evaluate: (params, belief, key) -> Evaluation, of a model that offers value and policy

    Between two players who move in turn a prediction's reward is that of the player who moved, its value
    that of the player to move then, and its discount negative: return = reward + discount * value.
    """

    init: Callable[[Array], Params]
    encode: Callable[[Params, PyTree, Array], Belief]
    observe: Callable[[Params, Belief, Array, PyTree, Array], Belief]
    predict: Callable[[Params, Belief, Array, Array], tuple[Belief, Prediction]]
    decode: Callable[[Params, Belief], Any]
    loss: Callable[[Params, PyTree, Array], tuple[Array, Metrics, Belief | None]]
    can: Capabilities
    evaluate: Callable[[Params, Belief, Array], Evaluation] | None = None


class PlanOutput(NamedTuple):
    """What a planner found, besides its action: its plan's predicted return [B], and the plan's actions."""

    value: Float[Array, "*#B"]
    plan: PyTree


class Planner(NamedTuple):
    """A batched decision rule over any world model that offers what it `needs`.

    init: batch size -> plan_state (the warm start of the first decision)
    plan: (params, belief, plan_state, key, legal) -> (action [B, ...], plan_state, PlanOutput)
    """

    needs: Capabilities
    init: Callable[[int], PyTree]
    plan: Callable[..., tuple[Array, PyTree, PlanOutput]]


class SearchSummary(NamedTuple):
    """What a player's search found: visit shares, expected value, principal variation (-1 after its end)."""

    policy: Float[Array, "*#B A"]
    value: Float[Array, "*#B"]
    line: Int[Array, "*#B H"]


class Player(NamedTuple):
    """One side of a game, for B games at once, as pure functions.

    init:    batch size -> memory
    move:    (params, memory, time step of the `privileged` game [B], key)
             -> (action [B], memory, SearchSummary); a system's player takes
             what the system's `act` takes, `System.params_of(learner)`
    observe: (memory, action [B]) -> memory; told of every action of both sides, its own included
    """

    name: str
    init: Callable[[int], PyTree]
    move: Callable[[Params, PyTree, TimeStep, Array], tuple[Array, PyTree, SearchSummary]]
    observe: Callable[[PyTree, Array], PyTree] = lambda memory, action: memory
