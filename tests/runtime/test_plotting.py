from __future__ import annotations

import json
import subprocess

import imageio.v3 as iio
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from imaginax.runtime import plotting
from imaginax.runtime.metrics import Logger
from imaginax.runtime.plotting import Curve, learning_curve
from imaginax.runtime.run_directory import RunDirectory, RunError, write_json
from imaginax.types import ConfigError

STEPS = np.arange(1.0, 6.0) * 200


def curve(label="pets", seeds=3, rise=40.0):
    returns = rise * np.arange(5.0)[None] + np.arange(seeds)[:, None]
    return Curve(label, STEPS, returns)


def lines(path, curves, monkeypatch, **options):
    """What is drawn: (label, x, y) of every line, the paths of the bands, and the legend's words."""
    seen = {}

    def keep(figure, path):
        axes = figure.axes[0]
        seen["lines"] = [line.get_data() for line in axes.lines]
        seen["bands"] = [band.get_paths()[0].vertices for band in axes.collections]
        seen["legend"] = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        seen["axes"] = (axes.get_title("left"), axes.get_xlabel(), axes.get_ylabel())
        return path

    monkeypatch.setattr(plotting, "_save", keep)
    learning_curve(path, curves, **options)
    return seen


def test_one_run_shows_its_iqm_its_band_and_its_seeds(tmp_path, monkeypatch):
    ragged = curve()
    ragged.returns[:, 0] = np.nan  # no episode ended in the first chunk
    ragged.returns[1, 2] = np.nan
    seen = lines(tmp_path / "a.png", [ragged], monkeypatch, title="T", xlabel="x")
    assert len(seen["bands"]) == 1 and len(seen["lines"]) == 4
    x, y = seen["lines"][0]
    assert seen["legend"] == ["pets: IQM of 3 seeds, 95% bootstrap interval"]
    np.testing.assert_array_equal(x, STEPS[1:])
    np.testing.assert_allclose(y, [41, 81, 121, 161])
    for seed, (x, y) in enumerate(seen["lines"][1:]):
        np.testing.assert_array_equal(x, STEPS)
        np.testing.assert_array_equal(y, ragged.returns[seed])
    low, high = seen["bands"][0][:, 1].min(), seen["bands"][0][:, 1].max()
    assert 40 <= low < 41 and 161 < high <= 162
    assert seen["axes"] == ("T", "x", "return")


def test_several_runs_show_bands_and_references(tmp_path, monkeypatch):
    curves = [curve("a"), curve("b", seeds=1), curve("c", seeds=2)]
    references = {"published": 180.0, "best": 190.0}
    seen = lines(tmp_path / "a.png", curves, monkeypatch, statistic="mean", references=references)
    assert len(seen["bands"]) == 2
    assert len(seen["lines"]) == len(seen["legend"])
    assert seen["legend"] == [
        "a: mean of 3 seeds, 95% bootstrap interval",
        "b",
        "c: mean of 2 seeds, lowest to highest",
        "published",
        "best",
    ]


def test_a_curve_without_a_label_tells_its_seeds_and_one_seed_needs_no_legend(tmp_path, monkeypatch):
    seen = lines(tmp_path / "a.png", [curve("")], monkeypatch)
    assert seen["legend"] == ["IQM of 3 seeds, 95% bootstrap interval"]
    assert lines(tmp_path / "a.png", [curve("", seeds=1)], monkeypatch)["legend"] == []


@pytest.mark.parametrize(
    "name",
    [
        "cost $5",
        "$x$",
        r"\$a$b\\$",
        "_hidden",
        "100% {of} ^it_",
        "[red]",
        "two\nlines",
        "\x1b[31m",
        "\udcff",
        "",
    ],
)
def test_names_are_shown_as_they_are(tmp_path, monkeypatch, name):
    """Whatever a run, a metric or a reference is called; matplotlib takes `$` for mathematics."""
    saved = []
    save = plotting._save
    monkeypatch.setattr(plotting, "_save", lambda figure, path: saved.append(figure) or save(figure, path))
    curves = [curve(name, seeds=1), curve("b", seeds=1)]
    options = {"title": name, "xlabel": name, "ylabel": name, "references": {name: 3.0}}
    for ending in ("png", "svg"):
        learning_curve(tmp_path / f"a.{ending}", curves, **options)
    (figure, _), shown = saved, name.encode("unicode_escape").decode() if not name.isprintable() else name
    axes, (legend,) = figure.axes[0], figure.legends
    assert [axes.get_title("left"), axes.get_xlabel(), axes.get_ylabel()] == [shown] * 3
    assert [text.get_text() for text in legend.get_texts()] == [word for word in (shown, "b", shown) if word]


def test_very_long_names_keep_both_ends(tmp_path, monkeypatch):
    seen = lines(tmp_path / "a.png", [curve("W" * 500, seeds=2)], monkeypatch, title="x" * 500)
    assert seen["axes"][0] == "x" * 40 + "…" + "x" * 40
    assert seen["legend"][0].startswith("WWW") and seen["legend"][0].endswith("lowest to highest")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1500, "1500"), (20_000, "20k"), (1.5e6, "1.5M"), (-2e9, "-2G"), (0.25, "0.25")],
)
def test_ticks_are_short(value, text):
    assert plotting._short(float(value)) == text


@pytest.mark.parametrize("entries", [1, 9])
def test_nothing_overlaps(tmp_path, monkeypatch, entries):
    """The legend hides no line, and all words are inside the figure, however many there are."""
    found = {}

    def keep(figure, path):
        FigureCanvasAgg(figure).draw()
        boxes = [figure.axes[0].get_tightbbox(), figure.legends[0].get_window_extent()]
        found.update(boxes=boxes, figure=figure.bbox)
        return path

    monkeypatch.setattr(plotting, "_save", keep)
    learning_curve(tmp_path / "a.png", [curve(f"dreamer_v2 on cheetah_run {i}") for i in range(entries)])
    axes, legend = found["boxes"]
    assert axes.y0 >= legend.y1 and axes.height > 250
    for box in (axes, legend):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= found["figure"].x1 and box.y1 <= found["figure"].y1


def test_the_image_is_written_and_pyplot_is_left_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    image = iio.imread(learning_curve(tmp_path / "new" / "a.png", [curve()], title="pets"))
    assert image.shape[:2] == (600, 960) and image[..., :3].std() > 10
    assert dict(mpl.rcParams) == before
    with pytest.raises(RunError, match="cannot write"):
        learning_curve(tmp_path / "new" / "a.png" / "b.png", [curve()])


@pytest.fixture
def run(tmp_path):
    """A run directory with two seeds, in whose first chunk no episode ended."""
    directory = RunDirectory(tmp_path / "run")
    record = {
        "system": "pets",
        "env": "cartpole",
        "preset": "laptop",
        "seeds": 2,
        "seed": 0,
        "config": {"a": 1},
    }
    record |= {"versions": {"jax": "1.2.3"}, "device": {"kind": "cpu"}}
    write_json(directory.config, record)
    with Logger(directory) as logger:
        for step, values in enumerate([[np.nan, np.nan], [1.0, 3.0], [5.0, np.nan]], 1):
            metrics = {"episode_return": np.array(values)} | (
                {"loss": np.array([0.25, 0.5])} if step == 3 else {}
            )
            logger.log(step, 200 * step, float(step), stage="s", metrics=metrics)
    write_json(
        directory.summary,
        {"status": "finished", "wall_s": 9.5, "eval_return": 4.0, "best_return_per_seed": [5.0, 3.0]},
    )
    return directory


def test_a_run_is_read_back(run):
    found = plotting.read_curve(run.path)
    assert found.label == "pets on cartpole"
    np.testing.assert_array_equal(found.env_steps, [400, 600])
    np.testing.assert_array_equal(found.returns, [[1.0, 5.0], [3.0, np.nan]])


def test_another_metric_and_seconds_are_read_by_name(run):
    found = plotting.read_curve(run.path, metric="loss", x="wall_s")
    np.testing.assert_array_equal(found.env_steps, [3.0])
    np.testing.assert_array_equal(found.returns, [[0.25], [0.5]])
    with pytest.raises(ConfigError, match="run holds no value of 'los'; did you mean loss?"):
        plotting.read_curve(run.path, metric="los")


def test_results_have_the_schema_and_come_back(run, tmp_path):
    record = plotting.results_record(run.path, note="x")
    assert set(record) == {*plotting.RESULT_FIELDS, "note"}
    assert record["return_mean"] == [2.0, 5.0] and record["env_steps"] == [400, 600]
    assert record["headline"] == {"eval_return": 4.0, "best_return": 4.0}
    path = plotting.write_results(tmp_path / "results" / "pets" / "cartpole.json", record)
    found = plotting.read_results(path)
    assert found["return_per_seed"] == [[1.0, 5.0], [3.0, None]] and found["config"] == {"a": 1}
    again = plotting.read_curve(path)
    assert again.label == "pets cartpole"
    np.testing.assert_array_equal(again.returns, [[1.0, 5.0], [3.0, np.nan]])
    with pytest.raises(ConfigError, match="has episode_return by env_steps only; name the run directory"):
        plotting.read_curve(path, x="wall_s")


def test_what_is_no_result_is_refused(run, tmp_path):
    record = plotting.results_record(run.path)
    record.pop("commit")
    with pytest.raises(ConfigError, match="is not a result: it lacks commit"):
        plotting.write_results(tmp_path / "a.json", record)
    (tmp_path / "b.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="it lacks commit"):
        plotting.read_curve(tmp_path / "b.json")
    write_json(run.summary, {"status": "stopped"})
    with pytest.raises(ConfigError, match="its status is: stopped"):
        plotting.results_record(run.path)
    with pytest.raises(ConfigError, match="is not a run directory"):
        plotting.read_curve(tmp_path)


def test_commit_tells_changed_code_from_new_results(tmp_path, monkeypatch):
    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )

    for name in ("src/module.py", "results/found.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    monkeypatch.setattr(plotting, "__file__", str(tmp_path / "src" / "module.py"))
    clean = git("rev-parse", "HEAD").stdout.strip()
    (tmp_path / "results" / "found.json").write_text("2")
    assert plotting.commit() == clean
    (tmp_path / "src" / "module.py").write_text("2")
    assert plotting.commit() == f"{clean}-dirty"
    monkeypatch.setattr(plotting, "__file__", str(tmp_path.parent / "elsewhere.py"))
    assert plotting.commit() == "unknown"
