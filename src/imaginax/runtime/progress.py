"""What a user sees while a run goes on: a live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from imaginax.runtime.output import Output, one_line, say

Stream = Any  # of text; no type covers sys.stdout and io.StringIO for every checker

_HISTORY = 60  # runs of up to so many chunks keep a line for each on the terminal


class ChunkReport(NamedTuple):
    """One chunk that is done.

    Attributes:
        stage: its name.
        chunk: its number in the stage, from 1.
        chunks: how many the stage has.
        env_steps: environment steps of the whole run so far, of one seed.
        returns: mean return of the episodes that ended in it, for each seed; NaN for a seed without one.
        best: highest mean over seeds so far, or None.
        steps_per_s: environment steps a second in this chunk, all seeds together.
        left_s: estimated seconds to the end of the stage.
        compile_s: seconds that compiling took before this chunk, or 0.
        metrics: values [S] of what learning reported, by name; empty for a chunk without an update.
    """

    stage: str
    chunk: int
    chunks: int
    env_steps: int
    returns: np.ndarray
    best: float | None
    steps_per_s: float
    left_s: float
    compile_s: float = 0.0
    metrics: Mapping[str, np.ndarray] = MappingProxyType({})


OnChunk = Callable[[ChunkReport], object]


@contextlib.contextmanager
def show(
    total_chunks: int, stream: Stream = None, *, quiet: bool = False, on_chunk: OnChunk | None = None
) -> Iterator[Progress]:
    """A live display where `stream` (default: standard output) is a terminal, plain lines elsewhere.

    A stream that fails is reported once, and nothing else stops. `quiet` shows nothing. `on_chunk` is called
    with every report; what it raises ends the run.
    """
    with _shown(total_chunks, stream, quiet) as display:
        yield display if on_chunk is None else Watched(display, on_chunk)


@contextlib.contextmanager
def _shown(total_chunks: int, stream: Stream, quiet: bool) -> Iterator[Progress]:
    stream = stream or sys.stdout
    if quiet or stream is None:
        yield Progress()
        return
    out = stream if isinstance(stream, Output) else Output(stream)
    if not out.isatty() or os.environ.get("TERM") == "dumb":
        yield PlainProgress(out)
        return
    from rich.console import Console
    from rich.live import Live

    console: Any = Console(file=out, highlight=False)  # type: ignore[arg-type]
    display = LiveProgress(console, keep_lines=total_chunks <= _HISTORY)
    with Live(display, console=console, refresh_per_second=8, transient=True):
        yield display


def duration(seconds: float) -> str:
    """Seconds as 9 s, 1:10 or 2:03:04."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"


def parts(report: ChunkReport) -> list[tuple[str, str]]:
    """A report as (kind, text) pieces; both displays are made of them."""
    pieces = [("stage", f"{report.stage} {report.chunk}/{report.chunks}")]
    pieces.append(("", f"env steps {report.env_steps}"))
    seen = report.returns[np.isfinite(report.returns)]
    if seen.size:
        spread = f" [{seen.min():.1f} to {seen.max():.1f}]" if report.returns.size > 1 else ""
        best = "" if report.best is None else f" (best {report.best:.1f})"
        pieces.append(("return", f"return {seen.mean():.1f}{spread}{best}"))
    elif report.best is not None:
        pieces.append(("", f"best {report.best:.1f}"))
    pieces.append(("", f"{_rate(report.steps_per_s)} steps/s"))
    if report.chunk < report.chunks:
        pieces.append(("", f"left {duration(report.left_s)}"))
    if report.compile_s:
        pieces.append(("dim", f"compiled in {report.compile_s:.1f} s"))
    return pieces


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}".replace(",", " ")


class Progress:
    """What a run tells of itself; this one tells nobody."""

    def doing(self, what: str) -> None:
        """What is done between chunks."""

    def running(self, stage: str, chunk: int, chunks: int) -> None:
        """The chunk under way."""

    def report(self, report: ChunkReport) -> None:
        """A chunk that is done."""

    def note(self, text: str) -> None:
        """What a user should know besides."""

    def leave(self) -> None:
        """Before the process ends at once."""


class Watched(Progress):
    """A display, and a function that is told of every chunk too."""

    def __init__(self, display: Progress, on_chunk: OnChunk):
        self._display = display
        self._on_chunk = on_chunk
        self.doing, self.running = display.doing, display.running
        self.note, self.leave = display.note, display.leave

    def report(self, report: ChunkReport) -> None:
        """Shows the chunk, then tells of it."""
        self._display.report(report)
        self._on_chunk(report)


class PlainProgress(Progress):
    """One line a chunk, and nothing else."""

    def __init__(self, stream: Output):
        self._stream = stream

    def report(self, report: ChunkReport) -> None:
        """Prints the chunk's line."""
        self._stream.write("  ".join(text for _, text in parts(report)) + "\n")
        self._stream.flush()

    def note(self, text: str) -> None:
        """Prints to standard error, so that the lines of chunks stay alone."""
        say(text)


class LiveProgress(Progress):
    """A line that moves: spinner, chunk, bar, seconds; the chunks that are done stand above it."""

    _STYLES = {"stage": "bold", "return": "bold green", "dim": "dim", "": "default"}

    def __init__(self, console: Any, *, keep_lines: bool):
        from rich.spinner import Spinner

        self._console = console
        self._keep_lines = keep_lines
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line", style="cyan")
        self._doing = "starting"
        self._fraction, self._step = 0.0, 0.0
        self._since = time.monotonic()
        self._chunk_s = 0.0
        self._left_s: float | None = None
        self._last: Any = None

    def doing(self, what: str) -> None:
        """Shows what is done between chunks, compiling for example, and for how long."""
        self._begin(what, 0.0, 0.0)
        self._chunk_s, self._left_s = 0.0, None

    def running(self, stage: str, chunk: int, chunks: int) -> None:
        """Shows the chunk under way."""
        self._begin(f"{stage} {chunk}/{chunks}", (chunk - 1) / chunks, 1 / chunks)

    def report(self, report: ChunkReport) -> None:
        """Adds a finished chunk's line."""
        from rich.text import Text

        pieces = [(text, self._STYLES[kind]) for kind, text in parts(report)]
        self._last = Text("  ").join(Text(text, style=style) for text, style in pieces)
        if self._keep_lines:
            self._console.print(self._last)
        self._chunk_s = time.monotonic() - self._since
        self._left_s = report.left_s

    def note(self, text: str) -> None:
        """Prints above the live line."""
        self._console.print(one_line(text), style="yellow", markup=False)

    def leave(self) -> None:
        """Gives the terminal its cursor back."""
        self._console.show_cursor()

    def _begin(self, doing: str, fraction: float, step: float) -> None:
        self._doing, self._fraction, self._step = doing, fraction, step
        self._since = time.monotonic()

    def __rich__(self) -> Any:
        """The live line; rich asks for it several times a second."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        elapsed = time.monotonic() - self._since
        within = min(1.0, elapsed / self._chunk_s) if self._chunk_s else 0.0
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(
            total=1.0, completed=self._fraction + self._step * within, width=24, complete_style="cyan"
        )
        clock = Text(duration(elapsed), style="dim")
        left = "" if self._left_s is None else f"left {duration(self._left_s - elapsed)}"
        line.add_row(self._spinner, Text(self._doing, style="bold"), bar, clock, left)
        return line if self._keep_lines or self._last is None else Group(self._last, line)
