from __future__ import annotations

import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from imaginax import cli
from tests.cli.toy_program import registered


def test_play_prints_episodes_and_draws_them(monkeypatch, tmp_path, capsys):
    registered(monkeypatch, tmp_path)
    assert cli.main(["train", "toy", "--logdir", "run"]) == 0
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}
    assert cli.main(["play", "run", "--episodes", "3", "--output", "new/three.gif", "--steps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")} == before
    played = [re.fullmatch(r"episode (\d): return (\S+), 5 steps", line) for line in lines]
    played = [match for match in played if match]
    assert [match[1] for match in played] == ["1", "2", "3"] and lines[-1] == "  new/three.gif"
    assert len({match[2] for match in played}) == 3, "each episode has its own key"
    steps = [line for line in lines if line.startswith("  step ")]
    assert len(steps) == 15 and steps[4].endswith(f"return {played[0][2]}")
    levels = iio.imread("new/three.gif")[:, 0, 0, 0]
    np.testing.assert_allclose(levels, [0, 40, 80, 120, 160] * 3, atol=8)

    assert cli.main(["play", "run", "--seed", "1", "--output", "strip.png"]) == 0
    assert capsys.readouterr().out.splitlines()[0] != lines[5]
    assert iio.imread("strip.png").shape == (8, 5 * 12 + 4 * 2, 3)

    (Path("run") / "media" / "episode.gif").unlink()
    assert cli.main(["play", "run"]) == 0
    assert capsys.readouterr().out.splitlines() == [played[0][0], "  run/media/episode.gif"]
    assert len(iio.imread("run/media/episode.gif")) == 5

    assert cli.main(["play", "run", "--lane", "1"]) == 2
    assert capsys.readouterr().err == "imaginax: lane must be between 0 and 0, got 1\n"
