"""Wrappers: Environment -> Environment, each adding one thing.

The usual stack is `training_environment(make(name), n)`:

    make:    action_repeat(time_limit(raw environment))
    then:    vectorise(episode_statistics(auto_reset(...)), n)

Every wrapper keeps `reward` and `features`, and `render` takes the wrapped state.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from imaginax.types import Box, ConfigError, Environment, State, TimeStep


class TimeLimitState(NamedTuple):
    """An environment's state and the steps since its reset."""

    inner: State
    steps: Int[Array, "*#N"]


class TurnState(NamedTuple):
    """An environment's state, and whether its episode has ended."""

    inner: State
    ended: Bool[Array, "*#N"]


class StatisticsState(NamedTuple):
    """An environment's state, the episode under way and the last one that ended (0 before the first).

    Returns in a game of two are those of the player who began. `player` is who is to move.
    """

    inner: State
    running_return: Float[Array, "*#N"]
    running_length: Int[Array, "*#N"]
    finished_return: Float[Array, "*#N"]
    finished_length: Int[Array, "*#N"]
    player: Int[Array, "*#N"]


def time_limit(env: Environment, max_steps: int | None = None) -> Environment:
    """Truncates an episode after `max_steps` steps (default: the environment's own `spec.max_steps`).

    A truncated step keeps `discount` 1; a true termination at the limit is not called truncated.
    """
    limit = env.spec.max_steps if max_steps is None else max_steps

    def init(key: Array) -> tuple[TimeLimitState, TimeStep]:
        inner, timestep = env.init(key)
        return TimeLimitState(inner, jnp.zeros((), jnp.int32)), timestep

    def step(state: TimeLimitState, action: Array, key: Array) -> tuple[TimeLimitState, TimeStep]:
        inner, timestep = env.step(state.inner, action, key)
        steps = state.steps + 1
        truncated = (steps >= limit) & ~timestep.last
        timestep = timestep._replace(last=timestep.last | truncated, truncated=timestep.truncated | truncated)
        return TimeLimitState(inner, steps), timestep

    spec = dataclasses.replace(env.spec, max_steps=limit)
    return env._replace(spec=spec, init=init, step=step, render=_render_inner(env))


def action_repeat(env: Environment, repeats: int) -> Environment:
    """Holds every action for `repeats` steps, sums their rewards and stops early at a last step.

    `spec.max_steps` and `spec.step_seconds` then count decisions. `reward` on observations sees only
    both ends of the stretch: it gives `repeats` times the reward of the whole stretch taken as one step,
    which is exact for a reward that does not change within it.

    Raises:
        ConfigError: for `repeats` below 1.
    """
    if repeats < 1:
        raise ConfigError(f"action_repeat must be at least 1, got {repeats}")
    if repeats == 1:
        return env

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        keys = jax.random.split(key, repeats)
        again = functools.partial(_step_again, env, action)
        return jax.lax.scan(again, strip_weak_types(env.step(state, action, keys[0])), keys[1:])[0]

    spec = dataclasses.replace(
        env.spec,
        max_steps=-(-env.spec.max_steps // repeats),
        step_seconds=env.spec.step_seconds * repeats,
    )
    return env._replace(spec=spec, step=step, reward=_scaled_reward(env, repeats), expected_reward=None)


def _step_again(env: Environment, action: Array, carry: tuple[State, TimeStep], key: Array):
    state, timestep = carry
    state, new = env.step(state, action, key)
    new = new._replace(
        reward=timestep.reward + new.reward,
        discount=timestep.discount * new.discount,
        steps=timestep.steps + new.steps,
    )
    return _where(timestep.last, carry, strip_weak_types((state, new))), None


def _scaled_reward(env: Environment, scale: int):
    reward = env.reward
    return reward and (lambda *stretch: scale * reward(*stretch))


def unit_actions(env: Environment) -> Environment:
    """Takes actions in [-1, 1], which it stretches to the environment's bounds.

    Raises:
        ConfigError: for discrete actions.
    """
    space = env.spec.action
    if not isinstance(space, Box):
        raise ConfigError(f"env {env.spec.name}: only continuous actions can be scaled")
    if (space.low, space.high) == (-1.0, 1.0):
        return env
    middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        return env.step(state, middle + half * action, key)

    def stretched(observation: Array, action: Array, following: Array) -> Array:
        assert env.reward is not None
        return env.reward(observation, middle + half * action, following)

    spec = dataclasses.replace(env.spec, action=Box(space.shape, -1.0, 1.0))
    host = env.host and env.host.unit_actions()
    return env._replace(
        spec=spec, step=step, reward=env.reward and stretched, expected_reward=None, host=host
    )


def auto_reset(env: Environment) -> Environment:
    """Starts a new episode in the step that ends one.

    After a last step the state and `observation` are those of the new episode and `first` is True, while
    reward, discount, last and truncated are those of the transition just made, and `final_observation`
    is what its action led to. `init` and `step` return the same structure and strong types, so that
    either fits a scan's carry.
    """

    def init(key: Array) -> tuple[State, TimeStep]:
        state, timestep = env.init(key)
        return strip_weak_types((state, timestep._replace(final_observation=timestep.observation)))

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        key_step, key_reset = jax.random.split(key)
        state, timestep = env.step(state, action, key_step)
        new_state, new = env.init(key_reset)
        state, observation, legal, player = _where(
            timestep.last,
            (new_state, new.observation, new.legal, new.player),
            (state, timestep.observation, timestep.legal, timestep.player),
        )
        timestep = timestep._replace(
            observation=observation,
            first=timestep.last,
            legal=legal,
            player=player,
            final_observation=timestep.observation,
        )
        return strip_weak_types((state, timestep))

    return env._replace(init=init, step=step)


def reset_in_turn(env: Environment) -> Environment:
    """Starts a new episode in the step after the one that ended one; that step ignores its action.

    Every observation of an episode, its last one too, is thus `observation` of some time step, as latent
    models need it that learn from sequences, and none is made twice. It costs one time step an episode.
    """
    if env.host is not None:
        return env._replace(host=env.host.in_turn())

    def init(key: Array) -> tuple[TurnState, TimeStep]:
        state, timestep = strip_weak_types(env.init(key))
        return TurnState(state, timestep.last), timestep

    def step(state: TurnState, action: Array, key: Array) -> tuple[TurnState, TimeStep]:
        key_step, key_reset = jax.random.split(key)
        going, fresh = strip_weak_types((env.step(state.inner, action, key_step), env.init(key_reset)))
        inner, timestep = _where(state.ended, fresh, going)
        steps = jnp.where(state.ended, 0, timestep.steps)
        return TurnState(inner, timestep.last), timestep._replace(first=state.ended, steps=steps)

    return env._replace(init=init, step=step, render=_render_inner(env))


def episode_statistics(env: Environment) -> Environment:
    """Keeps return and length of the running and of the last finished episode of one that resets itself.

    Returns are undiscounted sums in float32.
    """

    def init(key: Array) -> tuple[StatisticsState, TimeStep]:
        inner, timestep = env.init(key)
        zero, none = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
        return StatisticsState(inner, zero, none, zero, none, _to_move(timestep)), timestep

    def step(state: StatisticsState, action: Array, key: Array) -> tuple[StatisticsState, TimeStep]:
        inner, timestep = env.step(state.inner, action, key)
        return count(state, inner, timestep), timestep

    return env._replace(init=init, step=step, render=_render_inner(env))


def count(state: StatisticsState, inner: State, timestep: TimeStep) -> StatisticsState:
    """Adds a time step, after which the environment's state is `inner`; any leading axes."""
    reward = timestep.reward.astype(jnp.float32)  # of the player who moved
    total = state.running_return + jnp.where(state.player == 0, reward, -reward)
    last = timestep.last
    length = state.running_length + (last | ~timestep.first)  # a reset in turn is no step of the episode
    return StatisticsState(
        inner,
        running_return=jnp.where(last, jnp.zeros_like(total), total),
        running_length=jnp.where(last, jnp.zeros_like(length), length),
        finished_return=jnp.where(last, total, state.finished_return),
        finished_length=jnp.where(last, length, state.finished_length),
        player=jnp.broadcast_to(_to_move(timestep), length.shape),
    )


def _to_move(timestep: TimeStep) -> Array:
    return jnp.asarray(timestep.player, jnp.int32)


def vectorise(env: Environment, n: int) -> Environment:
    """`n` independent copies: init(key) and step(state [N, ...], action [N, ...], key); the one visible vmap.

    `render` maps over the leading axis as well, whatever its length: states [T, ...] of an
    episode give its frames [T, H, W, 3].
    """
    if n < 1:
        raise ConfigError(f"the number of environments must be at least 1, got {n}")

    def init(key: Array) -> tuple[State, TimeStep]:
        return jax.vmap(env.init)(jax.random.split(key, n))

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        return jax.vmap(env.step)(state, action, jax.random.split(key, n))

    return env._replace(init=init, step=step, render=env.render and jax.vmap(env.render))


def training_environment(env: Environment, n: int) -> Environment:
    """`n` copies that reset themselves and count their returns: what `System.environment` is."""
    return vectorise(episode_statistics(auto_reset(env)), n)


def privileged(env: Environment) -> Environment:
    """An environment whose observation is its whole state, so that a planner can use the true rules.

    Apply it before `auto_reset`. `spec.observation` still describes the observation that is hidden now;
    `reward`, `terminated` and `features`, which are written on that one, are gone.
    """

    def init(key: Array) -> tuple[State, TimeStep]:
        state, timestep = env.init(key)
        return state, timestep._replace(observation=state)

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        state, timestep = env.step(state, action, key)
        return state, timestep._replace(observation=state)

    hidden: dict[str, None] = dict.fromkeys(("reward", "terminated", "features", "expected_reward"))
    return env._replace(init=init, step=step, **hidden)


def _render_inner(env: Environment):
    render = env.render
    return render and (lambda state: render(state.inner))


def _where(condition: Bool[Array, ""], chosen: PyTree, otherwise: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)


def strip_weak_types(tree: PyTree) -> PyTree:
    """The same values as arrays without weak types, which would make a jitted step compile twice."""
    return jax.tree.map(_strong_leaf, tree)


def _strong_leaf(x: Array | float | int | bool) -> Array:
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return x
    return jax.lax.convert_element_type(x, x.dtype)
