"""Each promise can be broken: the toy keeps it, a variant with one planted fault does not."""

from __future__ import annotations

import dataclasses
import io
import shutil

import jax
import numpy as np
import pytest

from imaginax import registry
from imaginax.runtime import checkpoint, export
from imaginax.runtime.run import Saving, train
from tests.contract import configs, faults, learning, papers, parallel, processes, programs

SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for name, entry in faults.entries().items():
        monkeypatch.setitem(registry.SYSTEMS, name, lambda entry=entry: entry)


def make(name):
    entry = faults.entries()[name]
    return entry.make(entry.preset("tiny", None))


def with_programs(name):
    system = make(name)
    return system, export.programs(system)


def go(name, logdir):
    return train(make(name), logdir=logdir, preset="tiny", stream=io.StringIO(), saving=Saving(every_s=0.0))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Undisturbed runs by name, made when they are asked for."""
    done = {}

    def run(name):
        if name not in done:
            logdir = tmp_path_factory.mktemp(name) / "run"
            go(name, logdir)
            done[name] = logdir, processes.outcome(logdir)
        return done[name]

    return run


def test_a_leaked_callback_is_found():
    assert programs.never_calls_the_host(export.programs(make("toy")))["train_learn"] > 50
    with pytest.raises(AssertionError, match="train_learn calls the host: debug_callback"):
        programs.never_calls_the_host(export.programs(make("toy_leaky")))


def test_a_leaked_callback_cannot_be_exported():
    pytest.importorskip("flatbuffers")
    assert set(programs.exports(*with_programs("toy"))) == {"tpu", "cuda", "cpu"}
    with pytest.raises(Exception, match="calls the host"):
        programs.exports(*with_programs("toy_leaky"))


def test_a_second_trace_is_found():
    system = make("toy_weak")
    system = dataclasses.replace(system, schedule=system.schedule[1:])
    assert programs.traces_once(system) == {"learn": 1}
    with pytest.raises(AssertionError, match="traced more than once: {'learn': 2}"):
        programs.traces_once(system, start=jax.jit(jax.vmap(system.init)))


def test_a_transfer_from_the_host_is_found():
    system = make("toy")

    def start(keys):
        return jax.jit(programs.first_state(system))(keys)._replace(updates=np.zeros(1, np.int32))

    with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
        programs.traces_once(system, start=start)


@SLOW
def test_a_run_without_faults_comes_to_the_same_end(whole, tmp_path):
    found = processes.same_end("toy", whole("toy")[1], tmp_path)
    assert (found["stops"], found["kills"]) == (2, 1)


@SLOW
def test_a_count_that_is_not_saved_is_found(whole, tmp_path):
    with pytest.raises(AssertionError, match="row . differs"):
        processes.same_end("toy_counter", whole("toy_counter")[1], tmp_path)


@SLOW
def test_a_key_of_the_process_is_found(whole, tmp_path):
    with pytest.raises(AssertionError, match="row . differs"):
        processes.same_end("toy_process", whole("toy_process")[1], tmp_path)


@SLOW
def test_a_lost_checkpoint_is_found(whole, tmp_path):
    """The folder is emptied after the kill, as by a run that never saved."""

    def forget(logdir):
        shutil.rmtree(logdir / "checkpoints", ignore_errors=True)
        rows = '{"step": 1, "env_steps": 5}\n' * (processes.UNDER_WAY + 1)
        (logdir / "metrics.jsonl").write_text(rows)

    with pytest.raises(AssertionError, match="chunks are lost"):
        processes.same_end("toy", whole("toy")[1], tmp_path, disturb=forget)


def test_a_loader_that_does_not_look_is_found(whole, tmp_path, monkeypatch):
    found = processes.finds_damage(whole("toy")[0], tmp_path / "copy")
    assert found["flips found"] > 5 and found["cuts found"] > 5
    monkeypatch.setattr(checkpoint, "verify", lambda path: {})
    with pytest.raises(AssertionError, match="not found: flips in "):
        processes.finds_damage(whole("toy")[0], tmp_path / "copy")


def test_lanes_that_share_something_are_found():
    def lanes(name):
        system = make(name)
        return system, jax.jit(programs.first_state(system))(
            jax.random.split(jax.random.key(0), programs.LANES)
        )

    assert programs.lanes_agree(*lanes("toy")) < 1e-6
    with pytest.raises(AssertionError, match="lanes differ"):
        programs.lanes_agree(*lanes("toy_counter"))


@SLOW
def test_an_averaged_gradient_is_found(tmp_path):
    entries = faults.entries()
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    assert set(parallel.keeps_gradients(entries["toy_split"], tmp_path / "good")) == {
        "8 devices",
        "2 processes",
    }
    with pytest.raises(AssertionError, match=r"8 devices': (7.0|6.99)"):
        parallel.keeps_gradients(entries["toy_averaged"], tmp_path / "bad")


def test_a_hidden_nan_is_found(tmp_path, monkeypatch):
    assert learning.stops_at_non_finite(make("toy"), tmp_path / "good") == {"stopped at chunk": 3}
    poisoned = learning.poisoned

    def papered_over(system):
        broken, metric, chunk = poisoned(system)
        schedule = tuple(
            dataclasses.replace(stage, learn=_silenced(stage.learn)) for stage in broken.schedule
        )
        return dataclasses.replace(broken, schedule=schedule), metric, chunk

    monkeypatch.setattr(learning, "poisoned", papered_over)
    with pytest.raises(AssertionError, match="whose loss is NaN came to its end"):
        learning.stops_at_non_finite(make("toy"), tmp_path / "bad")


def _silenced(learn):
    def silent(*given):
        learner, metrics = learn(*given)
        return learner, jax.tree.map(jax.numpy.nan_to_num, metrics)

    return silent


def test_settings_that_fail_later_are_found():
    """The toy does not check its fields: a negative width is only met when its state is made."""
    entry = faults.entries()["toy"]
    assert configs.outcome(entry, ["--fit.rate", "-1"]) == "fit.rate must be positive, got -1.0"
    with pytest.raises(TypeError, match="nonnegative"):
        configs.outcome(entry, ["--width", "-1"])
    with pytest.raises((TypeError, AssertionError)):
        configs.refuses_what_cannot_work(entry)


def test_a_preset_that_is_not_the_papers_is_found():
    entry = registry.entry("pets")
    assert papers.equals_the_page(entry) == {"tables": 4}

    def other(name, env):
        return dataclasses.replace(entry.preset(name, env), trials=entry.preset(name, env).trials + 1)

    with pytest.raises(AssertionError, match="preset paper of pets_cartpole"):
        papers.equals_the_page(entry._replace(preset=other))


def test_a_learner_that_does_not_learn_is_found(tmp_path):
    entries = faults.entries()
    figures = learning.learns(entries["toy"], go("toy", tmp_path / "good"), make("toy"))
    assert figures["untrained"] < figures["reaches"] <= figures["score"]
    with pytest.raises(AssertionError, match="reached -15.*, not -10.0"):
        learning.learns(entries["toy_deaf"], go("toy_deaf", tmp_path / "bad"), make("toy_deaf"))
    easy = entries["toy"]._replace(reaches=-20.0)
    with pytest.raises(AssertionError, match="reached without learning"):
        learning.learns(easy, go("toy", tmp_path / "good"), make("toy"))
