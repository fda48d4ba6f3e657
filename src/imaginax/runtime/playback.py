"""A trained agent at work: what `imaginax eval` counts and `imaginax play` shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key, PyTree, UInt8

from imaginax.runtime import checkpoint, report, run, run_directory
from imaginax.runtime import config as configs
from imaginax.runtime.compilation import compiled, enable_cache
from imaginax.runtime.driver import make_driver
from imaginax.runtime.precision import precision
from imaginax.runtime.run_directory import RunDirectory
from imaginax.types import ConfigError, Environment, Params, System


class Trained(NamedTuple):
    """A run as its newest valid checkpoint has it.

    Attributes:
        directory: of the run.
        record: its config.json.
        system: made anew from the configuration there.
        restored: the state of all lanes [S, ...], and what had to be skipped to find it.
    """

    directory: RunDirectory
    record: dict[str, Any]
    system: System
    restored: checkpoint.Restored


class Episode(NamedTuple):
    """One episode.

    Attributes:
        total: its undiscounted return.
        rewards: of each of its T steps; None for an environment of the host.
        states: of the environment [T, ...], before each step; None for one of the host.
        frames: of an environment of the host, if it can be drawn.
    """

    total: float
    rewards: Float[np.ndarray, "T"] | None = None
    states: PyTree = None
    frames: UInt8[np.ndarray, "T H W 3"] | None = None


def load(logdir: Path | str, env: Environment | None = None) -> Trained:
    """The run in a directory.

    Args:
        logdir: the directory.
        env: the environment that the run was trained on, if it was handed to the system as an object.

    Raises:
        ConfigError: if there is none, its settings are not those of a system of today, or its environment is
            neither given nor the one of the settings.
        CheckpointError: if nothing of it can be loaded.
    """
    from imaginax import registry

    directory, record = run_directory.read_run(logdir)
    entry = registry.entry(record["system"])
    config = configs.from_json(entry.config, record["config"])
    system = entry.make(config) if env is None else entry.make(config, env)
    if (found := system.environment.spec.name) != record.get("env", found):
        raise ConfigError(
            f"{directory.path} was trained on env {record['env']}, which must be given, not on {found}"
        )
    enable_cache()
    return Trained(directory, record, system, run.reload(system, directory, record))


def keys(trained: Trained, seed: int | None) -> Key[Array, "S"]:
    """A key for every lane: that of the run's own evaluation, or a fresh one for each `seed`."""
    own = run.lane_keys(trained.record)[1]
    return own if seed is None else jax.vmap(lambda key: jax.random.fold_in(key, seed))(own)


def evaluate(trained: Trained, *, episodes: int, seed: int | None = None) -> report.Evaluation:
    """At least `episodes` episodes of every agent of a run; see `episodes` for `seed`."""
    driver = make_driver(trained.system, trained.record["seeds"])
    with precision(trained.system), contextlib.closing(driver):
        return driver.evaluate(trained.restored.state, keys(trained, seed), episodes)


def lane_of(trained: Trained, lane: int | None = None) -> int:
    """`lane`; or, for None, that with the highest return in the run's own evaluation, or else the first.

    Raises:
        ConfigError: if there is no such lane.
    """
    lanes = trained.record["seeds"]
    if lane is not None:
        if not 0 <= lane < lanes:
            raise ConfigError(f"lane must be between 0 and {lanes - 1}, got {lane}")
        return lane
    path = trained.directory.summary
    summary = run_directory.read_json(path) if path.exists() else {}
    returns = summary.get("eval_return_per_seed") or [0.0]
    return int(np.argmax([-np.inf if value is None else value for value in returns]))


def params_of(trained: Trained, lane: int | None = None) -> Params:
    """What one of the agents of a run acts with, as `System.params_of` gives it; see `lane_of`."""
    chosen = lane_of(trained, lane)
    with precision(trained.system):
        learner = jax.tree.map(lambda leaf: leaf[chosen], trained.restored.state.learner)
        return trained.system.params_of(learner)


def episodes(
    trained: Trained, *, lane: int | None = None, count: int, seed: int | None = None
) -> Iterator[Episode]:
    """Episodes of one of the agents of a run, evaluated as training evaluates it.

    Args:
        trained: the run.
        lane: which of its seeds, from 0; None for the best.
        count: how many episodes.
        seed: of the episodes; None begins with the first of the run's own evaluation.

    Raises:
        ConfigError: if there is no such lane.
    """
    chosen = lane_of(trained, lane)
    with precision(trained.system):
        state = jax.tree.map(lambda leaf: leaf[chosen], trained.restored.state)
    first = keys(trained, seed)[chosen]
    every = [first, *(jax.random.fold_in(first, i) for i in range(1, count))]
    if trained.system.environment.host is None:
        with precision(trained.system):
            program = compiled(trained.system.evaluate, state, first)
        for key in every:
            with precision(trained.system):
                found = program.call(state, key)
            yield _first(float(found.returns[0]), found.states)
        return
    with contextlib.closing(make_driver(trained.system, 1)) as driver:
        for key in every:
            evaluation = driver.evaluate(jax.tree.map(lambda leaf: leaf[None], state), key[None], 1)
            yield Episode(float(evaluation.returns[0, 0]), frames=evaluation.frames)


def _first(total: float, states: PyTree) -> Episode:
    """The first episode in states [T, ...] of an environment that resets itself."""
    length = report.moments_of_first(states)
    states = jax.tree.map(lambda leaf: leaf[:length], states)
    before = np.append(np.asarray(states.running_return, float), total)
    return Episode(total, np.diff(before), states)


def frames(system: System, played: Sequence[Episode]) -> UInt8[np.ndarray, "T H W 3"]:
    """Pictures of episodes, one after the other.

    Raises:
        ConfigError: if the environment cannot be drawn.
    """
    host = [episode.frames for episode in played if episode.frames is not None]
    if host:
        return np.concatenate(host)
    render = system.environment.render
    if render is None or any(episode.states is None for episode in played):
        raise ConfigError(f"env {system.environment.spec.name} cannot be drawn")
    program = jax.jit(render)  # one frame at a time: an episode's frames at once need gigabytes
    moments = (
        jax.tree.map(lambda leaf, t=t: leaf[t : t + 1], episode.states)
        for episode in played
        for t in range(len(jax.tree.leaves(episode.states)[0]))
    )
    with precision(system):
        return np.concatenate([np.asarray(program(moment)) for moment in moments])


def drawable(system: System, played: Sequence[Episode]) -> bool:
    """Whether `frames` has something to show."""
    return any(episode.frames is not None for episode in played) or system.environment.render is not None
