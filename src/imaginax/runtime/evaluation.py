"""Fresh episodes with parameters as they are: what `System.evaluate` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import jax
from jaxtyping import Array, PyTree

from imaginax.envs.wrappers import training_environment
from imaginax.types import Environment, Episodes, Params


def run_episodes(
    env: Environment,
    act: Callable[..., Any],
    start: Callable[[int], PyTree],
    params: Params,
    key: Array,
    *,
    episodes: int,
    vector: Callable[[Environment, int], Environment] = training_environment,
) -> Episodes:
    """Returns of `episodes` parallel episodes and the states that the first went through.

    Args:
        env: one environment with its time limit, without automatic reset.
        act: the system's `act`.
        start: number of episodes -> the carry with which `act` begins.
        params: what `act` takes, `System.params_of(learner)`.
        key: consumed.
        episodes: how many, all at once.
        vector: makes so many environments out of one.
    """
    batch = vector(env, episodes)
    key_init, key_steps = jax.random.split(key)
    state, timestep = batch.init(key_init)
    chex.assert_shape((timestep.reward, timestep.last), (episodes,))

    def step(carry, key):
        state, timestep, memory, returns, running = carry
        key_act, key_env = jax.random.split(key)
        memory, action, _ = act(params, memory, timestep, key_act)
        following, timestep = batch.step(state, action, key_env)
        returns = returns + running * timestep.reward
        running = running * ~timestep.last
        return (following, timestep, memory, returns, running), jax.tree.map(lambda x: x[0], state)

    zeros = 0.0 * timestep.reward
    carry = (state, timestep, start(episodes), zeros, zeros + 1.0)
    (*_, returns, _), states = jax.lax.scan(step, carry, jax.random.split(key_steps, env.spec.max_steps))
    return Episodes(returns, states)
