"""Filling frames that are missing, without a model: what a model has to beat."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from imaginax.types import ConfigError


def gap(length: int, start: int, stop: int) -> Bool[np.ndarray, "T"]:
    """A mask of `length` frames, of which those from `start` to before `stop` are missing.

    Raises:
        ConfigError: if the gap is empty or not inside, with a frame on each side.
    """
    if not 0 < start < stop < length:
        raise ConfigError(f"a gap must be inside {length} frames, got {start} to {stop}")
    frames = np.arange(length)
    return (frames >= start) & (frames < stop)


def missing(values: Float[np.ndarray, "T D"]) -> Bool[np.ndarray, "T"]:
    """A mask of the frames that a file left out, which are NaN."""
    return np.asarray(np.isnan(values).any(-1))


def fill_mean(values: Float[np.ndarray, "T D"], missing: Bool[np.ndarray, "T"]) -> Float[np.ndarray, "T D"]:
    """With the mean of the frames that are there."""
    filled = values.copy()
    filled[missing] = values[~missing].mean(0)
    return filled


def fill_linear(values: Float[np.ndarray, "T D"], missing: Bool[np.ndarray, "T"]) -> Float[np.ndarray, "T D"]:
    """By straight lines between the neighbours."""
    filled, frames = values.copy(), np.arange(len(values))
    for column in range(values.shape[1]):
        filled[missing, column] = np.interp(frames[missing], frames[~missing], values[~missing, column])
    return filled


def fill_cubic(values: Float[np.ndarray, "T D"], missing: Bool[np.ndarray, "T"]) -> Float[np.ndarray, "T D"]:
    """By a cubic spline through all frames that are there, with scipy's usual (not-a-knot) ends."""
    from scipy.interpolate import CubicSpline

    filled, frames = values.copy(), np.arange(len(values))
    filled[missing] = CubicSpline(frames[~missing], values[~missing])(frames[missing])
    return filled


def rmse(
    values: Float[np.ndarray, "T D"], filled: Float[np.ndarray, "T D"], missing: Bool[np.ndarray, "T"]
) -> float:
    """Root of the mean square over every entry of the missing frames, in the values' units."""
    return float(np.sqrt(np.mean((values - filled)[missing] ** 2)))
