"""Filtering and deciding, with a model that writes down what it was told."""

from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.acting import filtering
from imaginax.acting.filtering import Decide, by_planning, by_policy, make_act, start
from imaginax.types import (
    Box,
    Capabilities,
    Discrete,
    EnvSpec,
    Planner,
    PlanOutput,
    Prediction,
    TimeStep,
    WorldModel,
)

CONTINUOUS = EnvSpec("continuous", Box((2,)), Box((1,), -1.0, 1.0), max_steps=9)
DISCRETE = EnvSpec("discrete", Box((2,)), Discrete(3), max_steps=9)
ONE_NEW = jnp.array([True, False, False])


class Told(NamedTuple):
    """Sum of all observations of the episode, and the action before the last."""

    total: jax.Array
    action: jax.Array


def diary() -> WorldModel:
    def observe(params, belief, action, observation, key):
        return Told(belief.total + params * observation, action)

    return WorldModel(
        init=lambda key: jnp.float32(1.0),
        encode=lambda params, observation, key: Told(observation, jnp.zeros(len(observation))),
        observe=observe,
        predict=lambda params, belief, action, key: (belief, Prediction(action, action)),
        decode=lambda params, belief: None,
        loss=lambda params, data, key: (jnp.zeros(()), {}, None),
        can=Capabilities(),
    )


def counting(spec: EnvSpec) -> Decide:
    """Its memory is the number of decisions in the episode, which is its action too."""

    def decide(params, belief, memory, timestep, key):
        action = memory if isinstance(spec.action, Discrete) else 0.1 * memory[:, None]
        return action, memory + 1, ()

    return Decide(lambda batch: jnp.zeros(batch, jnp.int32), decide)


def seen(number: float, first) -> TimeStep:
    zeros, no = jnp.zeros(3), jnp.zeros(3, bool)
    return TimeStep(jnp.full((3, 2), number), zeros, zeros, first, no, no)


@pytest.mark.parametrize(("spec", "nothing"), [(CONTINUOUS, 0.0), (DISCRETE, -1)], ids=["box", "discrete"])
def test_the_model_is_told_the_previous_action_and_forgets_where_an_episode_begins(spec, nothing):
    model, decide = diary(), counting(spec)
    act = jax.jit(make_act(model, spec, decide))
    memory = start(model, spec, decide, jnp.float32(1.0), 3)
    np.testing.assert_array_equal(np.ravel(memory.action), np.full(3, nothing))
    unit = 1.0 if spec is DISCRETE else 0.1
    first = jnp.ones(3, bool)
    for step in range(3):
        memory, action, extras = act(jnp.float32(1.0), memory, seen(10.0**step, first), jax.random.key(step))
        before = nothing if step == 0 else unit * (step - 1)
        np.testing.assert_allclose(np.ravel(extras.belief.action), np.full(3, before), rtol=1e-6)
        np.testing.assert_allclose(np.ravel(action), np.full(3, unit * step), rtol=1e-6)
        first = jnp.zeros(3, bool)
    np.testing.assert_allclose(memory.belief.total[:, 0], 111.0)
    memory, action, extras = act(jnp.float32(1.0), memory, seen(1000.0, ONE_NEW), jax.random.key(9))
    np.testing.assert_allclose(memory.belief.total[:, 0], [1000.0, 1111.0, 1111.0])
    expected = [nothing, 2 * unit, 2 * unit]
    np.testing.assert_allclose(np.ravel(extras.belief.action), expected, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(action), [0.0, 3 * unit, 3 * unit], rtol=1e-6)


def test_two_joined_episodes_are_two_separate_ones():
    """Bit for bit, memories, previous action and noise included."""
    model, decide = diary(), counting(CONTINUOUS)
    act = jax.jit(make_act(model, CONTINUOUS, decide, lambda action, timestep, key: action + jnp.ones(1)))
    params = jnp.float32(0.3)
    memory = start(model, CONTINUOUS, decide, params, 3)
    for step in range(4):
        memory, *_ = act(params, memory, seen(step + 0.1, jnp.full(3, step == 0)), jax.random.key(step))
    joined, alone = memory, start(model, CONTINUOUS, decide, params, 3)
    for step in range(3):
        given = seen(step + 0.7, jnp.full(3, step == 0)), jax.random.key(100 + step)
        joined, *one = act(params, joined, *given)
        alone, *other = act(params, alone, *given)
        jax.tree.map(np.testing.assert_array_equal, (joined, one), (alone, other))


def test_the_model_is_told_what_exploration_made_of_the_action():
    model, decide = diary(), counting(CONTINUOUS)
    act = make_act(model, CONTINUOUS, decide, lambda action, timestep, key: action + 5.0)
    params = jnp.float32(1.0)
    memory, action, _ = act(
        params, start(model, CONTINUOUS, decide, params, 3), seen(0.0, jnp.ones(3, bool)), jax.random.key(0)
    )
    np.testing.assert_array_equal(memory.action, action)
    np.testing.assert_array_equal(action, np.full((3, 1), 5.0))


def test_a_planner_keeps_its_warm_start_and_says_its_value():
    def plan(params, belief, warm, key, legal):
        return belief.total[:, :1], warm + 1, PlanOutput(7.0 + belief.total[:, 0], warm)

    planner = Planner(Capabilities(), lambda batch: jnp.zeros(batch), plan)
    model, decide = diary(), by_planning(planner)
    act, params = make_act(model, CONTINUOUS, decide), jnp.float32(1.0)
    memory = start(model, CONTINUOUS, decide, params, 3)._replace(decision=jnp.array([4.0, 5.0, 6.0]))
    memory, action, extras = act(params, memory, seen(2.0, ONE_NEW), jax.random.key(0))
    np.testing.assert_array_equal(memory.decision, [1.0, 6.0, 7.0])
    np.testing.assert_array_equal(action, np.full((3, 1), 2.0))
    np.testing.assert_array_equal(extras.decision.value, np.full(3, 9.0))


@pytest.mark.parametrize("greedy", [True, False])
def test_a_policy_decides_by_a_draw_or_by_its_mode(greedy):
    logits = jnp.log(jnp.array([0.2, 0.5, 0.3]))
    policy = lambda params, belief: distrax.OneHotCategorical(logits + 0 * belief.total[:, :1])  # noqa: E731
    decide = by_policy(policy, DISCRETE, greedy=greedy)
    belief = Told(jnp.zeros((4000, 2)), jnp.zeros(4000))
    action, memory, _ = decide.decide((), belief, (), seen(0.0, ONE_NEW), jax.random.key(3))
    assert memory == () and action.dtype == jnp.int32
    shares = np.bincount(action, minlength=3) / 4000
    np.testing.assert_allclose(shares, [0, 1, 0] if greedy else [0.2, 0.5, 0.3], atol=0.03)
    normal = by_policy(lambda params, belief: distrax.Normal(belief.total, 1.0), CONTINUOUS, greedy=greedy)
    values = normal.decide((), belief, (), seen(0.0, ONE_NEW), jax.random.key(3))[0]
    assert np.std(values) == pytest.approx(0.0 if greedy else 1.0, abs=0.05)


def test_no_action_is_no_class():
    assert not jax.nn.one_hot(filtering.no_action(DISCRETE, 2), 3).any()
