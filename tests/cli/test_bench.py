from __future__ import annotations

import json
from pathlib import Path

import pytest

from imaginax import cli
from imaginax.runtime import bench
from tests.cli.toy_program import registered

ROWS = [
    bench.Measurement("act", 1.5, 0.2, 0.01, 0.005, 3, 2e9, 4e11, 0.5, 0.0),
    bench.Measurement("learn", 2.0, 0.3, 0.5, 0.4, 3, 1e10, 6e11, 0.03, 12345.0),
]


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    registered(monkeypatch, tmp_path)


def test_bench_prints_a_line_a_program_and_writes_the_numbers(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(bench, "measure", lambda system, *, repeats: seen.append((system, repeats)) or ROWS)
    assert cli.main(["bench", "toy", "--repeats", "2", "--output", "new/bench.json"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["toy", "act", "1.5", "0.20", "0.01", "2", "50.0%"],
        ["toy", "learn", "2.0", "0.30", "0.5", "10", "3.0%", "12", "345"],
        ["matrix", "product:", "500", "GFLOP/s"],
        ["written", "to", "new/bench.json"],
    ]
    ((system, repeats),) = seen
    assert system.name == "toy" and system.config.chunks == 4 and repeats == 2, "the preset is tiny"
    record = json.loads(Path("new/bench.json").read_text())
    assert {"commit", "jax", "device", "repeats", "systems"} == set(record)
    (result,) = record["systems"]
    assert (result["system"], result["preset"], result["env"]) == ("toy", "tiny", "toy_walk")
    assert [bench.Measurement(**row) for row in result["programs"]] == ROWS


def test_numbers_that_cannot_be_written_are_one_line_and_one(monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda system, *, repeats: ROWS)
    Path("file").write_text("")
    assert cli.main(["bench", "toy", "--output", "file/bench.json"]) == 1
    assert capsys.readouterr().err.startswith("imaginax: cannot write file/bench.json")
