"""Environments as others wrote them: what becomes of spaces, answers and pictures that are odd."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces  # noqa: E402

from imaginax import envs  # noqa: E402
from imaginax.envs import wrappers  # noqa: E402
from imaginax.envs.pixels import pixels  # noqa: E402
from imaginax.envs.wrappers import reset_in_turn, unit_actions, vectorise  # noqa: E402
from imaginax.types import Box, ConfigError, Discrete  # noqa: E402
from tests.envs.host import foreign_worlds, worlds  # noqa: E402

WORLD = "gym:tests.envs.host.foreign_worlds:"
IMAGE = spaces.Box(0, 255, (5, 6, 3), np.uint8)
VECTOR = spaces.Box(-1.0, 1.0, (3,))
SEED, EPISODE = np.uint32([0]), np.int32([0])


@pytest.fixture
def odd():
    """Changes of `foreign_worlds.Odd` -> its name."""
    name = "imaginax_tests/Odd-v0"

    def register(**changes):
        gymnasium.register(name, entry_point=foreign_worlds.Odd, max_episode_steps=4, kwargs=changes)
        return f"gym:{name}"

    yield register
    del gymnasium.registry[name]


def opened(env, **options):
    vector = env.host(1, **options)
    return vector, vector.reset(SEED, EPISODE)


def inner(vector) -> foreign_worlds.Odd:
    return vector._vector.envs[0].unwrapped


@pytest.mark.parametrize(
    ("space", "action", "taken"),
    [
        (spaces.Box(-1, 1, (2, 3), np.float32), np.linspace(-1, 1, 6), np.linspace(-1, 1, 6).reshape(2, 3)),
        (spaces.Box(-1, 1, (), np.float32), [0.5], np.float32(0.5)),
        (spaces.Box(0.0, 3.0, (2,), np.float64), [0.5, 2.5], [0.5, 2.5]),
        (spaces.Box(np.float32([0, -4]), np.float32([10, 4])), [-0.5, 0.25], [2.5, 1.0]),
        (spaces.Box(np.float64([0.1, 7]), np.float64([0.3, 7]), dtype=np.float64), [1.0, 0.3], [0.3, 7.0]),
        (spaces.Box(-3, 5, (3,), np.int64), [-2.6, 0.4, 4.7], [-3, 0, 5]),
        (spaces.Box(0, 255, (2,), np.uint8), [300.0, 3.4], [255, 3]),
        (spaces.Tuple([spaces.Box(0, 2, (1,)), spaces.Box(-1, 1, (2,))]), [0, 0.5, -1], ([1.0], [0.5, -1.0])),
        (
            spaces.Dict(b=spaces.Box(0, 2, (1,)), a=spaces.Box(0, 2, (1, 1))),
            [1.5, 0.5],
            {"b": [1.5], "a": [[0.5]]},
        ),
    ],
)
def test_actions_have_the_shape_type_and_bounds_that_the_environment_wants(odd, space, action, taken):
    env = envs.make(odd(action=space))
    assert env.spec.action.shape == (len(action),)
    vector, _ = opened(env)
    vector.send(np.float32([action]))
    vector.receive()
    (got,) = inner(vector).taken
    assert space.contains(got)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
        got,
        jax.tree.map(np.asarray, taken, is_leaf=lambda x: isinstance(x, list)),
    )


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (0.0, 3.0), (-0.1, 0.3)])
def test_unit_actions_reach_the_bounds(odd, bounds):
    space = spaces.Box(*bounds, (2,), np.float64)
    env = unit_actions(envs.make(odd(action=space)))
    assert env.spec.action == Box((2,), -1.0, 1.0)
    vector, _ = opened(env)
    for action in (-1.0, 0.0, 1.0):
        vector.send(np.full((1, 2), action, np.float32))
        vector.receive()
    middle = sum(bounds) / 2
    np.testing.assert_allclose(inner(vector).taken, [[end] * 2 for end in (bounds[0], middle, bounds[1])])
    assert all(space.contains(action) for action in inner(vector).taken)


@pytest.mark.parametrize(
    ("space", "seen", "shown"),
    [
        (spaces.Box(0, 1, (2, 2), np.float32), np.eye(2), [1, 0, 0, 1]),
        (spaces.Box(-9, 9, (), np.float64), 2.5, [2.5]),
        (spaces.Box(-9, 9, (3,), np.int64), [1, 2, 3], [1, 2, 3]),
        (spaces.Box(-9, 9, (3,), np.float32), np.ones((3, 1)), [1, 1, 1]),
        (spaces.Box(0, 2, (2, 2), np.uint8), np.uint8([[0, 1], [2, 0]]), [0, 1, 2, 0]),
        (spaces.Box(0, 0, (2,), np.float32), np.zeros(2), [0, 0]),
        (spaces.Discrete(3, start=1), 2, [0, 1, 0]),
        (spaces.MultiBinary(3), np.int8([1, 0, 1]), [1, 0, 1]),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 2]), [0, 1, 0, 0, 1]),
        (spaces.Tuple([spaces.Discrete(2), VECTOR]), (1, np.float32([0.5, 0, 0])), [0, 1, 0.5, 0, 0]),
        (
            spaces.Dict(a=spaces.Dict(b=spaces.Box(0, 1, (1, 2)), c=spaces.Discrete(2)), d=VECTOR),
            {"a": {"b": np.float32([[0.25, 0.5]]), "c": 0}, "d": np.float32([1, 0, -1])},
            [0.25, 0.5, 1, 0, 1, 0, -1],
        ),
    ],
)
def test_observations_without_an_image_are_one_vector(odd, space, seen, shown):
    env = envs.make(odd(observation=space, looks=lambda env: seen))
    assert env.spec.observation.shape == (len(shown),) and env.spec.observation.dtype == jnp.float32
    _, timestep = opened(env)
    assert timestep.observation.dtype == np.float32
    np.testing.assert_array_equal(timestep.observation, [shown])


@pytest.mark.parametrize(
    ("space", "look", "shape"),
    [
        (IMAGE, lambda image: image, (5, 6, 3)),
        (spaces.Box(0, 255, (5, 6), np.uint8), lambda image: image[..., 0], (5, 6, 1)),
        (spaces.Box(0, 255, (3, 5, 6), np.uint8), lambda image: np.moveaxis(image, -1, 0), (5, 6, 3)),
        (spaces.Tuple([VECTOR, IMAGE]), lambda image: (np.zeros(3, "f"), image), (5, 6, 3)),
        (spaces.Dict(a=VECTOR, b=spaces.Dict(c=IMAGE)), lambda image: {"a": 0, "b": {"c": image}}, (5, 6, 3)),
    ],
)
def test_an_image_among_the_observations_is_what_is_seen(odd, space, look, shape):
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    env = envs.make(odd(observation=space, looks=lambda env: look(image)))
    assert env.spec.observation == Box(shape, 0.0, 255.0, jnp.uint8)
    vector, timestep = opened(env, render=True)
    np.testing.assert_array_equal(timestep.observation[0], image[..., : shape[-1]])
    assert vector.render().shape == (5, 6, 3), "what is seen is shown where nothing is drawn"
    small = pixels(reset_in_turn(env), 2)
    assert small.spec.observation.shape == (2, 2, shape[-1])
    assert opened(small)[1].observation.shape == (1, 2, 2, shape[-1])


@pytest.mark.parametrize(
    "answer",
    [
        lambda env: (env.x, np.float32([2.5]), np.bool_(False), np.array([False]), {}),
        lambda env: (env.x, np.array(2.5), False, False, {"odd": object()}),
        lambda env: (list(env.x), 2.5, 0, 0, {}),
        lambda env: (env.x, jnp.float32(2.5), jnp.zeros((), bool), False, None),
    ],
)
def test_rewards_and_flags_become_numbers(odd, answer):
    vector, _ = opened(envs.make(odd(returns=answer)))
    vector.send(np.zeros((1, 1), np.float32))
    timestep = vector.receive()
    assert timestep.reward == [2.5] and not timestep.last.any() and timestep.reward.dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"resets": lambda env: env.x},
            r"failed in reset: .*must return \(observation, info\), got a ndarray",
        ),
        (
            {"resets": lambda env: (np.zeros(4), {})},
            r"failed in reset: .*observation has shape \(4,\).*\(3,\)",
        ),
        ({"resets": lambda env: ("far", {})}, "failed in reset: ValueError"),
        ({"resets": lambda env: 1 / 0}, r"failed in reset: ZeroDivisionError.*test_interface.py:\d+\)"),
        (
            {"returns": lambda env: (env.x, None, False, False, {})},
            "failed in step: .*reward must be one finite",
        ),
        (
            {"returns": lambda env: (env.x, np.nan, False, False, {})},
            "reward must be one finite number, got nan",
        ),
        ({"returns": lambda env: (env.x, np.ones(2), False, False, {})}, "reward must be one finite number"),
        ({"returns": lambda env: (env.x, 1.0, False, {})}, "failed in step: ValueError"),
        ({"returns": lambda env: (env.x, 1.0, None, False, {})}, "terminated must be"),
    ],
)
def test_what_is_wrong_with_an_answer_is_one_line(odd, changes, message):
    name = odd(**changes)
    env = envs.make(name)
    with pytest.raises(ConfigError, match=message) as error:
        vector, _ = opened(env)
        vector.send(np.zeros((1, 1), np.float32))
        vector.receive()
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": spaces.MultiBinary(2)}, "action_space MultiBinary.* does not fit; only Discrete and Box"),
        ({"action": spaces.Tuple([spaces.Discrete(2), VECTOR])}, "action_space Tuple"),
        ({"action": spaces.Box(-np.inf, np.inf, (2,))}, "action_space .* without bounds"),
        ({"action": spaces.Box(-3e38, 3e38, (2,))}, "action_space .* without bounds"),
        ({"action": [0, 1]}, r"action_space must be a space of gymnasium, got \[0, 1\]"),
        ({"observation": "picture"}, "observation_space must be a space"),
        ({"observation": spaces.Dict(a=IMAGE, b=IMAGE)}, "observation_space .* not one array.*2 images"),
    ],
)
def test_spaces_that_do_not_fit_are_named(odd, changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        envs.make(odd(**changes))
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_an_episode_without_a_stated_number_of_steps_has_a_thousand():
    gymnasium.register("imaginax_tests/Endless-v0", entry_point=foreign_worlds.NoRender)
    try:
        env = envs.make("gym:imaginax_tests/Endless-v0", action_repeat=300)
        assert env.spec.max_steps == 4
        vector, _ = opened(env)
        steps = []
        for _ in range(4):
            vector.send(np.zeros((1, 1), np.float32))
            timestep = vector.receive()
            steps.append((timestep.steps.item(), timestep.truncated.item()))
        assert steps == [(300, False)] * 3 + [(100, True)]
        assert envs.make("gym:imaginax_tests/Endless-v0", max_steps=7).spec.max_steps == 7
    finally:
        del gymnasium.registry["imaginax_tests/Endless-v0"]


def test_modules_of_the_present_folder_are_found(tmp_path, monkeypatch):
    code = "gymnasium.register('Present-v0', entry_point='tests.envs.host.foreign_worlds:NoRender')"
    (tmp_path / "worlds_of_this_folder.py").write_text(f"import gymnasium\n{code}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert envs.make("gym:worlds_of_this_folder:Present-v0").spec.observation.shape == (3,)
    del gymnasium.registry["Present-v0"]


# ------------------------------------------------------------------ pictures


def fails(env):
    raise RuntimeError("no display")


@pytest.mark.parametrize("draws", [None, fails, lambda env: "text", lambda env: []])
def test_what_cannot_be_drawn_has_no_picture_and_no_image(odd, draws):
    env = envs.make(odd(draws=draws))
    vector, _ = opened(env, render=True)
    assert vector.render() is None and vector.render() is None
    with pytest.raises(ConfigError, match="has no image to observe: it cannot be drawn"):
        pixels(reset_in_turn(env), 32)


def test_drawn_pixels_are_seen_at_every_step(odd):
    env = envs.make(odd(draws=lambda env: np.full((20, 30, 4), 10 * len(env.taken) + 5, np.uint8)))
    env = pixels(reset_in_turn(unit_actions(env)), 8)
    assert env.spec.observation == Box((8, 8, 3), 0.0, 255.0, jnp.uint8)
    vector, timestep = opened(env)
    seen = [np.unique(timestep.observation).tolist()]
    for _ in range(3):
        vector.send(np.zeros((1, 1), np.float32))
        seen.append(np.unique(vector.receive().observation).tolist())
    assert seen == [[5], [15], [25], [35]]
    _, placeholder = jax.eval_shape(vectorise(env, 1).init, jax.random.key(0))
    assert jax.tree.structure(placeholder) == jax.tree.structure(timestep)
    assert placeholder.observation.shape == timestep.observation.shape


@pytest.mark.parametrize("world", ["NoRender", "MatrixAction", "Grid", "Seen"])
def test_worlds_that_others_wrote(world):
    env = unit_actions(envs.make(f"{WORLD}{world}-v0"))
    shapes = {"Grid": (18,), "Seen": (32, 32, 3)}
    assert env.spec.observation.shape == shapes.get(world, (3,))
    assert env.spec.action == Box((6,) if world == "MatrixAction" else (1,), -1.0, 1.0)
    vector, _ = opened(env, render=True)
    vector.send(np.ones((1, *env.spec.action.shape), np.float32))
    assert vector.receive().reward < 0
    assert (vector.render() is not None) == (world == "Seen")


# ------------------------------------------------------------ episodes in turn


@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_episodes_in_turn_are_those_of_jax(processes):
    """Two environments out of phase, ends and limits mixed, actions held for two steps."""
    worlds.register()
    name = f"gym:{worlds.ID}"
    env = reset_in_turn(unit_actions(envs.make(name, action_repeat=2)))
    twin = wrappers.vectorise(wrappers.reset_in_turn(wrappers.action_repeat(worlds.walk(), 2)), 2)
    vector = env.host(2, processes=processes)
    timestep = vector.reset(np.zeros(2, np.uint32), np.zeros(2, np.int32))
    state, expected = jax.jit(twin.init)(jax.random.key(0))
    step, ends = jax.jit(twin.step), []
    actions = np.random.default_rng(0).integers(-16, 65, (40, 2, 1)).astype(np.float32) / 64
    for action in actions:
        for name in ("observation", "reward", "discount", "first", "last", "truncated"):
            np.testing.assert_array_equal(getattr(timestep, name), getattr(expected, name), err_msg=name)
        vector.send(action)
        timestep = vector.receive()
        state, expected = step(state, action, jax.random.key(0))
        np.testing.assert_array_equal(timestep.steps, expected.steps)
        ends.append(timestep.last)
    vector.close()
    assert 4 <= np.sum(ends) and not np.array_equal(*np.transpose(ends)), "the two are out of phase"


def test_a_run_that_goes_on_begins_the_next_episodes_in_turn():
    """One that was inside of an episode, one at its first step, and one that had just ended."""
    worlds.register()
    env = reset_in_turn(envs.make(f"gym:{worlds.SEEDED}"))
    vector, seeds = env.host(3), np.uint32([1, 2, 3])
    timestep = vector.reset(seeds, np.int32([0, 0, 0]))
    before = timestep._replace(
        first=np.array([False, True, False]),
        last=np.array([False, False, True]),
        observation=np.float32([[7, 7]] * 3),
    )
    again = env.host(3)
    got = again.resume(before, seeds, np.int32([5, 0, 6]))
    np.testing.assert_array_equal(got.first, before.first)
    again.send(np.full((3, 1), 0.25, np.float32))
    step = again.receive()
    assert step.first.tolist() == [True, False, True] and step.steps.tolist() == [0, 1, 0]
    fresh = env.host(3).reset(seeds, np.int32([5, 0, 6])).observation
    np.testing.assert_array_equal(step.observation[[0, 2]], fresh[[0, 2]])
    assert step.observation[1, 0] == fresh[1, 0] + 0.25 and step.reward.tolist() == [0.0, 0.25, 0.0]
    again.send(np.full((3, 1), 0.25, np.float32))
    assert again.receive().steps.tolist() == [1, 1, 1]


def test_discrete_actions_count_from_their_start(odd):
    env = envs.make(odd(action=spaces.Discrete(3, start=1)))
    assert env.spec.action == Discrete(3)
    vector, _ = opened(env)
    for action in range(3):
        vector.send(np.array([action], np.int32))
        vector.receive()
    assert inner(vector).taken == [1, 2, 3]
