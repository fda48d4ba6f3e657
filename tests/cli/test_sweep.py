from __future__ import annotations

import json
from pathlib import Path

import pytest

from imaginax import cli, registry
from imaginax.cli import sweep
from tests.cli.toy_program import registered


def test_a_sweep_trains_every_combination_and_prints_a_table(monkeypatch, tmp_path, capsys):
    registered(monkeypatch, tmp_path)
    words = ["train", "toy", "--sweep", "rate=0.05,0.2", "--sweep", "chunks=2,3", "--seeds", "2"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert "1/4  fit.rate=0.05,chunks=2" in out and "4/4  fit.rate=0.2,chunks=3" in out
    head = next(i for i, line in enumerate(out) if line.startswith("fit.rate  chunks  return"))
    assert [line.split()[:2] for line in out[head + 1 : head + 5]] == [
        ["0.05", "2"],
        ["0.05", "3"],
        ["0.2", "2"],
        ["0.2", "3"],
    ]
    assert out[head + 5] == "highest: fit.rate 0.2, chunks 3" and " to " in out[head + 1]
    base = Path("runs/toy-toy_walk-sweep-tiny")
    rows = json.loads((base / "sweep.json").read_text())["rows"]
    assert [Path(row["logdir"]).name for row in rows][0] == "fit.rate=0.05,chunks=2"
    assert all((Path(row["logdir"]) / "summary.json").exists() for row in rows)
    assert (
        json.loads((base / "fit.rate=0.2,chunks=3/config.json").read_text())["config"]["fit"]["rate"] == 0.2
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rate", "argument --sweep: must be FIELD=A,B,..., got 'rate'"),
        ("rate=0.1,", "argument --sweep: must be FIELD=A,B,..., got 'rate=0.1,'"),
        ("rates=1,2", "unknown field --rates; did you mean --fit.rate?"),
        ("rate=0.1,-1", "fit.rate must be positive, got -1.0"),
        ("rate=0.1,fast", "rate"),
    ],
)
def test_bad_sweeps_are_one_line_before_anything_is_trained(monkeypatch, tmp_path, capsys, word, message):
    registered(monkeypatch, tmp_path)
    assert cli.main(["train", "toy", "--sweep", word]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not list(tmp_path.iterdir())
    assert cli.main(["train", "toy", "--sweep", "rate=0.1", "--processes", "2"]) == 2


def test_values_of_several_words_and_names_that_are_not_unique():
    entry = registry.entry("pets")
    found = sweep.points(entry, "tiny", None, [], ["model.hidden=8,16", "trials=1"])
    assert [point.config.model.hidden for point in found] == [(8,), (16,)]
    decay = ["--model.weight_decay", "0", "0", "0"]
    deep = sweep.points(entry, "tiny", None, decay, ["model.hidden=8 8,16 16"])
    assert [point.config.model.hidden for point in deep] == [(8, 8), (16, 16)]
