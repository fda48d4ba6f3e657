"""Brax's own environments: they do what brax does, compile once, end where their rules say, and are drawn."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("brax")

from imaginax import envs  # noqa: E402
from imaginax.envs import raycast, wrappers  # noqa: E402
from imaginax.envs.brax import rules, standard  # noqa: E402
from imaginax.envs.brax.physics import quiet  # noqa: E402
from imaginax.registry import BRAX_TASKS  # noqa: E402
from imaginax.types import ConfigError  # noqa: E402


def brax_environment(task: str, backend: str):
    with quiet("a test"):
        from brax import envs as brax_envs

        return brax_envs.get_environment(task, backend=backend)


@pytest.mark.parametrize(
    ("task", "backend"),
    [
        ("inverted_pendulum", "spring"),
        pytest.param("hopper", "spring", marks=pytest.mark.slow),
        pytest.param("inverted_double_pendulum", "generalized", marks=pytest.mark.slow),
        pytest.param("ant", "positional", marks=pytest.mark.slow),
        pytest.param("walker2d", "spring", marks=pytest.mark.slow),
        pytest.param("reacher", "generalized", marks=pytest.mark.slow),
        pytest.param("halfcheetah", "mjx", marks=pytest.mark.slow),
    ],
)
def test_steps_and_rules_are_braxs(task, backend):
    """Random actions until an episode ends, or for a while; one trace of our step, and no warning.

    Each step of brax's starts from our state: contacts make two compiled programs part within a few steps.
    """
    env = envs.make(f"brax:{task}?backend={backend}")
    theirs = brax_environment(task, backend)
    traces = []

    def ours(state, action):
        traces.append(1)
        return env.step(state, action, jax.random.key(0))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        begin, step = jax.jit(env.init), jax.jit(ours)
        state, timestep = begin(jax.random.key(3))
    with quiet("a test"):
        expected, their_step = jax.jit(theirs.reset)(jax.random.key(3)), jax.jit(theirs.step)
    actions = np.random.default_rng(0).uniform(-1, 1, (300, *env.spec.action.shape))
    ends = []
    for action in jnp.asarray(actions, jnp.float32):
        before, physics = timestep.observation, state.inner.physics
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            state, timestep = step(state, action)
        with quiet("a test"):
            expected = their_step(expected.replace(pipeline_state=physics), action)
        np.testing.assert_allclose(timestep.observation, expected.obs, rtol=2e-3, atol=1e-2)
        np.testing.assert_allclose(timestep.reward, expected.reward, rtol=2e-3, atol=2e-2)
        ends.append(bool(timestep.last))
        assert ends[-1] == (expected.done > 0) == (timestep.discount == 0)
        if env.terminated is not None:
            assert bool(env.terminated(timestep.observation)) == ends[-1]
        if env.reward is not None:
            told = env.reward(before, action, timestep.observation)
            np.testing.assert_allclose(told, timestep.reward, rtol=1e-5, atol=1e-5)
        if ends[-1]:
            break
    assert len(traces) == 1
    assert ends[-1] or "pendulum" not in task


def test_it_is_drawn_and_resets_itself():
    env = wrappers.training_environment(envs.make("brax:inverted_pendulum?backend=spring"), 2)
    init, step = jax.jit(env.init), jax.jit(env.step)
    state, timestep = init(jax.random.key(0))
    images = jax.jit(env.render)(state)
    assert images.shape == (2, 128, 128, 3) and images.dtype == jnp.uint8
    assert len(np.unique(images[0].reshape(-1, 3), axis=0)) > 20
    for number in range(40):
        state, timestep = step(state, jnp.ones((2, 1)), jax.random.key(number))
        if timestep.last.any():
            break
    assert timestep.last.any() and (jnp.abs(timestep.observation[timestep.last, 1]) < 0.02).all()
    assert step._cache_size() == 1
    later = jax.jit(env.render)(state)
    assert (later != images).any()


def test_every_task_has_a_model_that_the_ray_caster_draws():
    """Without its compilation, which takes minutes for all."""
    with quiet("a test"):
        from brax import envs as brax_envs

        for task in BRAX_TASKS:
            model = brax_envs.get_environment(task).sys.mj_model
            draw = raycast.make_renderer(model, camera=0 if model.ncam else -1)
            pose = raycast.Pose(
                jax.ShapeDtypeStruct((model.nbody, 3), jnp.float32),
                jax.ShapeDtypeStruct((model.nbody, 3, 3), jnp.float32),
            )
            assert jax.eval_shape(draw, pose).shape == (64, 64, 3)


def test_ends_of_hand_made_observations():
    ends = {task: rule.terminated for task, rule in rules.RULES.items() if rule.terminated}
    assert ends["humanoid"](jnp.array([[1.4, 0.0], [0.9, 0.0], [2.1, 0.0]])).tolist() == [False, True, True]
    assert ends["ant"](jnp.array([0.19, 5.0])) and not ends["ant"](jnp.array([0.21, 5.0]))
    hop = jnp.zeros(11).at[0].set(1.2)
    assert (
        not ends["hopper"](hop)
        and ends["hopper"](hop.at[3].set(101.0))
        and ends["hopper"](hop.at[1].set(0.3))
    )
    straight = jnp.array([0.0, 0, 0, 1, 1, 0, 0, 0])  # the tip is at 1.2 m
    bent = straight.at[1:5].set(jnp.array([jnp.sin(0.8), 0.0, jnp.cos(0.8), 1.0]))  # at 0.84 m
    assert not ends["inverted_double_pendulum"](straight) and ends["inverted_double_pendulum"](bent)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("brax:aunt", "brax has no task 'aunt'; did you mean ant"),
        ("brax:ant?backend=bullet", "env brax:ant.backend=bullet: brax refuses its options: backend"),
        ("brax:ant?legs=6", "brax refuses its options: .*legs"),
    ],
)
def test_what_brax_does_not_have_is_named(name, told):
    with pytest.raises(ConfigError, match=told):
        envs.make(name)


def test_other_settings_have_no_published_rules():
    made = standard.environment("inverted_pendulum", backend="spring", n_frames=2)
    assert made.terminated is None and made.reward is None
    assert made.spec.name == "brax:inverted_pendulum?backend=spring&n_frames=2"
