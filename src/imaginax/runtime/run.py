"""The host loop: it runs a system's stages chunk by chunk, logs, prints, saves and resumes.

Everything that is computed is in compiled programs with a leading axis of seeds; this file only calls
them. What it saves after chunk n, together with the same settings, gives chunk n + 1 bit for bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, PyTree

from imaginax.runtime import checkpoint, progress, report, run_directory
from imaginax.runtime.compilation import compiled, enable_cache
from imaginax.runtime.loop import ChunkOutput, make_chunk
from imaginax.runtime.metrics import Logger
from imaginax.runtime.run_directory import RunDirectory, RunError
from imaginax.types import ConfigError, Stage, System, SystemState


class NonFinite(RunError):
    """A metric that is NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class Saving:
    """When checkpoints are written.

    Attributes:
        every_s: least seconds between two; the end of a stage and a stop save at once.
        keep: newest checkpoints that stay.
    """

    every_s: float = 60.0
    keep: int = 2


def train(
    system: System,
    *,
    logdir: Path | str,
    seeds: int = 1,
    seed: int = 0,
    preset: str | None = None,
    saving: Saving | None = None,
    override_config: bool = False,
    stream: progress.Stream = None,
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
        stream: where progress is shown; standard output by default.

    Returns:
        The content of summary.json. Its status is "finished", or "stopped" after Ctrl-C or SIGTERM.

    Raises:
        ConfigError: if `logdir` holds another run.
        NonFinite: naming the metric; the last checkpoint stays as it was.
        RunError: if something cannot be written.
    """
    if seeds < 1 or not 0 <= seed < 2**31 - seeds:
        raise ConfigError(f"seeds must be at least 1 and seed not negative, got {seeds} and {seed}")
    record = run_directory.describe(system, preset=preset, seeds=seeds, seed=seed)
    directory = run_directory.open_run(logdir, record, override_config=override_config)
    enable_cache()
    evaluation, failure = None, None
    chunks = sum(stage.chunks for stage in system.schedule)
    with progress.show(chunks, stream) as display, interruptible() as interrupted:
        run = Run(system, directory, display, saving or Saving())
        try:
            status = "finished" if run.go(record, interrupted) else "stopped"
        except NonFinite as error:
            status, failure = str(error), error
        if status == "finished":
            display.doing("evaluating")
            evaluation = report.evaluate(system, run.state, lane_keys(record)[1])
        display.doing("drawing")
        summary = report.summarise(record, run.history, status, evaluation)
        report.write(directory, system, summary, run.history, evaluation)
    if failure:
        raise failure
    return summary


def reload(system: System, directory: RunDirectory, record: dict[str, Any]) -> checkpoint.Restored:
    """The newest valid checkpoint of a run.

    Args:
        system: as it was trained.
        directory: of the run.
        record: its config.json.

    Raises:
        CheckpointError: if there is none.
    """
    restored = checkpoint.restore(directory.checkpoints, _shapes(system, record))
    if restored is None:
        raise checkpoint.CheckpointError(f"{directory.path} holds no checkpoint yet")
    return restored


def lane_keys(record: dict[str, Any]) -> tuple[Key[Array, "S"], Key[Array, "S"]]:
    """Keys to initialise the lanes with and to evaluate them with."""
    keys = jnp.stack([jax.random.key(record["seed"] + lane) for lane in range(record["seeds"])])
    pairs = jax.vmap(jax.random.split)(keys)
    return pairs[:, 0], pairs[:, 1]


def _first_state(system: System) -> Callable[[Array], SystemState]:
    """Keys [S] -> the state of every lane [S, ...], without weak types, which no file can keep."""
    return lambda keys: jax.tree.map(_strong, jax.vmap(system.init)(keys))


def _strong(leaf: Array) -> Array:
    return jax.lax.convert_element_type(leaf, leaf.dtype) if getattr(leaf, "weak_type", False) else leaf


def _shapes(system: System, record: dict[str, Any]) -> PyTree:
    return jax.eval_shape(_first_state(system), lane_keys(record)[0])


def _index(chunk: int) -> Int[Array, ""]:
    return jnp.asarray(chunk, jnp.int32)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second Ctrl-C interrupts as usual.

    Outside of the main thread, where signals cannot be caught, it is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def request(number: int, frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Run:
    """One run under way: the state on the device, how far it has come, and where it reports."""

    def __init__(self, system: System, directory: RunDirectory, display: progress.Progress, saving: Saving):
        self.state: PyTree = None
        self.history = report.History()
        self._system = system
        self._directory = directory
        self._display = display
        self._saving = saving
        self._saved_step = -1
        self._saved_at = self._mark = time.monotonic()

    def go(self, record: dict[str, Any], interrupted: threading.Event) -> bool:
        """Runs from the last checkpoint, or from the start, to the end; False if it was interrupted.

        Raises:
            NonFinite: if a metric is; nothing is saved over the last good state.
            RunError: if something cannot be written.
        """
        self._begin(record)
        history = self.history
        with Logger(self._directory, step=history.step) as logger:
            for index in range(history.stage, len(self._system.schedule)):
                if index > history.stage:
                    history.stage, history.chunk = index, 0
                done = self._run_stage(self._system.schedule[index], logger, interrupted)
                self._save()
                if not done:
                    return False
        return True

    def _begin(self, record: dict[str, Any]) -> None:
        """Loads the newest valid checkpoint, or initialises every lane."""
        restored = checkpoint.restore(self._directory.checkpoints, _shapes(self._system, record))
        if restored:
            for fault in restored.skipped:
                self._display.note(f"skipped: {fault}")
            self.state, self.history = restored.state, report.History(**restored.progress)
            self._saved_step = restored.step
        else:
            keys, _ = lane_keys(record)
            self._display.doing("compiling the start")
            program = compiled(_first_state(self._system), keys)
            self.state = program.call(keys)
            self.history.compile_s += program.seconds
        self._saved_at = self._mark = time.monotonic()

    def _run_stage(self, stage: Stage, logger: Logger, interrupted: threading.Event) -> bool:
        """Runs a stage to its end; False if it was interrupted."""
        if self.history.chunk >= stage.chunks:
            return True
        self._display.doing(f"compiling {stage.name}")
        lanes = jax.vmap(make_chunk(self._system, stage), in_axes=(0, None))
        program = compiled(lanes, self.state, _index(0), donate=(0,))
        self.history.compile_s += program.seconds
        self._mark += program.seconds
        compile_s = program.seconds
        while self.history.chunk < stage.chunks:
            if interrupted.is_set():
                return False
            start = time.monotonic()
            self._display.running(stage.name, self.history.chunk + 1, stage.chunks)
            self.state, output = program.call(self.state, _index(self.history.chunk))
            output = jax.device_get(jax.block_until_ready(output))
            self._tell(stage, output, time.monotonic() - start, compile_s, logger)
            compile_s = 0.0
            if time.monotonic() - self._saved_at >= self._saving.every_s:
                self._save()
        return True

    def _tell(
        self, stage: Stage, output: ChunkOutput, seconds: float, compile_s: float, logger: Logger
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
        history.env_steps.append(int(self.state.env_steps[0]))
        history.returns.append([None if np.isnan(value) else float(value) for value in returns])
        self._count_time()
        learning = {name: np.asarray(values) for name, values in output.metrics.items()} if learned else {}
        metrics = {"episode_return": returns} | learning
        env_steps = history.env_steps[-1]
        logger.log(history.step, env_steps, history.wall_s, stage=stage.name, metrics=metrics)
        _check_finite(stage, history.chunk, output)
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
            )
        )

    def _count_time(self) -> None:
        """Adds the seconds since the last call to the run's wall time."""
        now = time.monotonic()
        self.history.wall_s += now - self._mark
        self._mark = now

    def _save(self) -> None:
        """Saves the state, unless it is saved already."""
        if self._saved_step != self.history.step:
            self._count_time()
            progress_ = dataclasses.asdict(self.history)
            folder, step = self._directory.checkpoints, self.history.step
            checkpoint.save(folder, step, self.state, progress=progress_, keep=self._saving.keep)
            self._saved_step = step
        self._saved_at = time.monotonic()


def _check_finite(stage: Stage, chunk: int, output: ChunkOutput) -> None:
    checks = output.finite | {"episode_return": np.isfinite(output.episode_return)}
    for name, good in checks.items():
        if not np.all(good):
            lanes = ", ".join(str(lane) for lane in np.flatnonzero(~np.asarray(good)))
            raise NonFinite(f"{name} is not finite in {stage.name} {chunk}/{stage.chunks} (lane {lanes})")
