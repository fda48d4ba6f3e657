from __future__ import annotations

import json
import subprocess
import sys

import pytest

from imaginax.runtime import run_directory
from imaginax.runtime.run_directory import RunError, open_run, read_json, read_run, write_json
from imaginax.types import ConfigError
from tests.runtime import toy_system


@pytest.fixture
def record():
    system = toy_system.make(toy_system.ToyConfig())
    return run_directory.describe(system, preset="tiny", seeds=2, seed=7)


def test_config_json_tells_everything(tmp_path, record):
    directory = open_run(tmp_path / "a" / "run", record)
    found, again = read_run(directory.path)
    assert found == directory and again == record
    assert (record["system"], record["env"], record["preset"]) == ("toy", "toy_walk", "tiny")
    assert (record["seeds"], record["seed"]) == (2, 7)
    assert record["config"]["fit"] == {"rate": 0.1, "kind": "squared"}
    assert all(record["versions"].values()) and record["device"]["platform"] == "cpu"


def test_another_run_is_refused_unless_it_is_wanted(tmp_path, record):
    open_run(tmp_path, record)
    open_run(tmp_path, record | {"versions": {"jax": "later"}, "device": {}, "preset": None})
    other = record | {"seed": 8, "config": record["config"] | {"chunks": 9}}
    with pytest.raises(ConfigError, match=r"\(seed: 7 -> 8; config.chunks: 4 -> 9\)"):
        open_run(tmp_path, other)
    open_run(tmp_path, other, override_config=True)
    assert read_run(tmp_path)[1]["seed"] == 8


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    path, word = tmp_path / "run", "another process is training in"
    hold = "from imaginax.runtime import run_directory as r; import sys, time\n"
    hold += "with r.alone(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=word), run_directory.alone(path):
            pass
        other.kill()  # a lock does not outlive its process
    with run_directory.alone(path), pytest.raises(RunError, match=word), run_directory.alone(path):
        pass
    assert not list(path.iterdir())


@pytest.mark.parametrize("text", ["{", "[1]", "\x00\xff"])
def test_a_damaged_config_is_named(tmp_path, record, text):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"cannot read .*config.json"):
        open_run(tmp_path, record)
    (tmp_path / "config.json").write_text('{"system": "toy"}')
    with pytest.raises(ConfigError, match="lacks seeds, seed, config"):
        read_run(tmp_path)


def test_json_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": [1.0, float("nan"), float("-inf")]})
    assert read_json(path) == {"a": [1.0, None, None]}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": [1.0, None, None]}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_no_number_that_json_does_not_know(tmp_path):
    write_json(tmp_path / "a.json", {"x": float("inf")})
    json.loads((tmp_path / "a.json").read_text(), parse_constant=lambda name: pytest.fail(name))
