"""Systems: what trains, and all that a run of one needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, PyTree, UInt

from imaginax.types.environments import Environment, State, TimeStep
from imaginax.types.models import Metrics, Params, Player


class Replay(NamedTuple):
    """Experience of fixed capacity on the device.

    init: () -> replay state
    add:  (state, batch of items [N, ...]) -> state
    data: state -> all that is kept; of `item_replay`, (items [capacity, ...], count []), the oldest first
    sample: (state, key) -> a batch to learn from; the state itself, where replay draws nothing
    lengthen: state of one of smaller capacity -> state
    """

    init: Callable[[], PyTree]
    add: Callable[[PyTree, PyTree], PyTree]
    data: Callable[[PyTree], Any]
    sample: Callable[[PyTree, Array], Any] = lambda state, key: state
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


class WorkingMemory(NamedTuple):
    """Arrays that an update of one seed makes and drops again.

    Attributes:
        bytes: at least so many at once.
        settings: the settings that decide it, with their values, for messages.
    """

    bytes: int
    settings: str


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
    dream:    (params, sequences [B T ...], key, context) -> what its model expects to see, [B T ...], when it
              sees the first `context` steps; None without such a model
    working:  what an update needs besides the state, where that may be more than the state itself
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
    dream: Callable[..., PyTree] | None = None
    working: WorkingMemory | None = None
