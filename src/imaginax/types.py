"""The vocabulary that every part of imaginax shares.

Shape letters used in annotations and docstrings:

    B  batch              T  time                N  parallel environments
    K  ensemble members   P  particles           C  candidate plans
    H  planning horizon   A  action features     D  observation features
    Z  latent features    S  seeds               F  network input features

Environments and their parts are written for ONE state; `envs.wrappers.vectorise` batches them. World models
and planners are batched: everything that varies has a leading axis `B`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, UInt

from imaginax.errors import ConfigError

State = PyTree
Params = PyTree
Belief = PyTree
Metrics = dict[str, Array]


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
        discount: the task's discount of future reward (1 for an undiscounted return).
        players: 1, or 2 for a board game.
        step_seconds: simulated seconds between two actions; 0 where time has no unit.
    """

    name: str
    observation: Box
    action: Space
    max_steps: int
    discount: float = 1.0
    players: int = 1
    step_seconds: float = 0.0

    def __post_init__(self):
        if self.max_steps < 1:
            raise ConfigError(f"EnvSpec.max_steps must be at least 1, got {self.max_steps}")
        if not 0.0 <= self.discount <= 1.0:
            raise ConfigError(f"EnvSpec.discount must lie in [0, 1], got {self.discount}")
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


# ------------------------------------------------- world models and planners


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


class Thought(NamedTuple):
    """Why a player chose: shares of its search, the value it expects, and the line, -1 after its end."""

    policy: Float[Array, "*#B A"]
    value: Float[Array, "*#B"]
    line: Int[Array, "*#B H"]


class Player(NamedTuple):
    """One side of a game, for B games at once, as pure functions.

    init:    batch size -> memory
    move:    (params, memory, time step of the `privileged` game [B], key) -> (action [B], memory, Thought);
             a system's player takes what the system's `act` takes, `System.params_of(learner)`
    observe: (memory, action [B]) -> memory; told of every action of both sides, its own included
    """

    name: str
    init: Callable[[int], PyTree]
    move: Callable[[Params, PyTree, TimeStep, Array], tuple[Array, PyTree, Thought]]
    observe: Callable[[PyTree, Array], PyTree] = lambda memory, action: memory


# ------------------------------------------------------------------ systems


class Replay(NamedTuple):
    """Experience of fixed capacity on the device.

    init: () -> replay state
    add:  (state, batch of items [N, ...]) -> state
    data: state -> what is kept, as `learn` reads it; of `item_replay`, (items [capacity, ...], count [])
    lengthen: state of one of smaller capacity -> state
    """

    init: Callable[[], PyTree]
    add: Callable[[PyTree, PyTree], PyTree]
    data: Callable[[PyTree], Any]
    lengthen: Callable[[PyTree], PyTree] = lambda state: state


@dataclasses.dataclass(frozen=True)
class Stage:
    """One phase of training: `chunks` compiled chunks of `env_steps` decisions in every environment.

    A chunk first calls `learn` `updates` times, if its index in the stage is a multiple of `update_every`,
    and then acts. `act` and `learn`, of the same signatures, replace the system's own during this stage.
    """

    name: str
    chunks: int
    env_steps: int
    updates: int = 0
    update_every: int = 1
    act: Callable[..., Any] | None = None
    learn: Callable[..., Any] | None = None


class SystemState(NamedTuple):
    """Everything that resuming a run needs."""

    learner: PyTree
    replay: PyTree
    env: State  # of the vectorised environment [N, ...]
    timestep: TimeStep  # [N, ...]
    carry: PyTree  # what `act` remembers between steps
    key: Array
    updates: Int[Array, ""]


class Episodes(NamedTuple):
    """Evaluation: `returns` [E] of E episodes, and the environment states [T, ...] of the first of them."""

    returns: Float[Array, "E"]
    states: State
    games: UInt[Array, "E"] | None = None  # of a board game: a hash of the moves, equal where a game repeats


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """What runtime/ needs to train, evaluate, save, export and plot any system.

    params_of: learner -> params: what acting needs of it, without optimisers and the like
    act:      (params, carry, timestep, key) -> (carry, action, extras)
    learn:    (learner, replay state, key) -> (learner, metrics)
    record:   (timestep, action, next timestep, extras) -> the item [N, ...] that replay stores
    evaluate: (state, key) -> Episodes
    exploit:  `act` without exploration, for episodes outside of JAX; None where `act` does not explore
    player:   simulations a move (None: its own) -> Player, whose params are `act`'s; None without a game
    float64:  its programs compute in 64 bits, environment included: `runtime.precision`
    inputs:   files that it reads, as pairs (field of the configuration that names it, path)
    """

    name: str
    config: Any
    environment: Environment  # vectorised, resets itself
    replay: Replay
    init: Callable[[Array], SystemState]
    params_of: Callable[[PyTree], Params]
    act: Callable[[Params, PyTree, TimeStep, Array], tuple[PyTree, Array, PyTree]]
    learn: Callable[[PyTree, PyTree, Array], tuple[PyTree, Metrics]]
    record: Callable[..., PyTree]
    evaluate: Callable[[SystemState, Array], Episodes]
    schedule: tuple[Stage, ...]
    exploit: Callable[[Params, PyTree, TimeStep, Array], tuple[PyTree, Array, PyTree]] | None = None
    player: Callable[[int | None], Player] | None = None
    float64: bool = False
    inputs: tuple[tuple[str, str], ...] = ()
