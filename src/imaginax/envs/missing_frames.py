"""A motion of which some frames are missing: at every frame the agent is asked for its channels.

An episode goes through the sequence once. Observed is the number of the frame and whether it is missing, the
action is the frame, and the last step pays

    -sqrt(mean over missing frames and channels of (action - frame)^2),

minus the RMSE of the reconstruction. What is answered at frames that are not missing does not count. Pictures
show the last answer in colours and the truth in grey behind it, at the same place.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from imaginax.data import mocap
from imaginax.data.mocap import gaps
from imaginax.envs.physical import restart, transition
from imaginax.types import Box, Environment, EnvSpec, TimeStep

BOUND = 1e4  # of an action, in the units of a channel: degrees, or units of length a frame
GENERATED_GAP = (40, 60)


class MissingFramesState(NamedTuple):
    """The frame that is asked for, the sum of squared errors at missing frames, and the last answer."""

    frame: Int[Array, "*#N"]
    squares: Float[Array, "*#N"]
    answer: Float[Array, "*#N D"]


def missing_frames(
    skeleton: mocap.Skeleton, prepared: mocap.Prepared, missing: Bool[np.ndarray, "T"]
) -> Environment:
    """The environment of one motion.

    Args:
        skeleton: of the motion.
        prepared: its frames, missing ones included; their channels are what is asked for.
        missing: which frames are, one at least.
    """
    frames = prepared.values + prepared.mean
    length, channels = frames.shape

    def observe(frame: Array) -> Float[Array, "2"]:
        asked = jnp.minimum(frame, length - 1)
        return jnp.stack([asked.astype(float), jnp.asarray(missing)[asked].astype(float)])

    def init(key: Array) -> tuple[MissingFramesState, TimeStep]:
        del key
        none = jnp.zeros((), jnp.int32)
        state = MissingFramesState(none, jnp.zeros(()), jnp.asarray(frames[0].astype(jnp.zeros(()).dtype)))
        return state, restart(observe(none))

    def step(state: MissingFramesState, action: Array, key: Array) -> tuple[MissingFramesState, TimeStep]:
        del key
        answer = jnp.clip(action, -BOUND, BOUND)
        error = jnp.mean((answer - jnp.asarray(frames)[state.frame]) ** 2)
        squares = state.squares + jnp.where(jnp.asarray(missing)[state.frame], error, 0.0)
        following = state.frame + 1
        last = following >= length
        reward = jnp.where(last, -jnp.sqrt(squares / missing.sum()), 0.0)
        timestep = transition(observe(following), reward, terminal=last)
        return MissingFramesState(following, squares, answer), timestep

    spec = EnvSpec(
        "missing_frames",
        observation=Box((2,), 0.0, float(length)),
        action=Box((channels,), -BOUND, BOUND),
        max_steps=length,
        step_seconds=prepared.step_seconds,
    )
    return Environment(spec, init, step, _render(skeleton, prepared))


def _render(skeleton: mocap.Skeleton, prepared: mocap.Prepared):
    """State -> picture of the answer to the frame before the one that is asked for."""
    from imaginax.envs.stick_figure import limb_sides, stick_figure

    poses = mocap.restore(prepared, prepared.values).values.astype(np.float32)
    angles = np.setdiff1d(np.arange(len(prepared.kept)), prepared.velocities)
    sides = limb_sides(skeleton.joints)

    def render(state: MissingFramesState) -> UInt8[Array, "H W 3"]:
        truth = jnp.asarray(poses)[jnp.maximum(state.frame - 1, 0)]
        answer = truth.at[prepared.kept[angles]].set(state.answer[angles].astype(truth.dtype))
        figures = [
            skeleton.metres * mocap.forward_kinematics(skeleton, pose[None]) for pose in (answer, truth)
        ]
        return stick_figure(figures[0], skeleton.parents, sides, figures[1])[0]

    return render


def generated() -> Environment:
    """Of the walk that the package generates, in the published preprocessing, frames 40 to 59 missing."""
    prepared = mocap.prepare([mocap.walk(jax.random.key(0))], mocap.PreprocessingConfig(stop=260))
    missing = gaps.gap(len(prepared.values), *GENERATED_GAP)
    return missing_frames(mocap.humanoid(), prepared, missing)
