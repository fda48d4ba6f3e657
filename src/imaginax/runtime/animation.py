"""A recorded motion as an animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imaginax.data.mocap.skeleton import Motion, Skeleton, forward_kinematics
from imaginax.envs.stick_figure import StickFigureConfig, limb_sides, stick_figure
from imaginax.errors import ConfigError
from imaginax.runtime import video


def animate(
    path: Path,
    skeleton: Skeleton,
    motion: Motion,
    *,
    original: Motion | None = None,
    config: StickFigureConfig | None = None,
) -> Path:
    """Writes a motion as a GIF in real time, with frames left out where it has more than `config.fps`.

    Args:
        path: the file; its folder is made.
        skeleton: of the motions.
        motion: what is drawn in colours.
        original: what is drawn in grey behind it; with as many frames.
        config: how the pictures look.

    Raises:
        ConfigError: if the two motions have not the same shape.
        RunError: if the file cannot be written.
    """
    config = config or StickFigureConfig()
    if original is not None and original.values.shape != motion.values.shape:
        raise ConfigError(f"motions of shapes {motion.values.shape} and {original.values.shape} differ")
    every = max(1, round(1 / (motion.step_seconds * config.fps)))
    figures = [
        skeleton.metres * forward_kinematics(skeleton, each.values[::every])
        for each in (motion, original)
        if each is not None
    ]
    frames = stick_figure(
        figures[0], skeleton.parents, limb_sides(skeleton.joints), *figures[1:], config=config
    )
    return video.write_gif(path, np.asarray(frames), fps=1 / (every * motion.step_seconds))
