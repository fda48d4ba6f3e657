"""metrics.jsonl and TensorBoard: what each chunk reported, for one seed or many."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float

from imaginax.runtime.output import reason
from imaginax.runtime.run_directory import RunDirectory, RunError, finite

PerSeed = dict[str, Float[np.ndarray, "S"]]


class Logger:
    """Writes rows of a run: at once, in order, and each exactly once.

    A row of metrics.jsonl holds `step`, `env_steps`, `wall_s`, `stage` and the mean over seeds of each
    metric by name; with several seeds `per_seed` holds each metric's list. TensorBoard gets the means
    under the same names and the seeds under `name/seed_i`. A value that is not finite is null in
    metrics.jsonl and left out of the mean.

    Rows after `step` are dropped when a run goes on from there: they will be made again. TensorBoard's files
    say nothing that metrics.jsonl does not: if they cannot be written `note` is told so, and they end.
    """

    def __init__(
        self, directory: RunDirectory, *, step: int = 0, note: Callable[[str], None] = lambda text: None
    ):
        self._path = directory.metrics
        self._note = note
        self._events: Any = None
        try:
            rows = [row for row in read_metrics(self._path) if row["step"] <= step]
            _rewrite(self._path, rows)
            self._file = self._path.open("a")
        except OSError as error:
            raise self._failure(error) from error
        with self._convenient():
            self._events = _open_events(directory.tensorboard, step)

    def __enter__(self) -> Logger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in filter(None, (self._file, self._events)):
            with contextlib.suppress(OSError):  # a full disk was reported by the row that met it
                file.close()

    def log(self, step: int, env_steps: int, wall_s: float, *, stage: str, metrics: PerSeed) -> None:
        """Writes one row.

        Args:
            step: its number.
            env_steps: environment steps so far, of one seed.
            wall_s: seconds of running so far.
            stage: the stage's name.
            metrics: values [S] of all seeds by name.

        Raises:
            RunError: if it cannot be written, on a full disk for example.
        """
        row: dict[str, Any] = {"step": step, "env_steps": env_steps, "wall_s": round(wall_s, 3)}
        row |= {"stage": stage} | {name: _mean(values) for name, values in metrics.items()}
        if any(len(values) > 1 for values in metrics.values()):
            row["per_seed"] = {name: [float(value) for value in values] for name, values in metrics.items()}
        try:
            self._file.write(json.dumps(finite(row), allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error
        if self._events:
            with self._convenient():
                self._events.write_event(_event(step, metrics))
                self._events.flush()

    @contextlib.contextmanager
    def _convenient(self) -> Iterator[None]:
        """After a failure there are no more events."""
        try:
            yield
        except Exception as error:  # tensorboardX and protobuf raise many kinds
            self._events = None
            self._note(f"no more events for TensorBoard: {reason(error)}")

    def _failure(self, error: OSError) -> RunError:
        return RunError(f"cannot write to {self._path.parent}: {error.strerror or error}")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl; a last line cut short by a kill is left out. Empty without a file."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _mean(values: Float[np.ndarray, "S"]) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else float("nan")


def _rewrite(path: Path, rows: list[dict[str, Any]]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _open_events(folder: Path, step: int) -> Any:
    """A TensorBoard file that replaces what earlier files say of later steps.

    The synchronous writer: tensorboardX's usual one waits for ever when its thread meets a full disk.
    """
    from tensorboardX.event_file_writer import EventsWriter

    messages = _messages()
    folder.mkdir(parents=True, exist_ok=True)
    writer = EventsWriter(str(folder / "events"), filename_suffix=f".{os.getpid()}.{step}")
    start = messages.SessionLog(status=messages.SessionLog.START)
    writer.write_event(messages.Event(wall_time=time.time(), step=step + 1, session_log=start))
    return writer


def _event(step: int, metrics: PerSeed) -> Any:
    scalars = {name: _mean(values) for name, values in metrics.items()}
    for name, values in metrics.items():
        if len(values) > 1:
            scalars |= {f"{name}/seed_{i}": float(value) for i, value in enumerate(values)}
    event = _messages().Event(wall_time=time.time(), step=step)
    for tag, value in scalars.items():
        if np.isfinite(value):
            event.summary.value.add(tag=tag, simple_value=value)
    return event


def _messages() -> Any:
    """TensorBoard's message types; they are made at run time, where no type checker sees them."""
    from tensorboardX.proto import event_pb2

    return event_pb2
