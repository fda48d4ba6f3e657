"""`imaginax export`: the table, the files, and one line for whatever cannot be done."""

import importlib.util
import json
from pathlib import Path

import jax
import pytest

from imaginax import cli, registry
from imaginax.runtime import export
from imaginax.runtime.export import aot
from imaginax.runtime.loop import make_chunk
from tests.runtime import toy_system

pytest.importorskip("flatbuffers")


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    """The toy is a registered system, the working directory is empty, and jax's settings stay as they are."""
    monkeypatch.setitem(registry.SYSTEMS, "toy", lambda: toy_system.ENTRY)
    monkeypatch.setattr(aot, "prepare", lambda: None)
    monkeypatch.chdir(tmp_path)


def test_lowers_writes_and_tells(capsys):
    assert cli.main(["export", "toy", "--platform", "tpu", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = json.loads(Path("build/export/table.json").read_text())["programs"]
    assert [(row["program"], row["platform"]) for row in table] == [
        (name, platform) for name in ("act", "train_random", "train_learn") for platform in ("tpu", "cpu")
    ]
    assert len(lines) == len(table) + 2  # a header, and where it went
    for line, row in zip(lines[1:], table, strict=False):
        assert line.split()[:3] == ["toy", row["program"], row["platform"]]
        data = Path(f"build/export/toy/{row['program']}.{row['platform']}").read_bytes()
        assert len(data) == row["size"] and row["seconds"] < 60
        assert (row["memory"] is not None) == (row["platform"] == "cpu")
    state = jax.eval_shape(toy_system.make(toy_system.ToyConfig()).init, jax.random.key(0))
    results = jax.eval_shape(
        export.load(Path("build/export/toy/act.cpu").read_bytes()),
        *(jax.eval_shape(export._words, leaf) for leaf in jax.tree.leaves((state.learner.w, *state[3:6]))),
    )
    assert [result.shape for result in results] == [(1, 1)]  # the action


def leaky(system, stage):
    """A chunk that tells the host its index."""
    chunk = make_chunk(system, stage)

    def program(state, index):
        jax.debug.callback(print, index)
        return chunk(state, index)

    return program


def test_a_program_that_calls_the_host_stops_the_export(monkeypatch, capsys):
    monkeypatch.setattr(export, "make_chunk", leaky)
    assert cli.main(["export", "toy", "--platform", "tpu"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("imaginax: toy train_random calls the host (") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tyo"], "unknown system 'tyo'; did you mean toy?"),
        (["toy", "--preset", "huge"], "unknown preset 'huge' of toy"),
        (["toy", "--platform", "npu"], "unknown platform 'npu'; known: tpu, cuda, cpu"),
        (["toy", "--report", "x.json"], "--report belongs to --compile"),
        (["toy", "--compile", "v99"], "unknown target 'v99'; examples: v5e:2x2"),
        (["toy", "--compile", "v5e:2x2"], "needs libtpu: pip install 'imaginax[tpu-aot]'"),
        (["toy", "--compile", "h100"], "needs jax-cuda12-plugin: pip install 'imaginax[cuda-aot]'"),
    ],
)
def test_bad_input_is_one_line_and_two(words, message, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    assert cli.main(["export", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("imaginax: ") and error.count("\n") == 1


def test_a_full_disk_is_one_line_and_one(capsys):
    Path("file").touch()
    assert cli.main(["export", "toy", "--platform", "cpu", "--output", "file/out"]) == 1
    assert "cannot write file/out" in capsys.readouterr().err


@pytest.mark.parametrize("memory", [10**9, 50])
def test_compiles_reports_and_says_what_does_not_fit(memory, monkeypatch, capsys):
    target = aot.Target("here", tuple(jax.devices())[:1], memory, "xla 1")
    monkeypatch.setattr(aot, "open_target", lambda name: target)
    fits = memory > 50
    assert cli.main(["export", "toy", "--compile", "here", "--report", "r.json"]) == (0 if fits else 1)
    out, error = capsys.readouterr()
    record = json.loads(Path("r.json").read_text())
    expected = {"system": "toy", "env": "toy_walk", "preset": "tiny", "target": "here", "compiler": "xla 1"}
    assert expected.items() <= record.items() and {"commit", "jax"} <= set(record)
    assert [row["program"] for row in record["programs"]] == [
        "toy act",
        "toy train_random",
        "toy train_learn",
    ]
    assert record["programs"][2]["fits"] == fits and record["programs"][2]["memory"]["total"] > 50
    assert ("toy train_learn does not fit on here: needs" in error) != fits
    assert out.splitlines()[-1] == "written to r.json"
