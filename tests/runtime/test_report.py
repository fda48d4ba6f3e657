from __future__ import annotations

import dataclasses

import imageio.v3 as iio
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.runtime import report
from imaginax.runtime.report import Evaluation, History
from imaginax.types import Box, Environment, EnvSpec, Episodes, Replay, System


def make_system(render=None):
    """Its episodes return the state plus noise; their states hold the lane's own state."""

    def evaluate(state, key):
        returns = state + 0.01 * jax.random.uniform(key, (3,))
        return Episodes(returns, {"lane": jnp.full((4,), state)})

    spec = EnvSpec("still", Box((1,)), Box((1,), -1.0, 1.0), 4)
    env = Environment(spec, init=None, step=None, render=render)
    nothing = lambda *given: None  # noqa: E731
    functions = dict.fromkeys(("init", "params_of", "act", "learn", "record"), nothing)
    replay = Replay(nothing, nothing, nothing)
    return System(
        name="toy",
        config=None,
        environment=env,
        replay=replay,
        evaluate=evaluate,
        schedule=(),
        **functions,
    )


def test_episodes_are_fresh_and_the_best_lane_is_kept():
    state, keys = jnp.asarray([1.0, 7.0, 5.0]), jax.random.split(jax.random.key(0), 3)
    once = report.evaluate(make_system(), state, keys)
    more = report.evaluate(make_system(), state, keys, episodes=7)
    assert once.returns.shape == (3, 3) and more.returns.shape == (3, 9)
    np.testing.assert_array_equal(more.returns[:, :3], once.returns)
    assert len(np.unique(more.returns)) == 27, "every episode has its own key"
    np.testing.assert_allclose(more.returns.mean(axis=1), state, atol=0.01)
    assert more.states["lane"].tolist() == [7.0] * 4


def test_an_environment_without_a_picture_has_no_gif(tmp_path):
    directory = report.RunDirectory(tmp_path)
    evaluation = Evaluation(np.zeros((1, 1), np.float32), {"lane": jnp.zeros(4)}, 0.0)
    report.write_episode(directory, make_system(), evaluation)
    assert not directory.media.exists()


def test_frames_that_were_seen_become_the_gif(tmp_path):
    directory = report.RunDirectory(tmp_path)
    frames = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3)).astype(np.uint8)
    evaluation = Evaluation(np.zeros((1, 1), np.float32), None, 0.0, frames)
    report.write_episode(directory, make_system(), evaluation)
    assert iio.imread(directory.media / "episode.gif").shape == frames.shape
    drawn = make_system(
        render=lambda state: state["lane"][:, None, None, None] * jnp.ones((8, 8, 3), jnp.uint8)
    )
    report.write_episode(report.RunDirectory(tmp_path / "none"), drawn, evaluation._replace(frames=None))
    assert not (tmp_path / "none").exists(), "an episode of the host that could not be drawn has no states"


RECORD = {"system": "s", "env": "e", "preset": None, "seeds": 2, "seed": 0, "device": {}, "versions": {}}
RECORD |= {"replay_ratio": {"learn": 0.4}}


def test_distinct_games_are_counted_over_all_portions():
    """Four games a portion, one of them twice; the second portion repeats them all."""

    def evaluate(state, key):
        return Episodes(jnp.ones(4), None, jnp.asarray([1, 2, 2, 3], jnp.uint32) + state.astype(jnp.uint32))

    system = dataclasses.replace(make_system(), evaluate=evaluate)
    keys = jax.random.split(jax.random.key(0), 2)
    found = report.evaluate(system, jnp.zeros(2), keys, episodes=8)
    assert found.games is not None and found.games.shape == (2, 8) and found.distinct() == [3, 3]
    summary = report.summarise(RECORD, History(), "finished", found)
    assert summary["eval_games"] == 8 and summary["eval_distinct_games_per_seed"] == [3, 3]
    assert report.summarise(RECORD, History(), "finished", found._replace(games=None))["eval_games"] is None


def test_the_summary_counts_all_seeds():
    history = History(step=3, wall_s=2.0, compile_s=1.5, env_steps=[10, 20, 30])
    history.returns = [[None, None], [1.0, 4.0], [3.0, None]]
    evaluation = Evaluation(np.array([[1.0, 3.0], [5.0, 5.0]]), None, compile_s=0.5)
    summary = report.summarise(RECORD, history, "finished", evaluation)
    assert summary["replay_ratio"] == {"learn": 0.4}
    assert summary["env_steps"] == 30 and summary["steps_per_s"] == 30.0 and summary["compile_s"] == 2.0
    assert summary["eval_return"] == 3.5 and summary["eval_return_per_seed"] == [2.0, 5.0]
    assert summary["best_return_per_seed"] == [3.0, 4.0]
    np.testing.assert_array_equal(summary["return_per_chunk"], [[np.nan, 1, 3], [np.nan, 4, np.nan]])
    assert history.best() == 3.0, "means over the seeds that have a return are 2.5 and 3"


def test_a_run_stopped_before_its_first_chunk(tmp_path):
    summary = report.summarise(RECORD, History(), "stopped", None)
    assert summary["env_steps"] == 0 and summary["eval_return"] is None and summary["steps_per_s"] == 0.0
    directory = report.RunDirectory(tmp_path)
    report.write(directory, make_system(), summary, History(), None)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
    (tmp_path / "file").write_text("")
    with pytest.raises(report.RunError, match="cannot write .*summary.json"):
        report.write(report.RunDirectory(tmp_path / "file"), make_system(), summary, History(), None)
