"""The wrappers on a counter whose every number is known in advance."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs import wrappers
from imaginax.types import Box, ConfigError, Discrete, Environment, EnvSpec, TimeStep


class CounterState(NamedTuple):
    count: jax.Array
    noise: jax.Array  # a typed key, as a stochastic environment would keep


def counter(terminal: int = 100, start: int = 0) -> Environment:
    """Counts actions; the reward is the count; terminates at `terminal`. Types are weak on purpose."""

    def timestep(count, reward, last):
        observation = jnp.stack([count * 1.0])
        return TimeStep(observation, reward, 1.0 - last, False, last, False)

    def init(key):
        count = jnp.asarray(start, jnp.int32)
        return CounterState(count, key), timestep(count, 0.0, jnp.zeros((), bool))

    def step(state, action, key):
        count = state.count + action[0].astype(jnp.int32)
        return CounterState(count, key), timestep(count, count * 1.0, count >= terminal)

    def render(state):
        return jnp.full((2, 2, 3), state.count, jnp.uint8)

    spec = EnvSpec("counter", Box((1,)), Box((1,), 0.0, 1.0), max_steps=3, step_seconds=0.5)
    return Environment(spec, init, step, render, reward=lambda o, a, n: n[..., 0])


ONE = jnp.ones(1)


def play(env, steps, action=ONE):
    step = jax.jit(env.step)
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    history = [(state, timestep)]
    for i in range(steps):
        state, timestep = step(state, action, jax.random.key(i))
        history.append((state, timestep))
    assert step._cache_size() == min(steps, 1)
    return history


def field(history, name):
    return [np.array(getattr(timestep, name)).tolist() for _, timestep in history]


def test_time_limit_truncates_and_bootstraps():
    history = play(wrappers.auto_reset(wrappers.time_limit(counter())), 4)
    assert field(history, "last") == [False, False, False, True, False]
    assert field(history, "truncated") == [False, False, False, True, False]
    assert field(history, "discount") == [1, 1, 1, 1, 1]


def test_termination_at_the_limit_is_not_truncation():
    history = play(wrappers.auto_reset(wrappers.time_limit(counter(terminal=3))), 3)
    assert field(history, "last")[-1] and not field(history, "truncated")[-1]
    assert field(history, "discount")[-1] == 0


def test_auto_reset_gives_the_new_episode_and_remembers_the_old():
    history = play(wrappers.auto_reset(counter(terminal=8, start=6)), 4)
    assert field(history, "observation") == [[6], [7], [6], [7], [6]]
    assert field(history, "final_observation") == [[6], [7], [8], [7], [8]]
    assert field(history, "reward") == [0, 7, 8, 7, 8]
    assert field(history, "discount") == [1, 1, 0, 1, 0]
    assert field(history, "last") == [False, False, True, False, True]
    assert field(history, "first") == [False, False, True, False, True]
    assert [int(state.count) for state, _ in history] == [6, 7, 6, 7, 6]


def test_init_and_step_return_the_same_strong_types():
    env = wrappers.training_environment(wrappers.time_limit(counter()), 2)
    first = jax.eval_shape(env.init, jax.random.key(0))
    state, timestep = env.init(jax.random.key(0))
    after = jax.eval_shape(env.step, state, jnp.ones((2, 1)), jax.random.key(1))
    assert jax.tree.structure(first) == jax.tree.structure(after)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(after), strict=True):
        assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, False)
    assert timestep.player.shape == (2,)


def test_episode_statistics_by_hand():
    env = wrappers.training_environment(wrappers.time_limit(counter()), 2)
    history = play(env, 7, action=jnp.array([[1.0], [0.0]]))
    states = [state for state, _ in history]
    assert [s.running_return.tolist()[0] for s in states] == [0, 1, 3, 0, 1, 3, 0, 1]
    assert [s.finished_return.tolist()[0] for s in states] == [0, 0, 0, 6, 6, 6, 6, 6]
    assert [s.running_length.tolist()[1] for s in states] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [s.finished_length.tolist()[1] for s in states] == [0, 0, 0, 3, 3, 3, 3, 3]
    assert all(s.finished_return.tolist()[1] == 0 for s in states)
    assert states[0].running_return.dtype == jnp.float32 and states[0].finished_length.dtype == jnp.int32


def test_action_repeat_sums_and_stops_at_the_last_step():
    env = wrappers.action_repeat(wrappers.time_limit(counter(), 5), 2)
    history = play(env, 3)
    assert field(history, "reward") == [0, 1 + 2, 3 + 4, 5]
    assert field(history, "last") == [False, False, False, True]
    assert int(history[-1][0].inner.count) == 5 and env.spec.max_steps == 3 and env.spec.step_seconds == 1.0
    terminal = play(wrappers.action_repeat(counter(terminal=3), 5), 1)
    assert field(terminal, "reward") == [0, 1 + 2 + 3] and field(terminal, "discount") == [1, 0]
    assert field(history, "steps")[1:] == [2, 2, 1] and field(terminal, "steps")[1:] == [3]


def test_a_reset_in_turn_is_no_step():
    """An episode of five steps with every action held for two: 2 + 2 + 1 steps, then a reset of none."""
    env = wrappers.reset_in_turn(wrappers.action_repeat(wrappers.time_limit(counter(), 5), 2))
    history = play(wrappers.vectorise(wrappers.episode_statistics(env), 1), 8, ONE[None])
    assert np.ravel(field(history, "steps")[1:]).tolist() == [2, 2, 1, 0] * 2
    assert np.ravel(field(history, "first")[1:]).tolist() == [False, False, False, True] * 2


def test_action_repeat_of_one_is_the_environment_and_of_none_an_error():
    env = counter()
    assert wrappers.action_repeat(env, 1) is env
    with pytest.raises(ConfigError, match="action_repeat"):
        wrappers.action_repeat(env, 0)


def test_copies_draw_their_own_random_numbers():
    env = wrappers.vectorise(counter(), 3)
    state, _ = env.init(jax.random.key(0))
    stepped, _ = env.step(state, jnp.ones((3, 1)), jax.random.key(0))
    for noise in (state.noise, stepped.noise):
        assert len(np.unique(jax.random.key_data(noise), axis=0)) == 3
    with pytest.raises(ConfigError, match="number of environments"):
        wrappers.vectorise(counter(), 0)


def test_render_reward_and_repeat_survive_the_whole_stack():
    env = wrappers.training_environment(wrappers.action_repeat(wrappers.time_limit(counter()), 2), 2)
    state, _ = env.init(jax.random.key(0))
    state, timestep = env.step(state, jnp.ones((2, 1)), jax.random.key(1))
    frames = env.render(state)
    assert frames.shape == (2, 2, 2, 3) and (frames == 2).all()
    np.testing.assert_array_equal(env.reward(None, None, timestep.observation), [4.0, 4.0])


def test_privileged_observation_is_the_state():
    env = wrappers.auto_reset(wrappers.privileged(counter(terminal=2)))
    history = play(env, 3)
    for state, timestep in history:
        same = jax.tree.map(lambda a, b: bool((a == b).all()), state, timestep.observation)
        assert all(jax.tree.leaves(same))
    assert [int(t.final_observation.count) for _, t in history] == [0, 1, 2, 1]
    assert env.reward is None and env.features is None


def test_a_reset_in_turn_ignores_its_action_and_loses_no_observation():
    env = wrappers.episode_statistics(wrappers.reset_in_turn(counter(terminal=8, start=6)))
    history = play(env, 7)
    assert field(history, "observation") == [[6], [7], [8], [6], [7], [8], [6], [7]]
    assert field(history, "reward") == [0, 7, 8, 0, 7, 8, 0, 7]
    assert field(history, "discount") == [1, 1, 0, 1, 1, 0, 1, 1]
    assert field(history, "first") == [False, *(i % 3 == 0 for i in range(1, 8))]
    assert field(history, "last") == [i % 3 == 2 for i in range(8)]
    assert [int(state.finished_length) for state, _ in history] == [0, 0, 2, 2, 2, 2, 2, 2]
    assert [float(state.finished_return) for state, _ in history] == [0, 0, 15, 15, 15, 15, 15, 15]
    assert [int(state.running_length) for state, _ in history] == [0, 1, 0, 0, 1, 0, 0, 1]


def test_unit_actions_reach_both_bounds():
    """-1 and 1 are the environment's own bounds, for its rules and for its reward alike."""
    plain = counter()._replace(reward=lambda observation, action, following: 10 * action[..., 0])
    env = wrappers.unit_actions(plain)
    assert (env.spec.action.low, env.spec.action.high) == (-1.0, 1.0)
    assert field(play(env, 2, jnp.ones(1)), "reward") == [0, 1, 2]
    assert field(play(env, 2, -jnp.ones(1)), "reward") == [0, 0, 0]
    np.testing.assert_allclose(env.reward(ONE, jnp.array([[-1.0], [0.0], [1.0]]), ONE), [0.0, 5.0, 10.0])
    assert wrappers.unit_actions(env) is env


def test_unit_actions_need_numbers():
    env = counter()
    with pytest.raises(ConfigError, match="counter: only continuous"):
        wrappers.unit_actions(env._replace(spec=dataclasses.replace(env.spec, action=Discrete(2))))
