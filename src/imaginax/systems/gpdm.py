"""GPDM: Gaussian process dynamical models (Wang, Fleet, Hertzmann: NIPS 2005; PAMI 2008).

A model that is fitted, not acted with: a chunk is one sweep of the fit, and one pass through the sequence
with its reconstruction, which the environment marks by its error at the missing frames.

    repeat `pieces` times:
        sweep over the pieces between the gaps                          -> models.gpdm.fit.sweep
        missing positions by the mean prediction of the dynamics        -> models.gpdm.model.bridge
    repeat `sweeps` times:
        W in closed form, then positions and hyperparameters            -> models.gpdm.fit.sweep

Method "two_stage" puts Monte Carlo EM between the two, and holds hyperparameters in the last.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imaginax.data import mocap
from imaginax.data.mocap import amc, asf, gaps
from imaginax.envs.missing_frames import missing_frames
from imaginax.envs.wrappers import time_limit, training_environment
from imaginax.models.gpdm import fit as gpdm_fit
from imaginax.models.gpdm import model as gpdm
from imaginax.models.gpdm.data import MotionData, motion_data
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.gpdm import GPDMSystemConfig
from imaginax.types import ConfigError, Environment, Metrics, Replay, Stage, System, SystemState

Learn = Callable[..., tuple["GPDMLearner", Metrics]]


class GPDMLearner(NamedTuple):
    """The model, and all frames as it reconstructs them, which `act` reads."""

    params: gpdm.GPDMParams
    frames: Float[Array, "T D"]


def prepared_motion(config: GPDMSystemConfig) -> tuple[mocap.Skeleton, mocap.Prepared]:
    """The skeleton and the frames that a configuration names.

    Raises:
        ConfigError: if they cannot be read, or do not fit its settings.
    """
    return _prepared(config.motion, config.skeleton, config.frames, config.every)


@functools.lru_cache(maxsize=4)
def _prepared(motion: str, skeleton: str, frames: int, every: int) -> tuple[mocap.Skeleton, mocap.Prepared]:
    body, found = _read(motion, skeleton) if motion else (mocap.humanoid(), mocap.walk(jax.random.key(0)))
    bones = {channel.partition(".")[0] for channel in found.channels}
    unused = tuple(bone for bone in mocap.PUBLISHED.unused if motion and bone in bones)
    settings = mocap.PreprocessingConfig(stop=frames or None, every=every, unused=unused)
    return body, mocap.prepare([found], settings)


def _read(motion: str, skeleton: str) -> tuple[mocap.Skeleton, mocap.Motion]:
    """The skeleton and the motion in two files.

    Raises:
        ConfigError: if one of them cannot be read; it names the file.
    """
    body = asf.read(_skeleton(motion, skeleton))
    return body, amc.read(motion, body)


def _skeleton(motion: str, skeleton: str) -> str:
    """The path of the skeleton: as it is given, or the only one beside the motion."""
    for name, path in (("motion", motion), ("skeleton", skeleton)):
        if path and not Path(path).exists():
            raise ConfigError(f"{name} {path!r}: no such file")
    near = sorted(path for path in Path(motion).parent.iterdir() if path.suffix.lower() == ".asf")
    if not skeleton and len(near) != 1:
        raise ConfigError(f"skeleton must be given: {len(near)} .asf files lie beside motion {motion!r}")
    return skeleton or str(near[0])


def environment(config: GPDMSystemConfig) -> tuple[Environment, mocap.Prepared]:
    """The environment that marks reconstructions, and the frames it knows.

    Raises:
        ConfigError: if the gap is not inside the motion.
    """
    skeleton, prepared = prepared_motion(config)
    length, (first, end) = len(prepared.values), config.missing
    before = 2 if config.model.second_order else 1
    if not before <= first < end <= length - before - 1:
        raise ConfigError(
            f"missing must be a gap inside of {length} frames (every {config.every} of {config.frames}), "
            f"with {before} before it, got {first} to {end}"
        )
    return time_limit(missing_frames(skeleton, prepared, gaps.gap(length, first, end))), prepared


def make(config: GPDMSystemConfig, env: Environment | None = None) -> System:
    """The system of a configuration, whose environment is made of the motion: `env` must be None.

    Raises:
        ConfigError: if the motion cannot be read or the gap does not fit it.
    """
    if env is not None:
        raise ConfigError("gpdm makes its environment of its motion and takes no other")
    env, prepared = environment(config)
    frames = prepared.values + prepared.mean
    observed = ~gaps.gap(len(frames), *config.missing)
    vector = training_environment(env, 1)

    def data(*, pieces: bool) -> MotionData:
        seen = np.where(observed[:, None], frames, 0.0).astype(jnp.zeros(()).dtype)
        return motion_data(config.model, seen, observed=observed, pieces=pieces)

    def init(key) -> SystemState:
        key, key_env = jax.random.split(key)
        params = gpdm.initialise(config.model, data(pieces=False))
        learner = _learner(params, data(pieces=False))
        state, timestep = vector.init(key_env)
        zero = jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, (), key, zero)

    def evaluate(state: SystemState, key):
        return run_episodes(env, _act, lambda episodes: (), state.learner.frames, key, episodes=1)

    replay = Replay(lambda: jnp.zeros((), jnp.int32), lambda count, item: count, lambda count: count)
    schedule = _schedule(config, data, len(frames))
    learn = schedule[-1].learn
    assert learn is not None
    return System(
        name="gpdm",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.frames,
        act=_act,
        learn=learn,
        record=_record,
        evaluate=evaluate,
        schedule=schedule,
        float64=True,
        inputs=_inputs(config.motion, config.skeleton),
    )


def _inputs(motion: str, skeleton: str) -> tuple[tuple[str, str], ...]:
    return (("motion", motion), ("skeleton", _skeleton(motion, skeleton))) if motion else ()


def _schedule(config: GPDMSystemConfig, data: Callable[..., MotionData], length: int) -> tuple[Stage, ...]:
    """A chunk is one update, and one pass through the sequence with what it led to."""
    model, fit = config.model, config.fit
    bridge = functools.partial(gpdm.bridge, model, gaps=[config.missing])

    def pieces(learner: GPDMLearner, memory: Array, key: Array):
        params, metrics = gpdm_fit.sweep(model, fit, learner.params, data(pieces=True))
        params = bridge(params, data(pieces=True))
        return _learner(params, data(pieces=True)), metrics

    def em(learner: GPDMLearner, memory: Array, key: Array):
        params, metrics = gpdm_fit.em_step(model, fit, config.hmc, learner.params, data(pieces=False), key)
        return _learner(params, data(pieces=False)), metrics

    def whole(learner: GPDMLearner, memory: Array, key: Array):
        move = gpdm_fit.sweep if config.method == "map" else gpdm_fit.place
        params, metrics = move(model, fit, learner.params, data(pieces=False))
        return _learner(params, data(pieces=False)), metrics

    stages = [Stage("pieces", config.pieces, length, updates=1, learn=pieces)] if config.pieces else []
    if config.method == "two_stage":
        stages.append(Stage("hyperparameters", config.rounds, length, updates=1, learn=em))
    return (*stages, Stage("whole", config.sweeps, length, updates=1, learn=whole))


def _learner(params: gpdm.GPDMParams, data: MotionData) -> GPDMLearner:
    return GPDMLearner(params, gpdm.reconstruct(params, data))


def _act(frames: Float[Array, "T D"], carry, timestep, key):
    """The reconstruction of the frame that is asked for."""
    return carry, frames[timestep.observation[:, 0].astype(jnp.int32)], ()


def _record(timestep, action, following, extras):
    """Nothing is stored: the model is fitted to the frames, not to experience."""
    return ()
