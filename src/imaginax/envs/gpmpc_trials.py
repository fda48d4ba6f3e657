"""What GP-MPC's figures count: trials that succeed and trials that break a limit."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from imaginax.envs import gpmpc
from imaginax.envs.limits import outside
from imaginax.types import ConfigError, Environment

CONSECUTIVE = 10  # steps that the tip has to stay near its target


class Trials(NamedTuple):
    """Of S seeds, trial by trial.

    Attributes:
        success: whether the tip stayed near its target for ten consecutive steps.
        violated: whether a limit was broken.
        distance: least mean distance of the tip, in metres, over ten consecutive steps.
    """

    success: Bool[np.ndarray, "S R"]
    violated: Bool[np.ndarray, "S R"]
    distance: Float[np.ndarray, "S R"]


def judge(env: Environment, observations: Float[np.ndarray, "S R T D"]) -> Trials:
    """Judges trials by the observations after each of their steps.

    Raises:
        ConfigError: for an environment that is none of `envs.gpmpc`.
    """
    name = env.spec.name.removesuffix("_wall")
    tasks = {
        "gpmpc_cartpole": (gpmpc.cartpole_tip, gpmpc.LENGTH, gpmpc.CARTPOLE_SUCCESS),
        "gpmpc_double_pendulum": (
            gpmpc.double_pendulum_tip,
            2 * gpmpc.LENGTH,
            gpmpc.DOUBLE_PENDULUM_SUCCESS,
        ),
    }
    if name not in tasks:
        raise ConfigError(f"env {env.spec.name} is no task of GP-MPC's figures: {', '.join(tasks)}")
    tip, height, reach = tasks[name]
    target = np.array([0.0, height])
    seen = jnp.asarray(observations)
    distance = np.linalg.norm(np.asarray(tip(seen)) - target, axis=-1)
    window = np.lib.stride_tricks.sliding_window_view(distance, CONSECUTIVE, axis=-1)
    return Trials(
        success=np.asarray((window < reach).all(-1).any(-1)),
        violated=np.any(np.asarray(outside(env.limits, seen)), axis=-1),
        distance=window.mean(-1).min(-1),
    )
