"""What a GPDM is given: its configuration, and frames of one or several sequences, some of them missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imaginax.models.gpdm.config import GPDMConfig
from imaginax.types import ConfigError


class MotionData(NamedTuple):
    """Frames as the model sees them.

    Attributes:
        frames: the O observed frames, without their mean.
        observed: their places among all N = O + U frames.
        missing: places of the others.
        starts: places of the first frame of every sequence.
        steps: places t from which the dynamics lead to t + 1.
        mean: of the observed frames.
    """

    frames: Float[Array, "O D"]
    observed: Int[Array, "O"]
    missing: Int[Array, "U"]
    starts: Int[Array, "S"]
    steps: Int[Array, "M"]
    mean: Float[Array, "D"]


def motion_data(
    config: GPDMConfig,
    frames: Float[np.ndarray | Array, "N D"],
    *,
    observed: Bool[np.ndarray, "N"] | None = None,
    lengths: Sequence[int] | None = None,
    pieces: bool = False,
) -> MotionData:
    """Prepares the frames of one or several sequences, one after another.

    Args:
        config: of the model: the order of its dynamics decides which frames have a predecessor.
        frames: of all sequences; what stands at missing frames does not matter.
        observed: False for missing frames; all are observed by default.
        lengths: frames of each sequence; one sequence by default.
        pieces: cut the sequences at missing frames, whose positions then have no part in the dynamics.

    Raises:
        ConfigError: if lengths or the mask do not fit the frames, or a sequence or a piece is too short.
    """
    count = len(frames)
    seen = np.ones(count, bool) if observed is None else np.asarray(observed)
    if seen.shape != (count,) or seen.sum() < 2:
        raise ConfigError(f"missing leaves {int(seen.sum())} of {count} frames: 2 are needed at least")
    starts, ends = _sequences([count] if lengths is None else list(lengths), count)
    if pieces:
        before, after = np.append(False, seen[:-1]), np.append(seen[1:], False)
        starts = np.flatnonzero(seen & (~before | np.isin(np.arange(count), starts)))
        ends = np.flatnonzero(seen & (~after | np.isin(np.arange(count), ends)))
    if (ends - starts).min() < (2 if config.second_order else 1):
        raise ConfigError(f"lengths: a sequence of {int((ends - starts).min()) + 1} frames is too short")
    first = 1 if config.second_order else 0
    steps = np.concatenate([np.arange(a + first, b) for a, b in zip(starts, ends, strict=True)])
    places = np.flatnonzero(seen)
    kept = np.asarray(frames)[places] if isinstance(frames, np.ndarray) else frames[places]
    mean = kept.mean(axis=0)
    return MotionData(
        frames=jnp.asarray(kept - mean),
        observed=jnp.asarray(places),
        missing=jnp.asarray(np.flatnonzero(~seen)),
        starts=jnp.asarray(starts),
        steps=jnp.asarray(steps),
        mean=jnp.asarray(mean),
    )


def _sequences(lengths: Sequence[int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the first and the last frame of every sequence."""
    if sum(lengths) != count or min(lengths) < 1:
        raise ConfigError(f"lengths must be positive and sum to the {count} frames, got {lengths}")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    return starts, starts + np.asarray(lengths) - 1
