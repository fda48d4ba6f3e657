"""What a GPDM is given: its configuration, and frames of one or several sequences, some of them missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imaginax.types import ConfigError

INPUTS, OUTPUTS, DYNAMICS = ("x", "xx", "xv"), ("x", "dx"), ("learned", "fixed", "none")


@dataclasses.dataclass(frozen=True)
class GPDMConfig:
    """What kind of model it is.

    Attributes:
        latent: Z, dimensions of a position.
        dynamics: "learned" with their hyperparameters, "fixed" at Lawrence's smooth RBF, "none" (a GPLVM).
        inputs: of the dynamics: "x" is [x_t], "xx" [x_t, x_t-1], "xv" [x_t, x_t - x_t-1].
        outputs: "x" is x_t+1, "dx" the difference x_t+1 - x_t.
        balanced: weigh the dynamics by D/Z: the balanced GPDM.
        kappa2: kappa^2, the variance of the prior of the scales w.
    """

    latent: int = 3
    dynamics: str = "learned"
    inputs: str = "x"
    outputs: str = "x"
    balanced: bool = False
    kappa2: float = 1e6

    def __post_init__(self):
        if not 1 <= self.latent <= 100:
            raise ConfigError(f"model.latent must lie in [1, 100], got {self.latent}")
        for name, known in (("dynamics", DYNAMICS), ("inputs", INPUTS), ("outputs", OUTPUTS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"model.{name} must be one of {known}, got {getattr(self, name)!r}")
        if not 1e-30 <= self.kappa2 <= 1e30:
            raise ConfigError(f"model.kappa2 must lie in [1e-30, 1e30], got {self.kappa2}")

    @property
    def second_order(self) -> bool:
        """Whether a step depends on two positions."""
        return self.inputs != "x"

    @property
    def linear(self) -> bool:
        """Whether k_X has its linear term."""
        return self.dynamics != "fixed"


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
