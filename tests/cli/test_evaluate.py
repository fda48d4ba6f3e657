from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from imaginax import cli
from imaginax.arena.score import wilson
from imaginax.cli.evaluate import _returns, _summary
from imaginax.runtime.report import Evaluation
from tests.cli.toy_program import registered

NUMBER = r"(-?[0-9.e-]+)"


@pytest.fixture
def trained(monkeypatch, tmp_path, capsys):
    """A finished run of two seeds, and what lies in its folder."""
    registered(monkeypatch, tmp_path)
    assert cli.main(["train", "toy", "--seeds", "2", "--seed", "7", "--logdir", "run"]) == 0
    capsys.readouterr()
    return Path("run")


def returns(line):
    return [float(word) for word in re.findall(NUMBER, line.split(":")[1])]


def test_eval_prints_every_return_and_writes_nothing(trained, capsys):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert cli.main(["eval", "run", "--episodes", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["seed 7", "seed 8"]
    assert [len(returns(line)) for line in lines[:-1]] == [4, 4], "two episodes at a time"
    own = json.loads((trained / "summary.json").read_text())["eval_return_per_seed"]
    np.testing.assert_allclose([np.mean(returns(line)[:2]) for line in lines[:-1]], own, rtol=0.01)
    mean = np.mean([returns(line) for line in lines[:-1]])
    found = re.fullmatch(
        f"mean {NUMBER}, IQM {NUMBER}, 95% interval {NUMBER} to {NUMBER} over 4 episodes of each of 2 seeds",
        lines[-1],
    )
    assert float(found[1]) == pytest.approx(mean, rel=0.01)
    assert float(found[3]) <= float(found[2]) <= float(found[4])
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before

    assert cli.main(["eval", "run", "--seed", "1"]) == 0
    other = capsys.readouterr().out.splitlines()
    assert returns(other[0]) != returns(lines[0])[:2] and "an interval needs 3 seeds" in other[-1]


def test_the_interval_is_over_seeds_where_there_are_enough():
    """Seeds that differ, whose episodes do not: drawing episodes anew would say that all is certain."""
    scores = np.repeat([[1.0], [2.0], [3.0], [4.0], [5.0]], 3, axis=1)
    assert _summary(Evaluation(scores, None, 0.0)).startswith("mean 3, IQM 3, 95% interval 1.")
    assert _summary(Evaluation(scores, None, 0.0)).endswith("over 5 seeds")
    assert (
        _summary(Evaluation(scores[:2], None, 0.0))
        == "mean 1.5, IQM 1.5, 95% interval 1.5 to 1.5 over 3 episodes of each of 2 seeds"
    )
    assert _summary(Evaluation(scores[:1], None, 0.0)).endswith("over 3 episodes")


def test_many_returns_are_told_in_few_words():
    assert _returns([1.0] * 8) == ", ".join(["1"] * 8)
    assert _returns([1.0, 2.0, 3.0] * 3) == "mean 2 of 9 episodes, 1 to 3"


def test_a_checkpoint_that_had_to_be_skipped_is_named(trained, capsys):
    newest = max((trained / "checkpoints").iterdir(), key=lambda path: int(path.name))
    (newest / "manifest.json").write_text("{}")
    assert cli.main(["eval", "run"]) == 0
    assert f"run/checkpoints/{newest.name}" in capsys.readouterr().err


def test_the_interval_of_games_is_over_the_distinct_ones():
    """Fifty copies of two games are two observations, a hundred different games a hundred."""
    returns = np.array([[1.0, -1.0] * 50])
    copies = Evaluation(returns, None, 0.0, games=np.array([[1, 2] * 50], np.uint32))
    different = Evaluation(returns, None, 0.0, games=np.arange(100, dtype=np.uint32)[None])
    low, high = (2 * end - 1 for end in wilson(0.5, 2))
    assert _summary(copies) == (
        f"mean 0 of 100 games a seed, 2 of them distinct, 95% interval {low:.4g} to {high:.4g}"
        " over distinct games"
    )
    found = re.search(f"100 of them distinct, 95% interval {NUMBER} to {NUMBER} over", _summary(different))
    assert -0.25 < float(found[1]) < -0.15 and 0.15 < float(found[2]) < 0.25
