from __future__ import annotations

import dataclasses

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv  # noqa: E402
from gymnasium.wrappers import TimeLimit  # noqa: E402

from imaginax.envs.host.vector import HostVector, episode_seed  # noqa: E402
from imaginax.types import Box, ConfigError, Discrete, EnvSpec  # noqa: E402
from tests.envs.host.worlds import STEPS, Walk, plain_episodes  # noqa: E402

SPEC = EnvSpec("walk", Box((2,)), Box((1,), -1.0, 1.0), STEPS)
SEEDS, EPISODES = np.array([7, 8], np.uint32), np.array([3, 0], np.int32)


def one():
    return TimeLimit(Walk(seeded=True), STEPS)


def stored(vector: HostVector, actions: np.ndarray) -> list[list[tuple]]:
    """The transitions of every environment as a system records them."""
    timestep = vector.reset(SEEDS, EPISODES)
    assert timestep.first.all() and not timestep.last.any()
    rows = [[] for _ in SEEDS]
    for action in actions:
        vector.send(action)
        following = vector.receive()
        np.testing.assert_array_equal(following.first, following.last)
        for i, row in enumerate(rows):
            pair = (timestep.observation[i], action[i], following.reward[i], following.discount[i])
            row.append((*pair, following.final_observation[i], following.truncated[i]))
        timestep = following
    return rows


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_transitions_are_those_of_a_plain_loop(mode):
    actions = np.random.default_rng(0).uniform(-0.4, 1.0, (60, 2, 1)).astype(np.float32)
    rows = stored(HostVector(SyncVectorEnv([one, one], autoreset_mode=mode), SPEC), actions)
    lasts = []
    for i, row in enumerate(rows):

        def seeds(episode, i=i):  # one that resets itself is seeded once
            known = mode is not AutoresetMode.SAME_STEP or episode == 0
            return episode_seed(int(SEEDS[i]), int(EPISODES[i]) + episode) if known else None

        expected = plain_episodes(one(), actions[:, i], seeds)
        for got, want in zip(row, expected, strict=True):
            for value, truth in zip(got, want, strict=True):
                np.testing.assert_allclose(value, truth, rtol=1e-6)
        lasts.append([step for step, want in enumerate(expected) if want[3] == 0 or want[5]])
        assert {want[3] for want in expected} == {0.0, 1.0}, "some episodes terminate,"
        assert any(want[5] for want in expected), "and some are truncated"
    assert lasts[0] != lasts[1], "the environments are out of phase"


class Deaf(SyncVectorEnv):
    """Resets everything, whatever the mask says."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class Mute(VectorEnv):
    num_envs = 2


def test_vector_environments_that_cannot_be_driven_are_refused():
    vector = HostVector(Deaf([one, one], autoreset_mode=AutoresetMode.DISABLED), SPEC)
    ones = np.array([[1.0], [0.1]], np.float32)
    with pytest.raises(ConfigError, match="walk: the vector environment ignores reset_mask"):
        stored(vector, np.repeat(ones[None], STEPS, 0))
    with pytest.raises(ConfigError, match="no autoreset_mode"):
        HostVector(Mute(), SPEC)


def test_actions_are_what_the_environments_want():
    vector = HostVector(SyncVectorEnv([one], autoreset_mode="Disabled"), SPEC)
    vector.reset(SEEDS[:1], EPISODES[:1])
    vector.send(np.array([[7.5]], np.float64))  # `Walk` asserts type and bounds
    assert vector.receive().reward == 1.0, "actions outside the bounds act as the nearest bound"

    space = gymnasium.spaces.Discrete(3, start=-1)
    single = gymnasium.wrappers.TransformAction(one(), lambda a: np.float32([a]), space)
    spec = dataclasses.replace(SPEC, action=Discrete(3))
    vector = HostVector(SyncVectorEnv([lambda: single], autoreset_mode="Disabled"), spec)
    vector.reset(SEEDS[:1], EPISODES[:1])
    vector.send(np.array([0], np.int32))
    assert vector.receive().reward == -1.0, "actions are counted from the space's start"


def test_what_is_handed_out_stays_as_it_is():
    spec = dataclasses.replace(SPEC, observation=Box((2,), dtype=np.float64))  # as `Walk` gives them
    vector = HostVector(SyncVectorEnv([one, one], copy=False, autoreset_mode="Disabled"), spec)
    first = vector.reset(SEEDS, EPISODES)
    kept = first.observation.copy()
    vector.send(np.ones((2, 1), np.float32))
    vector.receive()
    np.testing.assert_array_equal(first.observation, kept)
    assert first.observation.dtype == np.float64 and vector.render() is None
