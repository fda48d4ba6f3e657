from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces  # noqa: E402

from imaginax import envs  # noqa: E402
from imaginax.envs.wrappers import training_environment  # noqa: E402
from imaginax.types import Box, ConfigError, Discrete  # noqa: E402
from tests.envs.host import worlds  # noqa: E402


class Blank(gymnasium.Env):
    """Spaces to choose; observations and rewards are what the action was."""

    def __init__(self, observation, action):
        self.observation_space, self.action_space = observation, action

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), float(np.sum(action)), False, False, {}


@pytest.fixture
def blank():
    """(observation space, action space) -> the name under which such an environment is registered."""

    def register(observation, action, **keywords):
        name = f"imaginax_tests/Blank{len(names)}-v0"
        names.append(name)
        keywords = {"max_episode_steps": 3} | keywords
        keywords["kwargs"] = {"observation": observation, "action": action} | keywords.pop("kwargs", {})
        gymnasium.register(name, entry_point=Blank, **keywords)
        return f"gym:{name}"

    names = []
    yield register
    for name in names:
        del gymnasium.registry[name]


VECTOR = spaces.Box(-1.0, 1.0, (3,))
IMAGE = spaces.Box(0, 255, (4, 5, 3), np.uint8)


def test_the_spec_is_the_environments_own():
    spec = envs.make("gym:Pendulum-v1").spec
    assert spec.observation == Box((3,), -8.0, 8.0) and spec.action == Box((1,), -2.0, 2.0)
    assert spec.max_steps == 200 and spec.step_seconds == 0.05
    spec = envs.make("gym:CartPole-v1", max_steps=7).spec
    assert spec.action == Discrete(2) and spec.max_steps == 7 and spec.step_seconds == 0.02


@pytest.mark.parametrize(
    "space, shape, dtype",
    [
        (VECTOR, (3,), jnp.float32),
        (IMAGE, (4, 5, 3), jnp.uint8),
        (spaces.Box(0, 255, (128,), np.uint8), (128,), jnp.float32),
        (spaces.Discrete(4), (4,), jnp.float32),
        (spaces.Dict(a=VECTOR, b=spaces.Box(0, 1, (2, 1))), (5,), jnp.float32),
        (spaces.Dict(a=VECTOR, screen=IMAGE), (4, 5, 3), jnp.uint8),
    ],
)
def test_observations_become_one_array(blank, space, shape, dtype):
    if isinstance(space, spaces.Dict) and "b" in space.spaces:
        space = spaces.Dict(a=VECTOR, b=spaces.Box(0, 1, (2,)))
    env = envs.make(blank(space, spaces.Discrete(2)))
    assert env.spec.observation.shape == shape and env.spec.observation.dtype == dtype
    vector = env.host(2)
    timestep = vector.reset(np.zeros(2, np.uint32), np.zeros(2, np.int32))
    _, placeholder = jax.eval_shape(training_environment(env, 2).init, jax.random.key(0))
    assert jax.tree.structure(placeholder) == jax.tree.structure(timestep)
    pairs = zip(jax.tree.leaves(placeholder), jax.tree.leaves(timestep), strict=True)
    assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)


def test_actions_with_several_bounds_are_scaled(blank):
    space = spaces.Box(np.float32([0, -4]), np.float32([10, 4]))
    env = envs.make(blank(VECTOR, space))
    assert env.spec.action == Box((2,), -1.0, 1.0)
    vector = env.host(1)
    vector.reset(np.zeros(1, np.uint32), np.zeros(1, np.int32))
    vector.send(np.float32([[-0.5, 0.25]]))
    np.testing.assert_allclose(vector.receive().reward, [2.5 + 1.0], rtol=1e-6)


def test_held_actions():
    worlds.register()
    env = envs.make(f"gym:{worlds.ID}", action_repeat=2)
    assert env.spec.max_steps == 3, "five steps are two decisions and a half"
    vector = env.host(1)
    vector.reset(np.zeros(1, np.uint32), np.zeros(1, np.int32))
    rewards, lasts = [], []
    for _ in range(3):
        vector.send(np.full((1, 1), 0.25, np.float32))
        timestep = vector.receive()
        rewards.append(timestep.reward.item())
        lasts.append(timestep.last.item())
    assert rewards == [0.5, 0.5, 0.25] and lasts == [False, False, True]


@pytest.mark.parametrize(
    "observation, action, keywords, message",
    [
        (spaces.Dict(a=IMAGE, b=IMAGE), spaces.Discrete(2), {}, "not one array"),
        (spaces.Sequence(VECTOR), spaces.Discrete(2), {}, "not one array"),
        (VECTOR, spaces.MultiDiscrete([2, 2]), {}, "only Discrete and Box"),
        (VECTOR, spaces.Box(-np.inf, 1.0, (1,)), {}, "without bounds"),
        (VECTOR, spaces.Discrete(2), {"kwargs": {"odd": 1}}, "cannot make .* TypeError"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(blank, observation, action, keywords, message):
    name = blank(observation, action, **keywords)
    with pytest.raises(ConfigError, match=message) as error:
        envs.make(name)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, message",
    [
        ("gym:Nothing-v1", "cannot make env gym:Nothing-v1: .*exist"),
        ("gum:Pendulum-v1", "unknown prefix .*known: .*gym:, atari:, dmc:"),
        ("gym:nomodule:Thing-v0", "cannot make env"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ConfigError, match=message):
        envs.make(name)
    with pytest.raises(ConfigError, match="max_steps must be at least 1"):
        envs.make("gym:Pendulum-v1", max_steps=0)


@pytest.mark.parametrize(
    "name, module, extra",
    [
        ("gym:Pendulum-v1", "gymnasium", "gym"),
        ("atari:Pong", "ale_py", "atari"),
        ("gym:ALE/Pong-v5", "ale_py", "atari"),
        ("gym:VizdoomBasic-v1", "vizdoom.gymnasium_wrapper", "doom"),
        ("dmc:cartpole-swingup", "dm_control", "dmc"),
        ("gym:LunarLander-v3", "Box2D", "box2d"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "gymnasium.envs.box2d", raising=False)
    with pytest.raises(ConfigError, match=rf"env {name} needs .*imaginax\[{extra}\]"):
        envs.make(name)


def test_it_cannot_be_a_part_of_a_program():
    env = training_environment(envs.make("gym:Pendulum-v1"), 1)
    state, _ = jax.eval_shape(env.init, jax.random.key(0))
    with pytest.raises(ConfigError, match="gym:Pendulum-v1 runs on the host"):
        jax.eval_shape(env.step, state, jnp.zeros((1, 1)), jax.random.key(0))


def test_workers_give_the_same_as_one_process():
    env = envs.make("gym:Pendulum-v1", max_steps=2)
    runs = []
    for processes in (False, True):
        vector = env.host(2, processes=processes)
        seen = [vector.reset(np.array([1, 2], np.uint32), np.zeros(2, np.int32))]
        for action in (0.5, -1.0, 2.0):
            vector.send(np.full((2, 1), action, np.float32))
            seen.append(vector.receive())
        vector.close()
        runs.append(jax.tree.map(lambda *leaves: np.stack(leaves), *seen))
    jax.tree.map(np.testing.assert_array_equal, *runs)
    assert runs[0].last.sum() == 2
