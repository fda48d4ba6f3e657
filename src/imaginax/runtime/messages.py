"""What a run says when it cannot go on, or is asked not to."""

from __future__ import annotations

import numpy as np

from imaginax.errors import RunError
from imaginax.runtime.loop import ChunkOutput
from imaginax.types import Stage


class NonFinite(RunError):
    """A metric that is NaN or infinite."""


def interruption(signal_name: str, unsaved: int, evaluating: bool) -> str:
    """What a signal does, and what a second one would lose."""
    first = "Ctrl-C" if signal_name == "SIGINT" else signal_name
    does, loses = "saving after this chunk", "this chunk"
    if unsaved:
        loses += f" and the {unsaved} before it since the last save"
    if evaluating:
        does, loses = "all is saved, the evaluation is finished first", "the evaluation"
    return f"{first}: {does}; Ctrl-C again stops at once and loses {loses}"


def check_finite(stage: Stage, chunk: int, output: ChunkOutput) -> None:
    """Raises `NonFinite`, naming the metric and the lanes, if a chunk reported one."""
    checks = output.finite | {"episode_return": np.isfinite(output.episode_return)}
    for name, good in checks.items():
        if not np.all(good):
            lanes = ", ".join(str(lane) for lane in np.flatnonzero(~np.asarray(good)))
            raise NonFinite(f"{name} is not finite in {stage.name} {chunk}/{stage.chunks} (lane {lanes})")
