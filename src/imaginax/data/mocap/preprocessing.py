"""Motions as the GPDM papers model them: the preprocessing of J. Wang's published code, and its inverse.

`PUBLISHED` is what his code does to walk 07_01 of the CMU archive (its `loadMocapData` and the example):

1. Frames 0, 2, 4 .. 258 of 316: N = 130.
2. Of the 62 channels, 12 are left out: of both sides hand (2), fingers (1), thumb (2) and toes (1). D = 50.
   Four of those are constant in this file (both clavicles); he keeps them.
3. The root's x, y and z become differences to the NEXT frame that is kept; the last one is repeated. Lengths
   stay in the file's units and angles in degrees: nothing is scaled.
4. The mean over the frames is subtracted.

With this, root mean squares over all N_gap * 50 entries of a gap come out as they were recorded before:

    frames (zero-based)   mean of the others   linear   cubic spline
    40 .. 59                8.575               3.763     3.905
    30 .. 79                9.715              11.297    12.116
    50 .. 99                9.787               9.449    11.044

`gaps` has the three fills.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from imaginax.data.mocap import gaps
from imaginax.data.mocap.skeleton import Motion
from imaginax.types import ConfigError

ROOT_POSITION = ("root.tx", "root.ty", "root.tz")
CMU_UNUSED = tuple(side + bone for side in "rl" for bone in ("hand", "fingers", "thumb", "toes"))


@dataclasses.dataclass(frozen=True)
class PreprocessingConfig:
    """What is kept of a motion.

    Attributes:
        start: first frame.
        stop: frame before which it ends, or None for the last.
        every: keeps one of so many frames.
        unused: bones whose channels are left out.
        drop_constant: leaves out channels that are the same in all kept frames.
        velocities: channels replaced by their differences.
        centred: whether the mean is subtracted.
    """

    start: int = 0
    stop: int | None = None
    every: int = 2
    unused: tuple[str, ...] = ()
    drop_constant: bool = False
    velocities: tuple[str, ...] = ROOT_POSITION
    centred: bool = True

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ConfigError(f"start must not be negative, got {self.start}")
        if self.stop is not None and self.stop <= self.start:
            raise ConfigError(f"stop must be greater than start, got {self.stop}")
        if self.every < 1:
            raise ConfigError(f"every must be at least 1, got {self.every}")


PUBLISHED = PreprocessingConfig(stop=260, unused=CMU_UNUSED)


class Prepared(NamedTuple):
    """S motions of T frames together, one after the other, in K kept channels.

    Attributes:
        values: what a model is fitted to.
        mean: that was subtracted; zeros where nothing was.
        starts: the row at which each motion begins.
        kept: columns of the motions' channels.
        first: each motion's first frame in all channels; what `restore` starts from and fills up with.
        channels: of the motions.
        velocities: columns of `values` that hold differences, as a mask.
        step_seconds: between two frames that are kept.
    """

    values: Float[np.ndarray, "T K"]
    mean: Float[np.ndarray, "K"]
    starts: Int[np.ndarray, "S"]
    kept: Int[np.ndarray, "K"]
    first: Float[np.ndarray, "S D"]
    channels: tuple[str, ...]
    velocities: Int[np.ndarray, "V"]
    step_seconds: float

    @property
    def names(self) -> tuple[str, ...]:
        """Of the kept channels."""
        return tuple(self.channels[column] for column in self.kept)


def prepare(motions: Sequence[Motion], config: PreprocessingConfig) -> Prepared:
    """Sub-samples motions, leaves channels out, takes differences and subtracts the common mean.

    Args:
        motions: of one skeleton, at one rate.
        config: such as `PUBLISHED`.

    Raises:
        ConfigError: if the motions do not fit together, are shorter than the two frames that a difference
            takes, lack frames, or have no bone or channel that the config names.
    """
    channels, step = _common(motions)
    parts = [motion.values[config.start : config.stop : config.every] for motion in motions]
    for part in parts:
        if len(part) < 2:
            raise ConfigError(f"at least two frames must be kept of a motion, got {len(part)}")
        if (missing := gaps.missing(part)).any():
            raise ConfigError(
                f"{missing.sum()} of the {len(part)} frames that are kept are missing, the first at "
                f"{config.start + config.every * int(missing.argmax())}: fill them with data.mocap.gaps"
            )
    kept = _kept(channels, np.concatenate(parts), config)
    velocities = np.array([_place(name, channels, kept) for name in config.velocities], int)
    rows = []
    for part in parts:
        row = part[:, kept].copy()
        row[:-1, velocities] = np.diff(row[:, velocities], axis=0)
        row[-1, velocities] = row[-2, velocities]
        rows.append(row)
    values = np.concatenate(rows)
    mean = values.mean(0) if config.centred else np.zeros(len(kept))
    return Prepared(
        values=values - mean,
        mean=mean,
        starts=np.cumsum([0, *map(len, parts[:-1])]),
        kept=kept,
        first=np.stack([part[0] for part in parts]),
        channels=channels,
        velocities=velocities,
        step_seconds=step * config.every,
    )


def restore(prepared: Prepared, values: Float[np.ndarray, "T K"], sequence: int = 0) -> Motion:
    """The motion that prepared values stand for: a reconstruction or a sample of a model.

    The mean is added and differences are summed up from the first frame's position. Channels that were left
    out stay as they are in the first frame, as in the published animations.

    Args:
        prepared: what the model was fitted to.
        values: of the kept channels, mean subtracted; of any length.
        sequence: the motion whose first frame counts.

    Raises:
        ConfigError: if the number of columns is another.
    """
    values = np.asarray(values, np.float64)
    if values.shape[1:] != prepared.mean.shape:
        raise ConfigError(f"values need {len(prepared.mean)} columns, got {values.shape[1:]}")
    values = values + prepared.mean
    columns = prepared.velocities
    first = prepared.first[sequence]
    origin = first[prepared.kept[columns]]
    values[:, columns] = origin + np.cumsum(values[:, columns], axis=0) - values[:, columns]
    full = np.tile(first, (len(values), 1))
    full[:, prepared.kept] = values
    return Motion(full, prepared.channels, prepared.step_seconds)


def segment(prepared: Prepared, sequence: int) -> Float[np.ndarray, "_ K"]:
    """The rows of one motion."""
    return np.split(prepared.values, prepared.starts[1:])[sequence]


def _common(motions: Sequence[Motion]) -> tuple[tuple[str, ...], float]:
    if not motions:
        raise ConfigError("there is no motion to prepare")
    channels, step = motions[0].channels, motions[0].step_seconds
    for motion in motions:
        if motion.channels != channels:
            raise ConfigError("the motions must be of one skeleton: their channels differ")
        if motion.step_seconds != step:
            raise ConfigError(
                f"the motions must have one rate, got steps of {step} and {motion.step_seconds} s"
            )
    return channels, step


def _kept(
    channels: tuple[str, ...], values: Float[np.ndarray, "T D"], config: PreprocessingConfig
) -> Int[np.ndarray, "K"]:
    bones = [channel.rpartition(".")[0] for channel in channels]
    if unknown := [bone for bone in config.unused if bone not in bones]:
        raise ConfigError(f"unused names bones {unknown} that move no channel")
    constant = np.ptp(values, axis=0) == 0
    keep = [
        bone not in config.unused and (channel in config.velocities or not (config.drop_constant and same))
        for bone, channel, same in zip(bones, channels, constant, strict=True)
    ]
    return np.flatnonzero(keep)


def _place(name: str, channels: tuple[str, ...], kept: Int[np.ndarray, "K"]) -> int:
    """The column of a channel among those that are kept."""
    if name not in channels:
        raise ConfigError(f"velocities names {name!r}, which is no channel")
    if channels.index(name) not in kept:
        raise ConfigError(f"velocities names {name!r}, which is left out")
    return kept.tolist().index(channels.index(name))
