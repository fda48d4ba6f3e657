"""Spaces, time steps and environments."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.errors import ConfigError

State = PyTree


@dataclasses.dataclass(frozen=True)
class Discrete:
    """`size` actions, numbered from zero."""

    size: int

    def __post_init__(self):
        if self.size < 1:
            raise ConfigError(f"Discrete.size must be at least 1, got {self.size}")

    @property
    def shape(self) -> tuple[int, ...]:
        return ()


@dataclasses.dataclass(frozen=True)
class Box:
    """Real vectors (or images) of `shape`; bounds are one number for all entries."""

    shape: tuple[int, ...]
    low: float = -math.inf
    high: float = math.inf
    dtype: Any = jnp.float32

    def __post_init__(self):
        if not self.low < self.high:
            raise ConfigError(f"Box.low must be below Box.high, got {self.low} and {self.high}")
        if any(size < 1 for size in self.shape):
            raise ConfigError(f"Box.shape must be positive, got {self.shape}")


Space = Discrete | Box


@dataclasses.dataclass(frozen=True)
class EnvSpec:
    """What an environment promises.

    Attributes:
        name: the name under which the environment is registered.
        observation: shape and type of what the agent sees.
        action: `Discrete` or bounded `Box`.
        max_steps: steps after which an episode is truncated.
        players: 1, or 2 for a board game.
        step_seconds: simulated seconds between two actions; 0 where time has no unit.
    """

    name: str
    observation: Box
    action: Space
    max_steps: int
    players: int = 1
    step_seconds: float = 0.0

    def __post_init__(self):
        if self.max_steps < 1:
            raise ConfigError(f"EnvSpec.max_steps must be at least 1, got {self.max_steps}")
        if isinstance(self.action, Box) and not math.isfinite(self.action.high - self.action.low):
            raise ConfigError(f"EnvSpec.action of {self.name} must have finite bounds")


class TimeStep(NamedTuple):
    """What the agent is told after a reset or a step.

    `discount` is 0 after a true termination and 1 otherwise, so a truncated episode (`last` and
    `truncated`) still bootstraps. `legal` is None where every action is allowed. `player` is the player to
    move, 0 for the one who began. `steps` counts those of the environment: several where an action is held,
    none in a reset. After an automatic reset `observation` is the first one of the new episode and
    `final_observation` what the last step really led to; else the two are the same, or it is None.
    """

    observation: PyTree
    reward: Float[Array, "*#N"]
    discount: Float[Array, "*#N"]
    first: Bool[Array, "*#N"]
    last: Bool[Array, "*#N"]
    truncated: Bool[Array, "*#N"]
    legal: Bool[Array, "*#N A"] | None = None
    player: Int[Array, "*#N"] | int = 0
    final_observation: PyTree | None = None
    steps: Int[Array, "*#N"] | int = 1


class Features(NamedTuple):
    """How a learned dynamics model sees an environment (PETS, appendix: pre- and postprocessing).

    All three act on the last axis, with any leading axes. `angles` are given where `inputs` are the other
    numbers, then (sine, cosine) of each angle, and the target is the difference.
    """

    inputs: Callable[[Array], Array]  # observation D -> network input features F
    target: Callable[[Array, Array], Array]  # (observation, next observation) -> regression target D
    apply: Callable[[Array, Array], Array]  # (observation, predicted target) -> next observation
    angles: tuple[int, ...] | None = None


class Symmetries(NamedTuple):
    """The G maps of a board onto itself that leave its rules as they are, the identity first.

    planes: (planes [H W C], index of the map) -> planes [H W C]
    actions: [G A]; action a becomes `actions[g, a]` under map g
    """

    planes: Callable[[Array, Array], Array]
    actions: Int[Array, "G A"]


class Game(NamedTuple):
    """What search and learning use of a board game besides its rules; functions of one state.

    planes:  state -> [H W C]: the board and its history as the player to move sees them, a network's input
    pack:    planes -> the same in few bytes, for replay; `unpack` restores them exactly
    compact: state -> the same in few bytes, for search trees; `expand` restores it, so that every later
             observation, set of legal actions and outcome is that of the original
    max_legal: no position has more legal actions than this
    """

    planes: Callable[[State], Array]
    pack: Callable[[Array], PyTree]
    unpack: Callable[[PyTree], Array]
    compact: Callable[[State], PyTree]
    expand: Callable[[PyTree], State]
    symmetries: Symmetries
    max_legal: int


class Environment(NamedTuple):
    """The true rules of a game or of a physical system, as pure functions of one state.

    `reward(observation, action, next_observation)`, on the last axis, is the task's reward written on
    observations, where the task publishes it: planners with a learned model need it.
    `terminated(observation)`, on the last axis: whether an episode that leads there has ended for good.
    `render(state)` gives a uint8 image [H, W, 3].
    `expected_reward(before, action, after)`: mean and variance of `reward` between Gaussian observations.
    `limits`: the `envs.limits.Limit` that observations must keep.

    An environment that is no JAX program has a `host` (`envs.host.interface.Host`), which opens real copies.
    Its `init` is a placeholder of the right shapes, its `step` cannot be compiled, and wrappers change
    the `host`.

    In a game of two players (`spec.players`) they move in turn, the reward is that of the player who just
    moved, and `game` says how search and networks see it.
    """

    spec: EnvSpec
    init: Callable[[Array], tuple[State, TimeStep]]
    step: Callable[[State, Array, Array], tuple[State, TimeStep]]
    render: Callable[[State], Array] | None = None
    reward: Callable[[Array, Array, Array], Array] | None = None
    features: Features | None = None
    host: Any = None
    game: Game | None = None
    expected_reward: Callable[[Any, Array, Any], tuple[Array, Array]] | None = None
    limits: tuple[Any, ...] = ()
    terminated: Callable[[Array], Array] | None = None


class Transition(NamedTuple):
    """One environment step, as replay stores it."""

    observation: PyTree
    action: PyTree
    reward: Array
    discount: Array
    next_observation: PyTree


class Trajectory(NamedTuple):
    """A stretch of experience [T, ...]; `first[t]` says that an episode starts at t.

    `belief` is what acting believed after each observation, where replay stores it.
    """

    observation: PyTree
    action: PyTree
    reward: Array
    discount: Array
    first: Array
    belief: PyTree | None = None
