from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import time

import imageio.v3 as iio
import jax
import numpy as np
import pytest

from imaginax.runtime import checkpoint, messages, report, run
from imaginax.runtime.loop import first_state, make_chunk
from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.run import NonFinite, Saving, train
from imaginax.runtime.run_directory import RunError, read_json, read_run
from imaginax.types import ConfigError
from tests.runtime import toy_system
from tests.runtime.toy_system import FitConfig, ToyConfig

LAST = 5  # chunks of the toy: one random, four of learning


class Killer(io.StringIO):
    """A stream that signals the process when a certain line is printed."""

    def __init__(self, line: str, number: int):
        super().__init__()
        self.line, self.number = line, number

    def write(self, text):
        if text.startswith(self.line):
            os.kill(os.getpid(), self.number)
        return super().write(text)


def go(logdir, *, chunks=4, stream=None, **options):
    system = toy_system.make(options.pop("config", ToyConfig(chunks=chunks)))
    return train(system, logdir=logdir, stream=stream or io.StringIO(), preset="tiny", **options)


def rows(logdir):
    return [{**row, "wall_s": None} for row in read_metrics(logdir / "metrics.jsonl")]


def last_arrays(logdir, step=LAST):
    """Every byte of the newest checkpoint's state, by file."""
    path = logdir / "checkpoints" / str(step)
    checkpoint.verify(path)
    files = (file for file in (path / "state").rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One run that nothing disturbed."""
    logdir = tmp_path_factory.mktemp("whole") / "run"
    return logdir, go(logdir)


def test_every_chunk_learns_and_then_acts(whole):
    logdir, summary = whole
    table = rows(logdir)
    assert [row["step"] for row in table] == [1, 2, 3, 4, 5]
    assert [row["stage"] for row in table] == ["random"] + ["learn"] * 4
    assert [row["env_steps"] for row in table] == [5, 10, 15, 20, 25]
    assert "loss" not in table[0], "a chunk without an update has no metrics of learning"
    for row in table[1:]:  # an episode is five steps of reward -|w - 3|
        assert row["episode_return"] == pytest.approx(-5 * abs(row["weight"] - 3), rel=1e-5)
    assert summary["return_per_chunk"] == [[row["episode_return"] for row in table]]


def test_steps_are_counted_beyond_32_bits(tmp_path):
    """2^30 steps of the environment a decision, five decisions a chunk; also by a run that goes on."""

    def held(state, action, key):
        state, timestep = vector.step(state, action, key)
        return state, timestep._replace(steps=timestep.steps * 2**30)

    for chunks in (1, 3):
        system = toy_system.make(ToyConfig(chunks=chunks))
        vector = system.environment
        system = dataclasses.replace(system, environment=vector._replace(step=held))
        summary = train(system, logdir=tmp_path, stream=io.StringIO(), override_config=True)
    counted = [5 * 2**30 * chunk for chunk in (1, 2, 3, 4)]
    assert [row["env_steps"] for row in rows(tmp_path)] == counted == summary["env_steps_per_chunk"]
    assert summary["env_steps"] == 20 * 2**30


def test_the_summary_and_the_files(whole):
    logdir, summary = whole
    assert read_json(logdir / "summary.json") == json.loads(json.dumps(summary))
    assert summary["status"] == "finished" and summary["env_steps"] == 25
    assert (summary["system"], summary["env"], summary["preset"]) == ("toy", "toy_walk", "tiny")
    weight = rows(logdir)[-1]["weight"]
    assert summary["eval_return"] == pytest.approx(-5 * abs(weight - 3), abs=0.011)
    assert summary["best_return_per_seed"] == [max(summary["return_per_chunk"][0])]
    assert summary["steps_per_s"] == pytest.approx(25 / summary["wall_s"])
    frames = iio.imread(logdir / "media" / "episode.gif")
    assert frames.shape == (5, 8, 12, 3)
    assert [int(frame.max()) for frame in frames] == [0, 40, 80, 120, 160]
    assert iio.imread(logdir / "figures" / "return.png").std() > 1


@pytest.mark.parametrize("line", ["random 1/1", "learn 2/4"])
def test_a_terminated_run_goes_on_bit_for_bit(whole, tmp_path, line):
    stopped = go(tmp_path, stream=Killer(line, signal.SIGTERM))
    assert stopped["status"] == "stopped" and stopped["eval_return"] is None
    assert len(rows(tmp_path)) == {"random 1/1": 1, "learn 2/4": 3}[line]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    summary = go(tmp_path)
    assert rows(tmp_path) == rows(whole[0])
    assert last_arrays(tmp_path) == last_arrays(whole[0])
    assert summary["eval_return_per_seed"] == whole[1]["eval_return_per_seed"]
    assert summary["return_per_chunk"] == whole[1]["return_per_chunk"]


def test_a_crash_loses_only_what_came_after_the_last_save(whole, tmp_path):
    """Rows after the checkpoint are made again, also where one was cut in the middle."""
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, stream=_TwiceInterrupted("learn 3/4"))
    assert checkpoint.steps(tmp_path / "checkpoints") == [1] and len(rows(tmp_path)) == 4
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "env_')
    go(tmp_path)
    assert rows(tmp_path) == rows(whole[0]) and last_arrays(tmp_path) == last_arrays(whole[0])


class _TwiceInterrupted(Killer):
    """Ctrl-C, and Ctrl-C again by an impatient user."""

    def __init__(self, line):
        super().__init__(line, signal.SIGINT)

    def write(self, text):
        super().write(text)
        if text.startswith(self.line):
            time.sleep(0.6)  # sooner would be the same signal
        return super().write(text)


def test_a_damaged_checkpoint_is_skipped_by_name(whole, tmp_path, capsys):
    go(tmp_path, saving=Saving(every_s=0.0, keep=3))
    assert checkpoint.steps(tmp_path / "checkpoints") == [5, 4, 3]
    index = tmp_path / "checkpoints" / "5" / "index.json"
    index.write_text(index.read_text().replace("wall_s", "walls_"))
    go(tmp_path)
    assert (
        "skipped: checkpoint" in (message := capsys.readouterr().err) and "index.json is changed" in message
    )
    assert rows(tmp_path) == rows(whole[0]) and last_arrays(tmp_path) == last_arrays(whole[0])


def test_a_finished_run_is_evaluated_again(whole):
    logdir, summary = whole
    again = go(logdir)
    assert again["eval_return_per_seed"] == summary["eval_return_per_seed"]
    assert again["wall_s"] == pytest.approx(summary["wall_s"], abs=0.5)


def test_lanes_agree_with_single_runs(whole, tmp_path):
    summary = go(tmp_path, seeds=3, seed=0)
    lanes = [row["per_seed"] for row in rows(tmp_path)]
    for row, lane in zip(rows(whole[0]), lanes, strict=True):
        for name, values in lane.items():
            assert values[0] == pytest.approx(row[name], rel=1e-5)
    assert len({values["weight"][1] for values in lanes[1:]}) == 4
    assert len(summary["eval_return_per_seed"]) == len(summary["return_per_chunk"]) == 3
    assert summary["eval_return_per_seed"][0] == pytest.approx(whole[1]["eval_return_per_seed"][0], rel=1e-5)
    assert summary["steps_per_s"] == pytest.approx(75 / summary["wall_s"])
    one, _ = run.lane_keys({"seed": 2, "seeds": 1})
    many, _ = run.lane_keys({"seed": 0, "seeds": 3})
    assert (jax.random.key_data(one[0]) == jax.random.key_data(many[2])).all()


def test_a_metric_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(NonFinite, match=r"loss is not finite in learn 3/4 \(lane 0\)"):
        go(tmp_path, config=ToyConfig(broken_at=15), saving=Saving(every_s=0.0))
    assert checkpoint.steps(tmp_path / "checkpoints") == [3, 2]
    assert rows(tmp_path)[-1]["loss"] is None
    summary = read_json(tmp_path / "summary.json")
    assert summary["status"].startswith("loss is not finite") and summary["eval_return"] is None


def test_other_settings_are_refused_with_the_difference(whole, tmp_path):
    go(tmp_path)
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(ConfigError, match=r"seeds: 1 -> 2; config.fit.rate: 0.1 -> 0.2\).*--override-config"):
        go(tmp_path, seeds=2, config=ToyConfig(fit=FitConfig(rate=0.2)))
    assert (tmp_path / "config.json").read_text() == before
    other = go(tmp_path, config=ToyConfig(chunks=6, fit=FitConfig(rate=0.2)), override_config=True)
    assert other["env_steps"] == 35 and read_json(tmp_path / "config.json")["config"]["chunks"] == 6
    assert rows(tmp_path)[:5] == rows(whole[0])
    with pytest.raises(RunError, match=r"checkpoint .* is of another state: .*room is float32\[1, 3, 0, 2\]"):
        go(tmp_path, config=ToyConfig(chunks=9, width=4), override_config=True)


@pytest.mark.parametrize("stopped", [None, "learn 2/4"])
def test_a_longer_run_goes_on_as_if_it_had_been_long_from_the_start(tmp_path, capsys, stopped):
    """Finished or stopped, it joins its own rows, curve and state, bit for bit."""
    asked = go(tmp_path / "long", chunks=7)
    first = go(tmp_path / "run", stream=Killer(stopped, signal.SIGTERM) if stopped else None)
    assert first["status"] == ("stopped" if stopped else "finished")
    capsys.readouterr()
    grown = go(tmp_path / "run", chunks=7)
    assert capsys.readouterr().err == "goes on with chunks 4 -> 7\n"
    assert rows(tmp_path / "run") == rows(tmp_path / "long")
    assert last_arrays(tmp_path / "run", 8) == last_arrays(tmp_path / "long", 8)
    for name in ("return_per_chunk", "env_steps_per_chunk", "eval_return_per_seed", "env_steps"):
        assert grown[name] == asked[name]
    assert read_json(tmp_path / "run" / "config.json")["config"]["chunks"] == 7
    again = go(tmp_path / "run", chunks=7)
    assert again["eval_return_per_seed"] == grown["eval_return_per_seed"]
    assert "this run is finished, and is evaluated again: more chunks would go on" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"holds a run of chunks 7 already, which cannot become one of 4"):
        go(tmp_path / "run")


def test_a_logdir_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write to .*/file/run: Not a directory"):
        go(tmp_path / "file" / "run")


def test_pictures_may_fail_and_the_run_may_not(tmp_path, capsys, monkeypatch):
    """What stands where folders should be, and an encoder with a fault of its own."""
    (tmp_path / "figures").write_text("")
    (tmp_path / "tensorboard").write_text("")
    monkeypatch.setattr(report, "write_gif", lambda *_, **__: 1 / 0)
    summary = go(tmp_path)
    assert summary["status"] == "finished" and read_json(tmp_path / "summary.json")["env_steps"] == 25
    events, curve, gif = capsys.readouterr().err.splitlines()
    assert events == "no more events for TensorBoard: File exists"
    assert curve.startswith("no figures/return.png: cannot write ")
    assert gif == "no media/episode.gif: division by zero"
    assert len(rows(tmp_path)) == LAST


def test_a_summary_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(RunError, match="cannot write .*summary.json: Is a directory"):
        go(tmp_path)


def test_a_cache_that_cannot_be_written_is_reported_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "enable_cache", lambda: None)
    assert go(tmp_path)["status"] == "finished"
    assert "compiled programs are not kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("unsaved", "evaluating", "line"),
    [
        (0, False, "saving after this chunk; Ctrl-C again stops at once and loses this chunk"),
        (6, False, "stops at once and loses this chunk and the 6 before it since the last save"),
        (0, True, "all is saved, the evaluation is finished first; Ctrl-C again stops at once and loses the"),
    ],
)
def test_ctrl_c_says_what_a_second_one_loses(unsaved, evaluating, line):
    assert line in messages.interruption("SIGINT", unsaved, evaluating)


def test_a_checkpoint_that_cannot_be_written_stops_the_run(tmp_path):
    go(tmp_path, stream=Killer("learn 2/4", signal.SIGTERM))
    (tmp_path / "checkpoints" / ".writing-5").write_text("in the way, and not a folder")
    with pytest.raises(RunError, match="cannot write checkpoint .*/5"):
        go(tmp_path)
    assert checkpoint.steps(tmp_path / "checkpoints")[0] == 3
    checkpoint.verify(tmp_path / "checkpoints" / "3")


@pytest.mark.parametrize("options", [{"seeds": 0}, {"seed": -1}])
def test_impossible_seeds(options, tmp_path):
    with pytest.raises(ConfigError, match="seeds must be at least 1 and seed not negative"):
        go(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_snapshots_keep_the_learner_as_it_was(tmp_path):
    saving = Saving(every_s=1e9, keep=1, snapshots=2)
    stopped = go(tmp_path, stream=Killer("learn 2/4", signal.SIGTERM), saving=saving)
    assert stopped["status"] == "stopped"
    go(tmp_path, saving=saving)
    system, (directory, record) = toy_system.make(ToyConfig()), read_run(tmp_path)
    kept = run.snapshots(system, directory, record)
    assert [one.step for one in kept] == [2, 4]
    assert [one.progress["env_steps"] for one in kept] == [10, 20]
    state = jax.jit(first_state(system))(run.lane_keys(record)[0])
    chunks = [jax.jit(jax.vmap(make_chunk(system, stage), in_axes=(0, None))) for stage in system.schedule]
    state, _ = chunks[0](state, 0)
    for index in range(3):
        state, _ = chunks[1](state, index)
        if index in (0, 2):
            assert np.array_equal(kept[index // 2].state.w, state.learner.w)
