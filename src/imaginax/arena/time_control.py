"""Time control: how many simulations fit into the time for a move.

A compiled search has a fixed number of simulations, so there is a program for every number in use: the
player's own, and own x 4^k for other times. A search without a limit is a series of ever larger searches,
each from the start, which costs a third more than the last one alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PyTree

from imaginax.types import Params, Player, TimeStep

_STEP = 4  # between two sizes of search
_LARGEST = 4096  # simulations; a chess tree takes 110 KB for each, without `search.width`


class SearchLimit(NamedTuple):
    """How long a player may search for a move.

    Attributes:
        simulations: simulations of the search; None for the player's own number.
        seconds: time for the move; the search is the largest that is expected to end in time (the smallest,
            if none does).
        endless: whether ever larger searches run until they are stopped, the first of `simulations`.
    """

    simulations: int | None = None
    seconds: float | None = None
    endless: bool = False


class MoveChoice(NamedTuple):
    """The move that a player chose, and what its search found.

    Attributes:
        action: chosen move.
        policy: visit shares of the actions.
        value: expected result for the player to move, in [-1, 1].
        line: principal variation, the chosen move first.
        simulations: simulations of the search; 1 for a player that does not count them.
        seconds: time since the search began.
    """

    action: int
    policy: Float[np.ndarray, "A"]
    value: float
    line: tuple[int, ...]
    simulations: int
    seconds: float


class _Size(NamedTuple):
    """A player with one number of simulations, compiled when it is first called."""

    player: Player
    move: Callable[..., Any]
    observe: Callable[..., Any]


class TimedPlayer:
    """A player with its parameters, its memory of one game and its measured speed."""

    def __init__(
        self,
        player: Callable[[int | None], Player],
        params: Params,
        *,
        simulations: int | None = None,
        seed: int = 0,
    ):
        """Remembers nothing yet.

        Args:
            player: simulations -> player, as `System.player`.
            params: parameters of the player.
            simulations: its own number of simulations; None for a player that has one speed.
            seed: seed of all random draws.
        """
        self._player, self._params, self._own = player, params, simulations
        self._sizes: dict[int | None, _Size] = {}
        self._called: set[int | None] = set()
        self._run_seconds: dict[int | None, float] = {}
        self._compile_seconds = 0.0  # the longest so far
        self._key, self._random = jax.random.key(seed), np.random.default_rng(seed)
        self._memory: PyTree = None
        self._remembers: int | None = -1  # the size that the memory belongs to; -1 for no memory

    # ------------------------------------------------------------ memory

    def set_simulations(self, simulations: int) -> None:
        """Changes the player's own number of simulations."""
        self._own = simulations

    def forget(self) -> None:
        """Forgets the game, as for a new one or after moves were taken back."""
        self._memory, self._remembers = None, -1

    def observe(self, action: int) -> None:
        """A move was made, by either side."""
        if self._remembers != -1:
            batch = jnp.asarray([action], jnp.int32)
            self._memory = self._size(self._remembers).observe(self._memory, batch)

    # ------------------------------------------------------------ search

    def think(
        self,
        timestep: TimeStep,
        legal: Bool[np.ndarray, "A"],
        limit: SearchLimit,
        *,
        stop: Event | None = None,
        report: Callable[[MoveChoice], None] | None = None,
    ) -> MoveChoice:
        """Decides on a move.

        Args:
            timestep: of the game, a batch of one.
            legal: moves to choose from, at least one.
            limit: time or simulations.
            stop: ends an endless series after the search under way.
            report: called with the result of every search.
        """
        start = time.perf_counter()
        for simulations in self._plan(timestep, limit):
            choice = self._search(timestep, legal, simulations, start)
            if report is not None:
                report(choice)
            if stop is not None and stop.is_set():
                break
        return choice  # pyright: ignore[reportPossiblyUnboundVariable] (a plan has at least one search)

    def prepare(self, timestep: TimeStep, seconds: float | None = None) -> None:
        """Compiles what moves of so many seconds need, or moves of the own number of simulations."""
        self._measure(timestep, self._own)
        if seconds is not None and self._own is not None:
            self._measure(timestep, self._affordable(seconds, compiling=False))

    def draw(self, policy: Float[np.ndarray, "A"], temperature: float) -> int:
        """An action in proportion to policy ** (1 / temperature)."""
        with np.errstate(divide="ignore"):
            logits = np.log(policy) / temperature
        weights = np.exp(logits - logits.max())
        return int(self._random.choice(policy.size, p=weights / weights.sum()))

    def _plan(self, timestep: TimeStep, limit: SearchLimit) -> Iterator[int | None]:
        """The sizes of one search after the other."""
        if self._own is None:
            yield None
        elif limit.endless:
            first = min(limit.simulations or self._own, _LARGEST)
            yield from (first * _STEP**step for step in range(_steps(first) + 1))
        elif limit.seconds is not None:
            self._measure(timestep, self._own)
            size = self._affordable(limit.seconds, compiling=True)
            yield size if limit.simulations is None else min(size, limit.simulations)
        elif limit.simulations is not None:
            yield max(1, min(limit.simulations, max(_LARGEST, self._own)))
        else:
            yield self._own

    def _affordable(self, seconds: float, *, compiling: bool) -> int:
        """The largest size that ends in time; `compiling` says that compiling it takes from that time."""
        assert self._own is not None
        own, known = self._own, self._run_seconds
        largest = max(
            size for size in known if size is not None
        )  # what every search costs counts least in it
        larger = [own * _STEP**step for step in range(_steps(own), 0, -1)]
        smaller = [max(own // _STEP**step, 1) for step in range(_steps(1) + 1)]
        sizes = []
        for size in (*larger, *smaller):
            run = known.get(size, known[largest] * size / largest)
            new = compiling and size not in self._called
            sizes.append((size, run, self._compile_seconds if new else 0.0))
        run_in_time = [size for size, run, _ in sizes if run <= seconds]
        in_time = [size for size, run, extra in sizes if run + extra <= seconds]
        return (in_time or run_in_time or [1])[0]

    def _measure(self, timestep: TimeStep, simulations: int | None) -> None:
        """Makes sure that a size is compiled and its speed is known."""
        size = self._size(simulations)
        while simulations not in self._run_seconds:
            start = time.perf_counter()
            action, memory, _ = size.move(self._params, size.player.init(1), timestep, self._key)
            jax.block_until_ready(size.observe(memory, action))
            self._note(simulations, time.perf_counter() - start)

    def _note(self, simulations: int | None, seconds: float) -> None:
        """How long a call took; the first one of a size is compiled."""
        if simulations in self._called:
            self._run_seconds[simulations] = seconds
        else:
            self._called.add(simulations)
            self._compile_seconds = max(self._compile_seconds, seconds)

    def _size(self, simulations: int | None) -> _Size:
        if simulations not in self._sizes:
            player = self._player(simulations)
            self._sizes[simulations] = _Size(player, jax.jit(player.move), jax.jit(player.observe))
        return self._sizes[simulations]

    def _search(
        self, timestep: TimeStep, legal: Bool[np.ndarray, "A"], simulations: int | None, start: float
    ) -> MoveChoice:
        size = self._size(simulations)
        if simulations != self._remembers:
            self._memory, self._remembers = size.player.init(1), simulations
        self._key, key = jax.random.split(self._key)
        timestep, began = timestep._replace(legal=jnp.asarray(legal)[None]), time.perf_counter()
        action, self._memory, thought = size.move(self._params, self._memory, timestep, key)
        choice = MoveChoice(
            action=int(action[0]),
            policy=np.asarray(thought.policy, np.float64)[0],
            value=float(thought.value[0]),
            line=tuple(int(move) for move in np.asarray(thought.line)[0] if move >= 0),
            simulations=simulations or 1,
            seconds=time.perf_counter() - start,
        )
        self._note(simulations, time.perf_counter() - began)
        return _among(choice, legal)


def _steps(size: int) -> int:
    """How often a search may grow."""
    steps = 0
    while size * _STEP ** (steps + 1) <= _LARGEST:
        steps += 1
    return steps


def _among(choice: MoveChoice, legal: Bool[np.ndarray, "A"]) -> MoveChoice:
    """The same with no weight on other moves than `legal` ones."""
    policy = np.where(legal, np.nan_to_num(choice.policy), 0.0)
    policy = policy / policy.sum() if policy.sum() > 0 else legal / legal.sum()
    if legal[choice.action]:
        return choice._replace(policy=policy, line=choice.line or (choice.action,))
    best = int(policy.argmax())
    return choice._replace(action=best, policy=policy, line=(best,))
