"""Published scores: what ships, and how a run is put beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from imaginax import cli
from imaginax.runtime import published
from imaginax.runtime.curves import Curve
from imaginax.runtime.published import Published
from imaginax.types import ConfigError


def test_scores_of_a_task_have_sources_and_ascending_steps():
    found = {score.method: score for score in published.scores("control_cartpole_swingup", "pixels")}
    assert {"PlaNet", "Dreamer", "DreamerV2", "DreamerV3", "D4PG"} <= set(found)
    assert all((np.diff(score.env_steps) > 0).all() and "arXiv" in score.source for score in found.values())
    dreamer = found["Dreamer"]
    assert (dreamer.env_steps[0], dreamer.mean[0], dreamer.deviation[0], dreamer.seeds) == (
        5e5,
        678.4,
        241.9,
        5,
    )
    assert np.isnan(found["PlaNet"].deviation).all() and found["PlaNet"].seeds == 0
    same = published.scores("dmc:cartpole-swingup", "pixels")
    assert [score.method for score in same] == list(found)
    assert "D4PG" not in {score.method for score in published.scores("control_cartpole_swingup", "state")}
    with pytest.raises(ConfigError, match="no published scores of env pendulum from state; did you mean"):
        published.scores("pendulum", "state")
    assert published.observation_of({"image": 32}) == "pixels"
    assert published.observation_of({"image": 0}) == published.observation_of({}) == "state"


def score(steps, mean):
    steps = np.asarray(steps, float)
    return Published("M", "state", steps, np.asarray(mean, float), np.full(len(steps), 5.0), 4, "paper; file")


STEPS = np.arange(1, 11) * 100.0


def curve(*levels):
    return Curve("run", STEPS, np.stack([np.full(10, level) for level in levels]))


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ((90.0, 91.0, 92.0, 93.0), "above M's 50 (4 seeds, standard deviation 5)"),
        ((10.0, 11.0, 12.0, 13.0), "below M's 50"),
        ((10.0, 40.0, 60.0, 99.0), "level with M's 50"),
        ((60.0,), "60 (one seed: no interval) is above"),
        ((40.0, 44.0), "42 (2 seeds: no interval) is below"),
    ],
)
def test_the_verdict_is_at_equal_steps(levels, words):
    found = published.verdict(curve(*levels), score([200, 800, 5000], [10, 50, 99]))
    assert found.env_steps == 800 and found.theirs == 50 and words in found.sentence
    assert "at 800 steps the run's" in found.sentence


def test_a_run_that_has_not_come_so_far_is_not_judged():
    found = published.verdict(curve(1.0), score([5000], [99]))
    assert found.env_steps is None and found.sentence == "M: published from 5 000 steps on; the run has 1 000"


def test_a_point_just_behind_the_end_of_a_run_counts():
    assert published.verdict(curve(60.0), score([500, 1010], [9, 50])).env_steps == 1010
    assert published.verdict(curve(60.0), score([500, 1030], [9, 50])).env_steps == 500


def test_the_returns_that_count_are_those_of_the_last_tenth():
    rising = Curve("run", STEPS, np.stack([STEPS, np.where(STEPS > 600, np.nan, STEPS)]))
    np.testing.assert_array_equal(published.at(rising, 1000.0), [1000, 600])
    np.testing.assert_array_equal(published.at(rising, 50.0), [np.nan, np.nan])


def test_later_scores_are_lines_and_not_curves():
    curves, lines = published.drawn([score([200, 900], [1, 2]), score([9000], [7])], last=1000.0)
    assert [one.label for one in curves] == ["M, published (4 seeds)"] and curves[0].returns.tolist() == [
        [1, 2]
    ]
    assert lines == {"M, published, at 9 000 steps": 7.0}


def run_directory(folder: Path, env: str, image: int, seed: int, level: float) -> Path:
    """What `compare` reads of a run."""
    folder.mkdir()
    record = {
        "system": "planet",
        "env": env,
        "preset": "gpu",
        "seeds": 1,
        "seed": seed,
        "config": {"image": image},
    }
    (folder / "config.json").write_text(json.dumps(record))
    rows = [
        {"step": i, "env_steps": 100_000 * i, "wall_s": 1.0, "episode_return": level + i}
        for i in range(1, 12)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_compare_draws_and_says_how_runs_stand(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        run_directory(tmp_path / f"run-{seed}", "control_cartpole_swingup", 64, seed, 880.0 + seed)
    assert cli.main(["compare", "run-0", "run-1", "run-2", "--output", "out.png"]) == 0
    out = capsys.readouterr().out
    assert (
        "PlaNet: at 1 000 000 steps the run's 891 (IQM of 3 seeds, 890 to 892) is above PlaNet's 821" in out
    )
    assert "sources:\n" in out and "arXiv 1912.01603" in out and Path("out.png").stat().st_size > 10_000


def test_different_tasks_are_never_on_one_axis_silently(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_directory(tmp_path / "a", "control_cartpole_swingup", 64, 0, 1.0)
    run_directory(tmp_path / "b", "control_cheetah_run", 64, 0, 1.0)
    run_directory(tmp_path / "c", "control_cartpole_swingup", 0, 0, 1.0)
    for other in ("b", "c"):
        assert cli.main(["compare", "a", other]) == 2
        error = capsys.readouterr().err
        assert "different tasks" in error and error.count("\n") == 1
    assert cli.main(["compare", "nowhere"]) == 2
    assert cli.main(["plot", "a", "b", "--output", "ab.png"]) == 0
    assert (
        "different tasks on one axis: control_cartpole_swingup, control_cheetah_run"
        in capsys.readouterr().err
    )
