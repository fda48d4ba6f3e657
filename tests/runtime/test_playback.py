from __future__ import annotations

import dataclasses
import io
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import registry
from imaginax.envs.wrappers import StatisticsState
from imaginax.runtime import playback, run
from imaginax.runtime.run_directory import read_json, write_json
from imaginax.types import ConfigError
from tests.runtime import toy_system


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.SYSTEMS, "toy", lambda: toy_system.ENTRY)
    system = toy_system.make(toy_system.ToyConfig(chunks=2))
    run.train(system, logdir=tmp_path / "run", seeds=2, seed=3, stream=io.StringIO())
    return playback.load(tmp_path / "run")


def test_a_run_is_loaded_and_evaluated_as_it_was(trained):
    summary = read_json(trained.directory.summary)
    own = playback.evaluate(trained, episodes=1)
    np.testing.assert_allclose(own.returns.mean(axis=1), summary["eval_return_per_seed"], rtol=1e-6)
    other = playback.evaluate(trained, episodes=1, seed=1)
    assert (other.returns != own.returns).all()
    again = playback.evaluate(trained, episodes=1, seed=1)
    np.testing.assert_array_equal(again.returns, other.returns)


def test_episodes_are_those_of_the_lane_that_is_asked_for(trained):
    own = playback.evaluate(trained, episodes=1).returns
    for lane in (0, 1):
        first, second = playback.episodes(trained, lane=lane, count=2)
        assert first.total == pytest.approx(own[lane, 0], rel=1e-6) and second.total != first.total
        assert first.rewards.sum() == pytest.approx(first.total) and first.rewards.size == toy_system.EPISODE
    with pytest.raises(ConfigError, match="lane must be between 0 and 1, got 2"):
        next(playback.episodes(trained, lane=2, count=1))


def test_the_lane_of_is_that_of_the_evaluation(trained):
    for returns, best in (([1.0, 2.0], 1), ([3.0, 2.0], 0), ([None, -5.0], 1), (None, 0)):
        write_json(trained.directory.summary, {"eval_return_per_seed": returns})
        assert playback.lane_of(trained) == best
    trained.directory.summary.unlink()
    assert playback.lane_of(trained) == 0


def test_an_episode_ends_where_the_environment_reset_itself():
    """Three steps of rewards 1, 2 and 4, and then the beginning of the next episode."""
    totals, lengths = jnp.array([0.0, 1.0, 3.0, 0.0, 9.0]), jnp.array([0, 1, 2, 0, 1])
    states = StatisticsState(jnp.arange(5), totals, lengths, totals, lengths, 0 * lengths)
    episode = playback._first(7.0, states)
    np.testing.assert_array_equal(episode.rewards, [1, 2, 4])
    np.testing.assert_array_equal(episode.states.inner, [0, 1, 2])


def test_frames_are_of_every_step_of_every_episode(trained):
    played = [*playback.episodes(trained, lane=0, count=2)]
    pictures = playback.frames(trained.system, played)
    np.testing.assert_array_equal(pictures[:, 0, 0, 0], [0, 40, 80, 120, 160] * 2)
    blind = dataclasses.replace(trained.system, environment=trained.system.environment._replace(render=None))
    assert playback.drawable(trained.system, played) and not playback.drawable(blind, played)
    with pytest.raises(ConfigError, match="env toy_walk cannot be drawn"):
        playback.frames(blind, played)


def test_episodes_of_the_host_bring_their_own_frames(trained, monkeypatch):
    """Its driver plays one lane at a time, an episode for each key."""
    environment = trained.system.environment._replace(host=lambda n, seed: None, render=None)
    hosted = trained._replace(system=dataclasses.replace(trained.system, environment=environment))
    frames = np.full((4, 2, 2, 3), 7, np.uint8)
    asked = []

    def evaluate(state, keys, episodes):
        asked.append((state.learner.w.shape, jax.random.key_data(keys).tolist(), episodes))
        return SimpleNamespace(returns=np.array([[float(len(asked))]]), frames=frames)

    driver = SimpleNamespace(evaluate=evaluate, close=lambda: asked.append("closed"))
    monkeypatch.setattr(playback, "make_driver", lambda system, lanes: driver if lanes == 1 else None)
    played = [*playback.episodes(hosted, lane=1, count=2)]
    assert [episode.total for episode in played] == [1.0, 2.0] and asked[-1] == "closed"
    assert asked[0][0] == (1,) and asked[0][1] != asked[1][1]
    np.testing.assert_array_equal(playback.frames(hosted.system, played), np.concatenate([frames, frames]))
