"""The host loop: it runs a system's stages chunk by chunk, logs, prints, saves and resumes.

Everything that is computed is in compiled programs with a leading axis of seeds; this file only calls
them. What it saves after chunk n, together with the same settings, gives chunk n + 1 bit for bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, Key, PyTree

from imaginax.runtime import (
    checkpoint,
    distributed,
    lengthening,
    memory,
    packing,
    progress,
    report,
    run_directory,
)
from imaginax.runtime.compilation import enable_cache
from imaginax.runtime.driver import CompiledDriver, Driver, make_driver
from imaginax.runtime.interruption import interruptible
from imaginax.runtime.loop import ChunkOutput
from imaginax.runtime.messages import NonFinite, check_finite, interruption
from imaginax.runtime.metrics import Logger
from imaginax.runtime.precision import precision
from imaginax.runtime.run_directory import RunDirectory
from imaginax.types import ConfigError, Stage, System


@dataclasses.dataclass(frozen=True)
class Saving:
    """When checkpoints are written.

    Attributes:
        every_s: least seconds between two; the end of a stage and a stop save at once.
        keep: newest checkpoints that stay.
        snapshots: chunks after each of which the learner alone is kept, for good; 0 keeps none.
    """

    every_s: float = 60.0
    keep: int = 2
    snapshots: int = 0


def train(
    system: System,
    *,
    logdir: Path | str,
    seeds: int = 1,
    seed: int = 0,
    preset: str | None = None,
    saving: Saving | None = None,
    override_config: bool = False,
    devices: int | None = None,
    overlap: bool = False,
    stream: progress.Stream = None,
    quiet: bool = False,
    on_chunk: progress.OnChunk | None = None,
) -> dict[str, Any]:
    """Trains a system, or goes on with a run that was stopped; then evaluates it.

    Args:
        system: what to train.
        logdir: the run directory.
        seeds: runs at once, as lanes of one program; lane i is the run of the one seed `seed + i`.
        seed: of the first lane.
        preset: the preset's name, for the record.
        saving: when to write checkpoints.
        override_config: go on although the run in `logdir` had other settings.
        devices: over how many devices a compiled run is spread; by default one, or all that several
            processes have together.
        overlap: learn while environments of the host step; an update then misses the step being made.
        stream: where progress is shown; standard output by default.
        quiet: show no progress.
        on_chunk: called with the report of every chunk, in the first process.

    Returns:
        The content of summary.json. Its status is "finished", or "stopped" after Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        ConfigError: if `logdir` holds another run, or the state does not fit into memory or the devices.
        NonFinite: naming the metric; the last checkpoint stays as it was.
        RunError: if something cannot be written, or another process trains in `logdir`.
    """
    if seeds < 1 or not 0 <= seed < 2**31 - seeds:
        raise ConfigError(f"seeds must be at least 1 and seed not negative, got {seeds} and {seed}")
    mesh = _mesh(devices)
    with precision(system):
        memory.check(system, seeds, mesh)
    record = run_directory.describe(system, preset=preset, seeds=seeds, seed=seed)
    kept = enable_cache()
    chunks, leader = sum(stage.chunks for stage in system.schedule), distributed.is_leader()
    with (
        _opened(logdir, record, override_config) as directory,
        precision(system),
        progress.show(
            chunks, stream, quiet=quiet or not leader, on_chunk=on_chunk if leader else None
        ) as display,
        contextlib.closing(make_driver(system, seeds, mesh, overlap=overlap)) as driver,
    ):
        if kept is None:
            display.note("compiled programs are not kept for the next start: their folder cannot be written")
        return _train(Run(system, driver, directory, display, saving or Saving()), record)


@contextlib.contextmanager
def _opened(logdir: Path | str, record: dict[str, Any], override_config: bool) -> Iterator[RunDirectory]:
    """The run directory, made or checked by the leader, in which no other process trains meanwhile."""
    with contextlib.ExitStack() as held:

        def alone() -> RunDirectory:
            held.enter_context(run_directory.alone(logdir))
            return run_directory.open_run(logdir, record, override_config=override_config)

        yield distributed.leader_first(alone) or RunDirectory(Path(logdir))


def _train(run: Run, record: dict[str, Any]) -> dict[str, Any]:
    """Runs to the end, evaluates and writes what is left behind, also of a run that failed."""
    evaluation, failure = None, None
    with interruptible(run.say_interrupted, run.leave) as interrupted:
        try:
            status = "finished" if run.go(record, interrupted) else "stopped"
        except NonFinite as error:
            status, failure = str(error), error
        if status == "finished":
            evaluation = run.evaluate(lane_keys(record)[1])
        summary = run.report(record, status, evaluation)
    if failure:
        raise failure
    return summary


def _mesh(devices: int | None) -> Mesh | None:
    """The devices of a run; None for one, which needs no mesh."""
    if jax.process_count() == 1 and devices in (None, 1):
        return None
    return distributed.make_mesh(devices)


def reload(system: System, directory: RunDirectory, record: dict[str, Any]) -> checkpoint.Restored:
    """The newest valid checkpoint of a run; of a packed agent its learner, in a state that has just begun.

    Args:
        system: as it was trained.
        directory: of the run.
        record: its config.json.

    Raises:
        ConfigError: if a file that the run reads is another now.
        CheckpointError: if there is none.
    """
    run_directory.check_inputs(record)
    if directory.learner.is_dir():
        return packing.unpack(system, directory, lane_keys(record)[0])
    with precision(system):
        shapes = CompiledDriver(system, record["seeds"]).shapes()
        restored = lengthening.restore(system, directory.checkpoints, shapes, lane_keys(record)[0])
    if restored is None:
        raise checkpoint.CheckpointError(f"{directory.path} holds no checkpoint yet")
    return restored


def snapshots(system: System, directory: RunDirectory, record: dict[str, Any]) -> list[checkpoint.Restored]:
    """The learners of all lanes that a run kept (`Saving.snapshots`), oldest first.

    Their progress tells `env_steps` and `wall_s`.

    Raises:
        CheckpointError: if one of them is damaged.
    """
    numbers = sorted(checkpoint.steps(directory.snapshots))
    with precision(system):
        like = CompiledDriver(system, record["seeds"]).shapes().learner
        return [checkpoint.load(directory.snapshots / str(number), like) for number in numbers]


def lane_keys(record: dict[str, Any]) -> tuple[Key[Array, "S"], Key[Array, "S"]]:
    """Keys to initialise the lanes with and to evaluate them with."""
    keys = jnp.stack([jax.random.key(record["seed"] + lane) for lane in range(record["seeds"])])
    pairs = jax.vmap(jax.random.split)(keys)
    return pairs[:, 0], pairs[:, 1]


def _index(chunk: int) -> Int[np.ndarray, ""]:
    return np.asarray(chunk, np.int32)


class Run:
    """One run under way: the state on the device, how far it has come, and where it reports."""

    def __init__(
        self,
        system: System,
        driver: Driver,
        directory: RunDirectory,
        display: progress.Progress,
        saving: Saving,
    ):
        self.state: PyTree = None
        self.history = report.History()
        self._system = system
        self._driver = driver
        self._directory = directory
        self._display = display
        self._saving = saving
        self._saved_step = -1
        self._evaluating = False
        self._saved_at = self._mark = time.monotonic()

    def go(self, record: dict[str, Any], interrupted: threading.Event) -> bool:
        """Runs from the last checkpoint, or from the start, to the end; False if it was interrupted.

        Raises:
            NonFinite: if a metric is; nothing is saved over the last good state.
            RunError: if something cannot be written.
        """
        self._begin(record)
        history = self.history
        with (
            checkpoint.Saver(self._directory.checkpoints, keep=self._saving.keep) as self._saver,
            checkpoint.Saver(self._directory.snapshots, keep=sys.maxsize) as self._snapshots,
            self._logger() as logger,
        ):
            for index in range(history.stage, len(self._system.schedule)):
                if index > history.stage:
                    history.stage, history.chunk = index, 0
                done = self._run_stage(self._system.schedule[index], logger, interrupted)
                self._save()
                if not done:
                    return False
        return True

    def evaluate(self, keys: Key[Array, "S"]) -> report.Evaluation:
        """Fresh episodes of every lane."""
        self._display.doing("evaluating")
        self._evaluating = True
        return self._driver.evaluate(self.state, keys, 1)

    def report(
        self, record: dict[str, Any], status: str, evaluation: report.Evaluation | None
    ) -> dict[str, Any]:
        """Writes what the run leaves behind, and gives the content of its summary.json."""
        self._display.doing("drawing")
        summary = report.summarise(record, self.history, status, evaluation)
        write = partial(report.write, self._directory, self._system, summary, self.history, evaluation)
        for fault in distributed.leader_first(write) or ():
            self._display.note(fault)
        return summary

    def say_interrupted(self, signal_name: str) -> None:
        """Says what a signal does, and what a second one would lose."""
        lost = self.history.step - max(self._saved_step, 0)
        self._display.note(interruption(signal_name, lost, self._evaluating))

    def leave(self) -> None:
        """Before the process ends at once."""
        self._display.leave()

    def _begin(self, record: dict[str, Any]) -> None:
        """Loads the newest valid checkpoint, or initialises every lane."""
        restored = lengthening.restore(
            self._system, self._directory.checkpoints, self._driver.shapes(), lane_keys(record)[0]
        )
        if restored:
            for fault in restored.skipped:
                self._display.note(f"skipped: {fault}")
            self.state = self._driver.resume(restored.state)
            self.history = report.History(**restored.progress)
            self._saved_step = restored.step
            self._say_length()
        else:
            self._display.doing("compiling the start")
            self.state, seconds = self._driver.start(lane_keys(record)[0])
            self.history.compile_s += seconds
        self.history.lengths = run_directory.lengths(self._system.config)
        self.history.settings = run_directory.fingerprint(self._system)
        self._saved_at = self._mark = time.monotonic()

    def _say_length(self) -> None:
        """Says that a run has become longer, or has come to its end before."""
        lengths, before = run_directory.lengths(self._system.config), self.history.lengths
        history, schedule = self.history, self._system.schedule
        longer = [
            f"{name} {before[name]} -> {now}" for name, now in lengths.items() if before.get(name, now) != now
        ]
        if longer:
            self._display.note(f"goes on with {', '.join(longer)}")
        elif history.stage == len(schedule) - 1 and history.chunk >= schedule[-1].chunks:
            more = f": more {' or '.join(lengths)} would go on with it" if lengths else ""
            self._display.note(f"this run is finished, and is evaluated again{more}")

    def _logger(self) -> contextlib.AbstractContextManager[Logger | None]:
        """What writes metrics; nothing, in all processes but the first."""
        if not distributed.is_leader():
            return contextlib.nullcontext()
        return Logger(self._directory, step=self.history.step, note=self._display.note)

    def _run_stage(self, stage: Stage, logger: Logger | None, interrupted: threading.Event) -> bool:
        """Runs a stage to its end; False if it was interrupted."""
        if self.history.chunk >= stage.chunks:
            return True
        self._display.doing(f"compiling {stage.name}")
        program = self._driver.chunk(stage, self.state)
        self.history.compile_s += program.seconds
        self._mark += program.seconds
        compile_s = program.seconds
        while self.history.chunk < stage.chunks:
            due = time.monotonic() - self._saved_at >= self._saving.every_s
            stop, save = distributed.agree(interrupted.is_set(), due)
            if save:
                self._save()
            if stop:
                return False
            start = time.monotonic()
            self._display.running(stage.name, self.history.chunk + 1, stage.chunks)
            self.state, output = program.call(self.state, _index(self.history.chunk))
            output = distributed.fetch(jax.block_until_ready(output))
            self._tell(stage, output, time.monotonic() - start, compile_s, logger)
            self._snapshot()
            compile_s = 0.0
        return True

    def _tell(
        self, stage: Stage, output: ChunkOutput, seconds: float, compile_s: float, logger: Logger | None
    ) -> None:
        """Counts, logs and shows a chunk.

        Raises:
            NonFinite: if a metric of it is.
        """
        history = self.history
        learned = stage.updates > 0 and history.chunk % stage.update_every == 0
        returns = np.where(output.episodes > 0, output.episode_return, np.nan)
        before = history.env_steps[-1] if history.env_steps else 0
        history.chunk, history.step = history.chunk + 1, history.step + 1
        history.env_steps.append(before + int(output.env_steps[0].sum(dtype=np.int64)))
        history.returns.append([None if np.isnan(value) else float(value) for value in returns])
        self._count_time()
        learning = {name: np.asarray(values) for name, values in output.metrics.items()} if learned else {}
        metrics = {"episode_return": returns} | learning
        env_steps = history.env_steps[-1]
        if logger:
            logger.log(history.step, env_steps, history.wall_s, stage=stage.name, metrics=metrics)
        check_finite(stage, history.chunk, output)
        self._display.report(
            progress.ChunkReport(
                stage=stage.name,
                chunk=history.chunk,
                chunks=stage.chunks,
                env_steps=env_steps,
                returns=returns,
                best=history.best(),
                steps_per_s=(env_steps - before) * returns.size / seconds,
                left_s=seconds * (stage.chunks - history.chunk),
                compile_s=compile_s,
                metrics=learning,
            )
        )

    def _count_time(self) -> None:
        """Adds the seconds since the last call to the run's wall time."""
        now = time.monotonic()
        self.history.wall_s += now - self._mark
        self._mark = now

    def _snapshot(self) -> None:
        """Keeps the learner of every lane, if it is time to."""
        history = self.history
        if self._saving.snapshots and history.step % self._saving.snapshots == 0:
            progress = {"env_steps": history.env_steps[-1], "wall_s": history.wall_s}
            self._snapshots.save(history.step, self.state.learner, progress=progress)

    def _save(self) -> None:
        """Saves the state, unless it is saved already."""
        if self._saved_step != self.history.step:
            self._count_time()
            step = self.history.step
            self._saver.save(step, self.state, progress=dataclasses.asdict(self.history))
            self._saved_step = step
        self._saved_at = time.monotonic()
