from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from imaginax import cli
from imaginax.runtime import plotting
from imaginax.runtime.curves import Curve

CURVES = [Curve(name, np.arange(4.0), np.ones((3, 4))) for name in ("a", "b")]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """What `plotting.learning_curve` is asked for, with curves that need no run."""
    from imaginax.runtime import comparison

    seen = {}

    def read(sources, **options):
        seen.update(options)
        return CURVES[: len(sources)]

    def draw(path, curves, **options):
        seen.update(options, curves=curves)
        return path

    monkeypatch.setattr(comparison, "read_curves", read)
    monkeypatch.setattr(comparison, "tasks", lambda sources: ["pendulum"])
    monkeypatch.setattr(plotting, "learning_curve", draw)
    monkeypatch.chdir(tmp_path)
    return seen


def test_one_run_gives_the_title_and_several_the_legend(drawn, capsys):
    assert cli.main(["plot", "runs/a"]) == 0
    assert capsys.readouterr().out == "return.png\n"
    assert drawn["title"] == "a" and drawn["curves"][0].label == ""
    assert (drawn["xlabel"], drawn["ylabel"], drawn["statistic"]) == ("environment steps", "return", "iqm")
    assert cli.main(["plot", "runs/a", "runs/b"]) == 0
    assert drawn["title"] == "" and [curve.label for curve in drawn["curves"]] == ["a", "b"]


def test_options_reach_the_figure(drawn):
    words = ["--x", "wall_s", "--metric", "loss", "--statistic", "mean", "--title", "T", "--group"]
    lines = ["--reference", "best=1.5", "--reference", "f(x)=0=-2"]
    assert cli.main(["plot", "runs/a", *words, *lines, "--output", "x/y.svg"]) == 0
    assert drawn["title"] == "T" and drawn["curves"][0].label == "a"
    assert (drawn["xlabel"], drawn["ylabel"]) == ("seconds of running", "loss")
    assert (drawn["x"], drawn["metric"], drawn["group"], drawn["statistic"]) == (
        "wall_s",
        "loss",
        True,
        "mean",
    )
    assert drawn["references"] == {"best": 1.5, "f(x)=0": -2.0}


def test_committed_results_are_drawn(tmp_path, capsys):
    results = Path(__file__).parents[2] / "results"
    output = tmp_path / "both.png"
    sources = [str(results / "pets" / "cartpole_laptop.json"), str(results / "mpc" / "cartpole_cem.json")]
    assert cli.main(["plot", *sources, "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n" and iio.imread(output).std() > 1
