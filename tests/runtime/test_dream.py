"""Imagined against real: which steps are seen, what the rows show, by systems on images and on planes."""

from __future__ import annotations

import dataclasses
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import cli
from imaginax.envs import minatar
from imaginax.runtime import dream, playback, run
from imaginax.systems import dreamerv2
from imaginax.systems.presets import dreamerv2 as presets
from imaginax.types import ConfigError

SMALL = dataclasses.replace(
    presets.TINY, environments=3, prefill_steps=20, chunk_steps=20, chunks=2, updates=1, batch_size=2
)


@pytest.fixture(scope="module")
def games(tmp_path_factory):
    """DreamerV2 after two updates on Breakout of MinAtar."""
    config = dataclasses.replace(SMALL, env="minatar_breakout", eval_episodes=1, episode_steps=40)
    folder = tmp_path_factory.mktemp("run")
    run.train(dreamerv2.make(config), logdir=folder, preset="tiny", stream=io.StringIO())
    return folder


def test_episodes_are_new_and_begin_at_their_beginning(games):
    trained = playback.load(games)
    data = dream.new_episodes(trained, episodes=4, steps=12, at_least=4)
    assert data.first[:, 0].all() and not data.first[:, 1:].any() and len(data.first) == 4
    assert 4 <= data.first.shape[1] <= 12
    with pytest.raises(ConfigError, match="had not 1 episodes of 600 steps or more"):
        dream.new_episodes(trained, steps=600)


def test_the_model_follows_actions_where_it_sees_no_more(games):
    """Rows are what was observed and what the model decodes; a later image changes nothing before it."""
    trained = playback.load(games)
    found = dream.dream(trained, episodes=2, context=2, steps=6)
    data = dream.new_episodes(trained, episodes=2, steps=6, at_least=3)
    np.testing.assert_array_equal(found.truth[0, 3], minatar.draw(jnp.asarray(data.observation[0, 3])))
    params, key = playback.params_of(trained), jax.random.key(0)
    other = data._replace(observation=data.observation.copy())
    other.observation[:, 2:] ^= True
    expects = [trained.system.dream(params, one, key, context=2) for one in (data, other)]
    np.testing.assert_array_equal(*expects)
    other.observation[:, 1] ^= True
    assert not np.array_equal(expects[0], trained.system.dream(params, other, key, context=2))
    np.testing.assert_array_equal(found.error, np.abs(found.truth.astype(int) - found.model))


def test_rows_are_named_and_every_episode_has_its_column():
    truth = np.zeros((2, 5, 32, 32, 3), np.uint8)
    truth[:, 1] = 200
    film = dream.film(dream.Dream(truth, truth // 2, context=2))
    assert film.shape == (5, 16 + 3 * 98, 44 + 2 * 98, 3)
    tiles = film[1, 16:, 44:].reshape(3, 98, 2, 98, 3)[:, :96, :, :96]
    assert [np.unique(row).tolist() for row in tiles] == [[200], [100], [100]]
    names = film[:, 16:, :44]
    assert (names == names[:1]).all() and all((part < 128).any() for part in np.split(names[0], 3))
    assert (film[1, :16] != film[2, :16]).any(), "the title says which step it is"


def test_what_has_no_picture_is_refused(games, tmp_path, capsys):
    config = dataclasses.replace(SMALL, chunks=1, eval_episodes=1)
    run.train(dreamerv2.make(config), logdir=tmp_path / "run", preset="tiny", stream=io.StringIO())
    assert cli.main(["dream", str(tmp_path / "run")]) == 2
    assert "is observed as 8 numbers, not as a picture" in capsys.readouterr().err
    assert cli.main(["dream", str(games), "--context", "9", "--steps", "9"]) == 2
    assert cli.main(["dream", str(games), "--output", "a.mp4"]) == 2


def test_the_command_writes_a_gif_and_a_strip(games, tmp_path, capsys):
    words = ["--episodes", "2", "--context", "2", "--steps", "6"]
    assert cli.main(["dream", str(games), *words]) == 0
    assert (games / "media" / "dream.gif").exists() and str(games) in capsys.readouterr().out
    assert cli.main(["dream", str(games), *words, "--output", str(tmp_path / "strip.png")]) == 0
    assert (tmp_path / "strip.png").stat().st_size > 500
    assert cli.main(["play", str(games), "--output", str(tmp_path / "played.gif")]) == 0
    assert (tmp_path / "played.gif").stat().st_size > 500
