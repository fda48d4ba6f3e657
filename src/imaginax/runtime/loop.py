"""The compiled training loop: one chunk of any system is one XLA program.

A chunk learns and then acts:

    if index % update_every == 0:   learner <- learn(learner, replay)   (updates times)
    repeat env_steps times:         action  <- act(params_of(learner), timestep)
                                    timestep <- environment.step(action)
                                    replay  <- add(record(...))

Nothing in it talks to the host. `runtime.run` calls it, saves and prints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from imaginax.envs.wrappers import strip_weak_types
from imaginax.runtime.precision import precision
from imaginax.types import Metrics, Stage, System, SystemState, TimeStep


class ChunkOutput(NamedTuple):
    """What one chunk reports.

    Attributes:
        metrics: of the last update; zeros in a chunk without one.
        episodes: number of episodes that ended in the chunk.
        episode_return: their mean undiscounted return; 0 if none ended.
        env_steps: steps of the environments in each of the chunk's T decisions; their sum may need 64 bits.
        finite: False where a metric of learning is NaN or infinite.
    """

    metrics: Metrics
    episodes: Int[Array, ""]
    episode_return: Float[Array, ""]
    env_steps: Int[Array, "T"]
    finite: dict[str, Array]


class Decision(NamedTuple):
    """What `act` chose for every environment [N, ...], and the key for the environments' own chance."""

    action: PyTree
    extras: PyTree
    key: Array


Chunk = Callable[[SystemState, Array], tuple[SystemState, ChunkOutput]]


def make_chunk(system: System, stage: Stage) -> Chunk:
    """The program of one chunk: (state, index of the chunk in its stage) -> (state, ChunkOutput).

    `jax.vmap` it with `in_axes=(0, None)` to train several seeds at once: the index
    stays unbatched, so a chunk without an update does not pay for one.
    """
    learn = stage.learn or system.learn

    @jax.named_scope("learn")
    def update(state: SystemState, _) -> tuple[SystemState, Metrics]:
        key, key_learn = jax.random.split(state.key)
        learner, metrics = learn(state.learner, state.replay, key_learn)
        return state._replace(learner=learner, key=key, updates=state.updates + 1), metrics

    def act(state: SystemState, _):
        return _env_step(system, stage, state)

    def chunk(state: SystemState, index: Array) -> tuple[SystemState, ChunkOutput]:
        metrics = {}
        if stage.updates:
            state, metrics = _when(index % stage.update_every == 0, update, stage.updates, state)
        state, (last, returns, env_steps) = jax.lax.scan(act, state, length=stage.env_steps)
        episodes = jnp.sum(last)
        mean_return = jnp.sum(jnp.where(last, returns, 0.0)) / jnp.maximum(episodes, 1)
        finite = {name: jnp.isfinite(value).all() for name, value in metrics.items()}
        return state, ChunkOutput(metrics, episodes, mean_return, env_steps, finite)

    return chunk


def replay_ratio(system: System) -> dict[str, float]:
    """Updates for each transition that replay receives, by stage.

    A transition is one decision in one environment, however many steps its action is held for. An update is
    one call of `learn`: a gradient step, or all of a fit where the system learns by fits.
    """
    with precision(system):
        timestep = jax.eval_shape(system.environment.init, jax.random.key(0))[1]
    return {
        stage.name: stage.updates / (stage.update_every * stage.env_steps * timestep.last.size)
        for stage in system.schedule
        if stage.updates
    }


def _when(condition: Array, update, updates: int, state: SystemState) -> tuple[SystemState, Metrics]:
    """`updates` updates and the metrics of the last one, or the state as it is and zeros."""

    def run(state):
        state, metrics = jax.lax.scan(update, state, length=updates)
        return state, jax.tree.map(lambda x: x[-1], metrics)

    shapes = jax.eval_shape(run, state)[1]
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return jax.lax.cond(condition, run, lambda state: (state, zeros), state)


def _env_step(system: System, stage: Stage, state: SystemState):
    """One decision in every environment: act, step, remember.

    Emits (episode ended, its return), [N], and the steps of all environments together.
    """
    state, decision = decide(system, stage, state)
    with jax.named_scope("environment"):
        env, timestep = system.environment.step(state.env, decision.action, decision.key)
    state = remember(system, state, decision, env, timestep)
    env_steps = jnp.sum(jnp.broadcast_to(timestep.steps, timestep.last.shape))
    return state, (timestep.last, env.finished_return, env_steps)


@jax.named_scope("act")
def decide(system: System, stage: Stage, state: SystemState) -> tuple[SystemState, Decision]:
    """The first half of an environment step: what to do in every environment."""
    key, key_act, key_env = jax.random.split(state.key, 3)
    act = stage.act or system.act
    params = system.params_of(state.learner)
    carry, action, extras = act(params, state.carry, state.timestep, key_act)
    wanted = (*state.timestep.last.shape, *system.environment.spec.action.shape)
    chex.assert_shape(action, wanted, custom_message=f"action of {system.name}")
    return state._replace(carry=carry, key=key), Decision(action, extras, key_env)


@jax.named_scope("replay")
def remember(
    system: System, state: SystemState, decision: Decision, env: PyTree, timestep: TimeStep
) -> SystemState:
    """The second half: stores what came of a decision in replay and moves on to the new time step.

    Args:
        system: the system.
        state: as `decide` left it.
        decision: what it decided.
        env: state of the environments after it.
        timestep: what they answered.
    """
    item = system.record(state.timestep, decision.action, timestep, decision.extras)
    chex.assert_tree_shape_prefix(item, timestep.last.shape)
    return state._replace(
        replay=system.replay.add(state.replay, item),
        env=env,
        timestep=timestep,
    )


def first_state(system: System) -> Callable[[Key[Array, "S"]], SystemState]:
    """Keys [S] -> the state of every lane [S, ...], without weak types, which no file can keep."""
    return lambda keys: strip_weak_types(jax.vmap(system.init)(keys))
