from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest

from imaginax.runtime import config as configs
from imaginax.runtime import run_directory
from imaginax.runtime.run_directory import RunError, open_run, read_json, read_run, write_json
from imaginax.systems import gpdm
from imaginax.systems.gpdm import GPDMSystemConfig
from imaginax.types import ConfigError
from tests.data.mocap.writers import ROOTS, amc_text, asf_text, channels, random_bones, random_values
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
    assert record["replay_ratio"] == {"learn": 2 / toy_system.EPISODE}
    assert all(record["versions"].values()) and record["device"]["platform"] == "cpu"


def test_another_run_is_refused_unless_it_is_wanted(tmp_path, record):
    open_run(tmp_path, record)
    open_run(tmp_path, record | {"versions": {"jax": "later"}, "device": {}, "preset": None})
    other = record | {"seed": 8, "config": record["config"] | {"width": 9}}
    with pytest.raises(ConfigError, match=r"\(seed: 7 -> 8; config.width: 3 -> 9\)"):
        open_run(tmp_path, other)
    open_run(tmp_path, other, override_config=True)
    assert read_run(tmp_path)[1]["seed"] == 8


def test_files_that_a_run_reads_are_known_by_their_content(tmp_path, monkeypatch):
    """Relative paths, and a skeleton that nobody named; then another folder, a move, and a change."""
    monkeypatch.chdir(tmp_path)
    bones = random_bones(0, 4)
    names = channels(bones, ROOTS[0])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.asf").write_text(asf_text(bones))
    (tmp_path / "data" / "one.amc").write_text(amc_text(names, random_values(0, names, 30)))
    config = GPDMSystemConfig(motion="data/one.amc", frames=0, every=1, missing=(10, 14))
    record = describe(gpdm.make(config))
    for field, name in (("motion", "one.amc"), ("skeleton", "one.asf")):
        path = tmp_path / "data" / name
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert record["inputs"][field] == {"path": str(path), "sha256": digest}
        assert record["config"][field] == str(path)
    open_run("run", record)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert configs.from_json(GPDMSystemConfig, read_run("../run")[1]["config"]).motion.startswith(
        str(tmp_path)
    )
    run_directory.check_inputs(record)
    open_run("../run", describe(gpdm.make(dataclasses.replace(config, motion="../data/one.amc"))))
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"motion .*/data/one.amc cannot be read: No such file"):
        run_directory.check_inputs(record)
    moved = dataclasses.replace(config, motion="../moved/one.amc")
    open_run("../run", describe(gpdm.make(moved)))
    (tmp_path / "moved" / "one.amc").write_text(amc_text(names, random_values(1, names, 30)))
    with pytest.raises(ConfigError, match=r"motion .*/moved/one.amc is not the file that the run began with"):
        run_directory.check_inputs(read_run("../run")[1])
    with pytest.raises(ConfigError, match=r"config.motion: 'file of sha256 .* -> 'file of sha256"):
        open_run("../run", describe(gpdm.make(moved)))


def describe(system):
    return run_directory.describe(system, preset=None, seeds=1, seed=0)


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
