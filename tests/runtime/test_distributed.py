from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imaginax.runtime import distributed
from imaginax.types import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def eight():
    """What eight_devices.py found."""
    command = [sys.executable, "-m", "tests.runtime.eight_devices"]
    child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return json.loads(child.stdout)


def test_the_learner_is_whole_and_replay_and_environments_are_split(eight):
    one, split = eight["layout"]["one"], ["None", "data"]
    assert one["learner"] == one["key"] == one["updates"] == [], "whatever its sizes"
    assert one["replay"] == {"items": split, "priorities": [], "index": [], "empty": []}
    assert one["env"] == split and one["carry"] == {"plan": split}
    assert set(map(str, one["timestep"][:6])) == {str(split)}
    assert "data" not in json.dumps(eight["layout"]["single"]), "a single environment stays whole"


def test_seeds_are_split_where_devices_divide_them(eight):
    flat = [json.dumps(spec) for spec in eight["layout"]["eight"].values()]
    assert all("data" in spec and "None" not in spec for spec in flat)
    assert eight["layout"]["three"] == eight["layout"]["one"]


def test_a_plan_is_the_same_and_every_device_does_its_share(eight):
    for found in eight["plan"].values():  # one problem: its candidates are split; eight: the problems
        assert found["error"] < 2e-6
        assert 0.1 < found["share"] < 0.2


def test_the_gradient_of_a_spread_batch(eight):
    found = eight["gradient"]
    assert found["least"] == pytest.approx(1, rel=1e-5) and found["ratio"] == pytest.approx(1, rel=1e-5)
    assert found["all_reduce"], "it was computed in parts"
    assert not found["unspread"], "a batch too small for every device's least share stays whole"


def test_lanes_on_their_own_devices_are_the_same_runs(eight):
    found = eight["lanes"]
    assert found["error"] < 1e-6 and found["devices"] == 8 and found["collectives"] == 0


def test_impossible_numbers_of_devices(eight):
    assert len(eight["refused"]) == 2 and all("between 1 and 8" in message for message in eight["refused"])


def test_devices_that_processes_cannot_share(monkeypatch):
    monkeypatch.setenv(distributed.PROCESSES, "2")
    with pytest.raises(ConfigError, match="multiple of 2 processes, got 3"):
        distributed.initialise(3)


def test_launch_hands_on_the_first_failure(tmp_path, capfd):
    assert distributed.launch(2, ["list"]) == 0
    assert capfd.readouterr().out.count("\nenvironments ") == 2
    assert distributed.launch(2, ["eval", str(tmp_path)]) == 2
