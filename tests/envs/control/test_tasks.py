"""Observations, rewards, starts and time steps of every task against dm_control's, as recorded."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("mujoco")

from imaginax import envs  # noqa: E402
from imaginax.envs import wrappers  # noqa: E402
from imaginax.envs.control import cheetah, suite, tasks  # noqa: E402
from imaginax.envs.control.suite import ControlState, environment  # noqa: E402
from imaginax.envs.mjx_physics import BodyState  # noqa: E402
from tests.envs.control.recorded import NAMES, recorded  # noqa: E402

STARTS = 2000


@cache
def task(name):
    return suite.task(name)


def state_of(name, q, qd, target, touch):
    """The state of which something was recorded; what dm_control's touch sensors showed is taken as it is."""
    sensors = touch if task(name).system.mj_model.nsensor else None
    return ControlState(BodyState(q, qd, jnp.zeros_like(q), sensors), target if target.size else None)


@pytest.mark.parametrize("name", NAMES)
def test_observation_and_reward_of_random_states(name):
    rows = {key: jnp.asarray(recorded(name)[f"state_{key}"]) for key in ("q", "qd", "target", "action")}
    observed, rewards = (recorded(name)[f"state_{key}"] for key in ("observation", "reward"))
    touch = jnp.expm1(observed[:, -2:])

    @jax.jit
    def look(q, qd, target, touch, action):
        state = jax.vmap(lambda *row: state_of(name, *row))(q, qd, target, touch)
        observation = jax.vmap(task(name).observe)(state)
        return observation, task(name).reward(observation, action)

    observation, reward = look(rows["q"], rows["qd"], rows["target"], touch, rows["action"])
    np.testing.assert_allclose(observation, observed, rtol=1e-6, atol=3e-6)
    np.testing.assert_allclose(reward, rewards, atol=1e-5)
    assert observation.dtype == reward.dtype == jnp.float32
    assert name == "control_cartpole_swingup" or rewards.max() > 0.5  # what is compared differs


@pytest.mark.parametrize("name", NAMES)
def test_starts_are_distributed_as_the_suites(name):
    """Their quantiles are mine within 3.5 standard errors of both samples, and the supports agree."""
    keys = jax.random.split(jax.random.key(0), STARTS)
    state, timestep = jax.jit(jax.vmap(environment(task(name)).init))(keys)
    levels = np.array([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])[:, None]
    drawn = cheetah.STARTS if "cheetah" in name else STARTS
    slack = 3.5 * np.sqrt(levels * (1 - levels) * (1 / 1000 + 1 / drawn)) + 0.01
    for got, theirs in (
        (np.asarray(state.body.q), recorded(name)["start_q"]),
        (np.asarray(state.body.qd), recorded(name)["start_qd"]),
    ):
        below = (got <= theirs[:, None] + 1e-6).mean(axis=1)  # the share of mine below theirs
        moves = theirs[-1] - theirs[0] > 1e-6
        assert (np.abs(below - levels) <= slack)[:, moves].all()
        assert np.abs(got - theirs[0])[:, ~moves].max(initial=0) < 1e-6
    assert timestep.first.all() and not timestep.last.any()
    observed = jax.vmap(task(name).observe)(state)
    np.testing.assert_allclose(timestep.observation, observed, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_time_steps_limits_and_types(name):
    env = envs.make(name)
    assert env.spec.name == name and env.spec.max_steps == recorded(name)["step_limit"]
    assert env.spec.step_seconds == pytest.approx(float(recorded(name)["control_timestep"]))
    assert (env.spec.action.low, env.spec.action.high) == (-1.0, 1.0)
    assert env.spec.action.shape == recorded(name)["action"].shape[2:]
    before = jax.eval_shape(env.init, jax.random.key(0))
    action = jax.ShapeDtypeStruct(env.spec.action.shape, jnp.float32)
    after = jax.eval_shape(env.step, before[0], action, jax.random.key(0))
    assert jax.tree.structure(before) == jax.tree.structure(after)
    kinds = [[(x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(tree)] for tree in (before, after)]
    assert kinds[0] == kinds[1] and not any(weak for _, _, weak in kinds[0])
    shape = recorded(name)["observation"].shape[2:]
    assert before[1].observation.shape == env.spec.observation.shape == shape


def test_planets_action_repeat():
    assert set(tasks.PLANET_ACTION_REPEAT) <= set(tasks.TASKS)
    name = "control_cartpole_swingup"
    held = wrappers.action_repeat(envs.make(name), tasks.PLANET_ACTION_REPEAT[name])
    assert held.spec.max_steps == 125 and held.spec.step_seconds == pytest.approx(0.08)
