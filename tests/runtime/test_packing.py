"""Agents alone: small folders that act as the run did, and say when they are not what was packed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import jax
import numpy as np
import pytest

import imaginax
from imaginax import cli, registry
from imaginax.runtime import packing, playback, run, run_directory
from imaginax.runtime.checkpoint import CheckpointError
from imaginax.types import ConfigError
from tests.cli.toy_program import registered
from tests.runtime import toy_system

SHIPPED = sorted(path.parent for path in run_directory.SHIPPED.glob("*/agent.json"))


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """A run of two seeds, of which the second is better."""
    registered(monkeypatch, tmp_path)
    system = toy_system.make(toy_system.ToyConfig(chunks=5))
    run.train(system, logdir="run", seeds=2, seed=3, preset="tiny", stream=io.StringIO())
    return playback.load("run")


def test_a_packed_agent_is_the_lane_that_was_chosen(trained, capsys):
    assert cli.main(["agents", "--pack", "run", "--output", "alone", "--lane", "1"]) == 0
    assert capsys.readouterr().out.startswith("alone: 0.0 MB, evaluation return -")
    alone = playback.load("alone")
    assert alone.record["seeds"] == 1 and alone.record["seed"] == 4
    np.testing.assert_array_equal(playback.params_of(alone), playback.params_of(trained, 1))
    about = json.loads(Path("alone/agent.json").read_text())
    assert about["command"] == "imaginax train toy --preset tiny --seeds 2 --seed 3 --chunks 5"
    assert about["sha256"] == packing.sums(Path("alone"))
    own = playback.evaluate(trained, episodes=1).returns[1]
    np.testing.assert_allclose(playback.evaluate(alone, episodes=1).returns[0], own, rtol=1e-6)
    assert not list(Path("alone").glob("checkpoints*"))


def test_an_agent_alone_cannot_go_on_learning_and_is_never_overwritten(trained, capsys):
    packing.pack(trained, 0, Path("alone"))
    for words in (["train", "toy", "--logdir", "alone"], ["agents", "--pack", "run", "--output", "alone"]):
        assert cli.main(words) == 2
        assert "alone" in capsys.readouterr().err
    assert cli.main(["agents", "--pack", "run"]) == 2
    assert "belong together" in capsys.readouterr().err


def test_a_damaged_agent_is_never_loaded(trained):
    packing.pack(trained, 0, Path("alone"))
    part = next(
        path for path in Path("alone/learner").rglob("*") if path.is_file() and path.stat().st_size > 3
    )
    part.write_bytes(part.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckpointError):
        playback.load("alone")


def test_a_run_without_an_evaluation_is_not_packed(trained):
    Path("run/summary.json").unlink()
    with pytest.raises(ConfigError, match="has no evaluation yet"):
        packing.pack(trained, 0, Path("alone"))


def test_unknown_agents_suggest_a_name(capsys):
    assert cli.main(["eval", "agents:pets_cart"]) == 2
    assert "unknown agent 'pets_cart'; did you mean pets_cartpole" in capsys.readouterr().err


def test_the_list_names_what_ships_and_how_it_was_made(capsys):
    assert cli.main(["agents"]) == 0
    out = capsys.readouterr().out
    assert SHIPPED
    for folder in SHIPPED:
        about = json.loads((folder / "agent.json").read_text())
        assert f"agents:{folder.name}\n" in out and about["command"] in out


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_shipped_agents_are_small_whole_and_of_a_known_command(folder):
    about = json.loads((folder / "agent.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    assert about["sha256"] == packing.sums(folder)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3e6
    assert not about["commit"].endswith("-dirty")
    words = about["command"].split()
    entry = registry.entry(words[2])
    parsed = registry.entry(config["system"]).preset(words[words.index("--preset") + 1], config["env"])
    assert entry.name == config["system"] and type(parsed) is entry.config


@pytest.mark.slow
@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_shipped_agents_are_as_good_as_they_say(folder):
    """Rounding differs from processor to processor; the return is of the same size."""
    about = json.loads((folder / "agent.json").read_text())
    score = imaginax.evaluate(f"agents:{folder.name}")
    assert abs(score.mean - about["eval_return"]) < 0.15 * max(1.0, abs(about["eval_return"]))
    assert jax.tree.leaves(imaginax.load(f"agents:{folder.name}").params)
