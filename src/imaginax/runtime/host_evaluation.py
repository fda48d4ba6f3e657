"""Fresh episodes in environments outside of JAX: `runtime.evaluation`, stepped by the host."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree, UInt8

from imaginax.envs.host.vector import HostVector
from imaginax.runtime.compilation import Compiled, compiled
from imaginax.runtime.loop import first_state
from imaginax.runtime.report import Evaluation
from imaginax.types import System, SystemState

_LARGEST = 320  # pixels along a side of a frame that is kept


def evaluate(
    system: System, state: SystemState, keys: Key[Array, "S"], vector: HostVector, *, episodes: int = 1
) -> Evaluation:
    """Episodes of the learners of `state`, without exploration, N at a time in each of S lanes.

    Args:
        system: its config may ask for more episodes, as `eval_episodes`.
        state: states [S, ...] of all lanes.
        keys: one for each lane.
        vector: S x N environments, which are not those of the training.
        episodes: least number of episodes a seed.
    """
    wanted = max(episodes, getattr(system.config, "eval_episodes", 1))
    begin = compiled(first_state(system), keys)
    fresh = jax.eval_shape(first_state(system), keys)
    act = compiled(jax.vmap(partial(_act, system)), state.learner, fresh.carry, fresh.timestep, keys)
    portions, films = [], []
    while sum(portion.shape[1] for portion in portions) < wanted:
        keys, keys_begin, keys_act = jnp.moveaxis(jax.vmap(partial(jax.random.split, num=3))(keys), 1, 0)
        returns, film = _portion(
            act, state.learner, begin.call(keys_begin), keys_act, vector, system.environment.spec.max_steps
        )
        portions.append(returns)
        films.append(film)
    returns = np.concatenate(portions, axis=1)
    return Evaluation(returns, None, begin.seconds + act.seconds, films[0])


def _act(system: System, learner: PyTree, carry: PyTree, timestep: PyTree, key: Array):
    key, key_act = jax.random.split(key)
    act = system.exploit or system.act
    carry, action, _ = act(system.params_of(learner), carry, timestep, key_act)
    return carry, key, action


def _portion(
    act: Compiled,
    learner: PyTree,
    fresh: SystemState,
    keys: Key[Array, "S"],
    vector: HostVector,
    max_steps: int,
) -> tuple[Float[np.ndarray, "S N"], UInt8[np.ndarray, "T H W 3"] | None]:
    """One episode in every environment, and the frames of the first."""
    seeds, numbers = (np.asarray(leaf) for leaf in fresh.env.inner)
    lanes = seeds.shape
    timestep = vector.reset(seeds.reshape(-1), numbers.reshape(-1))
    carry, frames = fresh.carry, []
    returns, running = np.zeros(seeds.size, np.float32), np.ones(seeds.size, bool)
    for _ in range(max_steps):
        if running[0] and (frame := vector.render()) is not None:
            frames += [_small(frame)] if not frames or _small(frame).shape == frames[0].shape else []
        given = jax.tree.map(lambda leaf: leaf.reshape(*lanes, *leaf.shape[1:]), timestep)
        carry, keys, action = act.call(learner, carry, given, keys)
        vector.send(np.asarray(action).reshape(-1, *action.shape[2:]))
        timestep = vector.receive()
        returns += running * timestep.reward
        running &= ~timestep.last
        if not running.any():
            break
    return returns.reshape(lanes), np.stack(frames) if frames else None


def _small(frame: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Every k-th pixel, so that a long episode fits into memory."""
    stride = -(-max(frame.shape[:2]) // _LARGEST)
    return frame[::stride, ::stride].copy()
