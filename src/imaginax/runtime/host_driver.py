"""The driver for environments outside of JAX: a Python loop around the compiled halves of a step.

    decide (device) -> send actions -> [environments step | device: remember the last step, learn] -> receive

It runs the same `act`, `learn`, `record` and `replay.add` as the compiled chunk of `runtime.loop`, in the
same order and with the same keys; the only thing that the host waits for in a step are the actions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from imaginax.envs.host.vector import HostVector
from imaginax.envs.wrappers import count
from imaginax.runtime import host_evaluation, loop, report
from imaginax.runtime.compilation import Compiled, compiled
from imaginax.runtime.loop import first_state
from imaginax.types import Metrics, Stage, System, SystemState, TimeStep


class Tally(NamedTuple):
    """Episodes that ended so far in a chunk, and the sum of their returns, of every lane."""

    episodes: Int[Array, "*#S"]
    total: Float[Array, "*#S"]


class HostDriver:
    """Steps the S x N environments of all lanes as one vector, in turn with the device.

    It is a `runtime.driver.Driver`. With `overlap` the updates of a chunk are spread evenly over its steps
    and computed while the environments step: an update then misses the transition that is being made, and
    acting always uses the newest parameters. Without it they come first, as in the compiled chunk. Both
    give the same run every time.

    A checkpoint cannot hold an environment. `resume` therefore starts a new episode in every environment
    that was inside of one; since the seed of an episode depends on the environment and the episode's number
    only, resuming between episodes is exact.
    """

    def __init__(self, system: System, seeds: int, *, overlap: bool = False, processes: bool = False):
        """Prepares a run.

        Args:
            system: whose environment has a `host`.
            seeds: S, the number of lanes.
            overlap: learn while environments step.
            processes: step every environment in a process of its own.
        """
        host: Any = system.environment.host
        self._system = system
        self._seeds = seeds
        self._overlap = overlap
        self._open: Callable[..., HostVector] = partial(host, processes=processes)
        self._vector: HostVector | None = None

    def shapes(self) -> PyTree:
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), self._seeds))
        return jax.eval_shape(first_state(self._system), keys)

    def start(self, keys: Key[Array, "S"]) -> tuple[PyTree, float]:
        program = compiled(first_state(self._system), keys)
        state = program.call(keys)
        return state._replace(timestep=self._begin(state.env.inner)), program.seconds

    def resume(self, state: PyTree) -> PyTree:
        between = jnp.logical_or(state.timestep.first, state.timestep.last)
        inner = state.env.inner
        inner = inner._replace(episode=inner.episode + ~between)
        env = state.env._replace(
            inner=inner,
            running_return=state.env.running_return * between,
            running_length=state.env.running_length * between,
        )
        return state._replace(env=env, timestep=self._begin(inner, after=state.timestep))

    def chunk(self, stage: Stage, state: PyTree) -> Compiled:
        programs = self._compile(stage, state)
        parts = (programs.decide, programs.remember, programs.learn)
        seconds = sum(program.seconds for program in parts if program)
        return Compiled(partial(self._run, stage, programs), seconds)

    def evaluate(self, state: PyTree, keys: Key[Array, "S"], episodes: int) -> report.Evaluation:
        envs = state.timestep.first.size
        vector = self._open(envs, render=True)
        try:
            return host_evaluation.evaluate(self._system, state, keys, vector, episodes=episodes)
        finally:
            vector.close()

    def close(self) -> None:
        if self._vector is not None:
            self._vector.close()
            self._vector = None

    def _begin(self, inner: Any, *, after: TimeStep | None = None) -> TimeStep:
        """The time steps [S, N, ...] with which the episodes begin that the environments' states name.

        Args:
            inner: states of the environments.
            after: time steps of an interrupted run, which goes on.
        """
        vector = self._vector or self._open(inner.seed.size)
        self._vector = vector
        seeds, episodes = (np.asarray(leaf).reshape(-1) for leaf in inner)
        if after is None:
            begun = vector.reset(seeds, episodes)
        else:
            flat = jax.tree.map(lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:]), after)
            begun = vector.resume(flat, seeds, episodes)
        return jax.device_put(_by_lane(begun, inner.seed.shape))

    def _compile(self, stage: Stage, state: SystemState) -> Programs:
        system, tally = self._system, _no_episodes(self._seeds)
        mind, body = _mind(state), _body(state)
        choose = jax.vmap(partial(_decide, system, stage))
        *_, decision = jax.eval_shape(choose, mind)
        store = jax.vmap(partial(_remember, system))
        experience = (body, decision, state.timestep, tally)
        update, metrics = None, {}
        if stage.updates:
            improve = jax.vmap(partial(_learn, system, stage))
            *_, metrics = jax.eval_shape(improve, state.learner, state.replay, state.key)
            update = compiled(improve, state.learner, state.replay, state.key, donate=(0,))
        return Programs(
            decide=compiled(choose, mind),
            remember=compiled(store, state.replay, *experience, donate=(0,)),
            learn=update,
            no_metrics=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), metrics),
        )

    def _run(
        self, stage: Stage, programs: Programs, state: SystemState, index: Int[Any, ""]
    ) -> tuple[SystemState, loop.ChunkOutput]:
        """One chunk; it uses up `state`."""
        vector = self._vector
        assert vector is not None  # `start` or `resume` has opened it
        due = stage.updates if int(index) % stage.update_every == 0 else 0
        lanes = state.timestep.first.shape
        work = _Work(programs, state)
        if not self._overlap:
            work.learn(due)
        for step in range(stage.env_steps):
            action = work.decide()
            vector.send(action.reshape(-1, *action.shape[2:]))
            work.remember()
            if self._overlap:
                work.learn((step + 1) * due // stage.env_steps - step * due // stage.env_steps)
            work.receive(_by_lane(vector.receive(), lanes))
        work.remember()
        return work.state(), work.output()


class Programs(NamedTuple):
    """A stage's compiled parts, each for all lanes.

    Attributes:
        decide: what to do next.
        remember: stores a step.
        learn: one update; None in a stage without any.
        no_metrics: what a chunk without an update reports.
    """

    decide: Compiled
    remember: Compiled
    learn: Compiled | None
    no_metrics: Metrics


class _Work:
    """The device's part of a chunk under way; nothing but `decide` waits for the device."""

    def __init__(self, programs: Programs, state: SystemState):
        self._programs = programs
        self._mind, self._body, self._replay = _mind(state), _body(state), state.replay
        self._updates = state.updates
        self._metrics = programs.no_metrics
        self._tally = _no_episodes(state.updates.size)
        self._decision: loop.Decision | None = None
        self._unstored: tuple[loop.Decision, TimeStep] | None = None
        self._env_steps: list[np.ndarray] = []

    def decide(self) -> np.ndarray:
        """Actions [S, N, ...]."""
        carry, key, decision = self._programs.decide.call(self._mind)
        self._mind, self._decision = self._mind._replace(carry=carry, key=key), decision
        return np.asarray(decision.action)

    def receive(self, timestep: TimeStep) -> None:
        """Takes the environments' answer to the newest decision."""
        assert self._decision is not None
        self._env_steps.append(np.sum(np.asarray(timestep.steps), axis=-1))
        timestep = jax.device_put(timestep)
        self._unstored = self._decision, timestep
        self._mind = self._mind._replace(timestep=timestep)

    def remember(self) -> None:
        """Stores the step that was received last, unless it is stored."""
        if self._unstored is not None:
            self._replay, self._body, self._tally = self._programs.remember.call(
                self._replay, self._body, *self._unstored, self._tally
            )
            self._unstored = None

    def learn(self, updates: int) -> None:
        for _ in range(updates):
            assert self._programs.learn is not None
            mind = self._mind
            learner, key, self._metrics = self._programs.learn.call(mind.learner, self._replay, mind.key)
            self._mind = mind._replace(learner=learner, key=key)
        self._updates = self._updates + updates

    def state(self) -> SystemState:
        body = self._body
        return self._mind._replace(replay=self._replay, env=body.env, updates=self._updates)

    def output(self) -> loop.ChunkOutput:
        episodes, total = self._tally
        finite = {name: jax.vmap(_all_finite)(value) for name, value in self._metrics.items()}
        env_steps = jnp.asarray(np.stack(self._env_steps, axis=-1))
        mean = total / jnp.maximum(episodes, 1)
        return loop.ChunkOutput(self._metrics, episodes, mean, env_steps, finite)


# ------------------------------------------- one lane, compiled for all


def _decide(system: System, stage: Stage, mind: SystemState) -> tuple[PyTree, Array, loop.Decision]:
    """What to do next, with the carry and the key that follow."""
    mind, decision = loop.decide(system, stage, mind)
    return mind.carry, mind.key, decision


def _remember(
    system: System,
    replay: PyTree,
    body: SystemState,
    decision: loop.Decision,
    timestep: TimeStep,
    tally: Tally,
) -> tuple[PyTree, SystemState, Tally]:
    """Stores one step, and counts."""
    inner = body.env.inner
    env = count(body.env, inner._replace(episode=inner.episode + timestep.last), timestep)
    state = loop.remember(system, body._replace(replay=replay), decision, env, timestep)
    ended = Tally(jnp.sum(timestep.last), jnp.sum(jnp.where(timestep.last, env.finished_return, 0.0)))
    tally = jax.tree.map(jnp.add, tally, ended)
    return state.replay, _body(state), tally


def _learn(
    system: System, stage: Stage, learner: PyTree, replay: PyTree, key: Array
) -> tuple[PyTree, Array, Metrics]:
    """One update, with the key that follows."""
    key, key_learn = jax.random.split(key)
    learner, metrics = (stage.learn or system.learn)(learner, replay, key_learn)
    return learner, key, metrics


def _mind(state: SystemState) -> SystemState:
    """What deciding uses; the rest is empty, so that replay does not pass through a program for nothing."""
    return state._replace(replay=(), env=(), updates=())


def _body(state: SystemState) -> SystemState:
    """What remembering uses, besides replay."""
    return state._replace(learner=(), replay=(), carry=(), key=(), updates=())


def _no_episodes(seeds: int) -> Tally:
    return Tally(jnp.zeros(seeds, jnp.int32), jnp.zeros(seeds, jnp.float32))


def _all_finite(value: Array) -> Array:
    return jnp.isfinite(value).all()


def _by_lane(timestep: TimeStep, lanes: tuple[int, ...]) -> TimeStep:
    """Time steps [S N, ...] as [S, N, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(*lanes, *leaf.shape[1:]), timestep)
