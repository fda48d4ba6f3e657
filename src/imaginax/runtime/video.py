"""Episodes as GIFs and as film strips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imaginax.runtime.run_directory import RunError

_FASTEST = 50.0  # frames a second; viewers slow a GIF down that asks for more


def write_gif(path: Path, frames: UInt8[np.ndarray, "T H W 3"], *, fps: float) -> Path:
    """Writes frames as a GIF that plays for ever, in real time.

    Frames are dropped evenly where `fps` is more than viewers show.

    Args:
        path: the file; its folder is made.
        frames: RGB images.
        fps: frames a second; `frames_per_second` gives it for an environment.

    Raises:
        RunError: if the file cannot be written.
    """
    import imageio.v3 as iio

    stride = max(1, int(np.ceil(fps / _FASTEST)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(path, frames[::stride], extension=".gif", duration=1000.0 * stride / fps, loop=0)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def write_strip(path: Path, frames: UInt8[np.ndarray, "T H W 3"], *, pictures: int = 8) -> Path:
    """Writes evenly spaced frames beside each other, the first and the last among them.

    Args:
        path: a PNG; its folder is made.
        frames: RGB images.
        pictures: at most so many.

    Raises:
        RunError: if the file cannot be written.
    """
    import imageio.v3 as iio

    chosen = np.linspace(0, len(frames) - 1, min(pictures, len(frames))).round().astype(int)
    gap = np.full((frames.shape[1], 2, 3), 255, np.uint8)
    parts = [part for index in chosen for part in (frames[index], gap)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(path, np.concatenate(parts[:-1], axis=1))
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    return path


MOVE_SECONDS = 0.8  # that a position of a board game is shown


def frames_per_second(step_seconds: float, players: int = 1) -> float:
    """Real time for an environment with a unit of time, 10 steps a second for one without.

    The moves of a board game are shown slowly enough to be followed.
    """
    if players > 1:
        return 1.0 / MOVE_SECONDS
    return 1.0 / step_seconds if step_seconds > 0 else 10.0
