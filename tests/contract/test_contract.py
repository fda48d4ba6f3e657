"""Every registered system keeps every promise; docs/PROMISES.md says what each of them means."""

from __future__ import annotations

import os

import jax
import pytest

from imaginax.runtime import run
from imaginax.runtime.run_directory import read_json, read_run
from tests.contract import configs, host, learning, papers, parallel, processes, programs

KILLS = int(os.environ.get("IMAGINAX_KILLS", 1))  # of each system
SLOW = pytest.mark.slow


def test_1_programs_call_no_host(compiled_programs, figures):
    figures("1 no call of the host", programs.never_calls_the_host(compiled_programs))


@SLOW
def test_5_programs_export(system, compiled_programs, figures):
    pytest.importorskip("flatbuffers")
    figures("5 exported bytes", programs.exports(system, compiled_programs))


def test_1_programs_are_traced_once(system, figures):
    figures("1 traces", programs.traces_once(system))


@SLOW
def test_2_3_6_a_disturbed_run_comes_to_the_same_end(name, trained, tmp_path, figures):
    figures("2, 3, 6 the same end", processes.same_end(name, trained[1], tmp_path, kills=KILLS))


def test_3_lanes_agree_with_single_runs(entry, trained, figures):
    system = parallel.system_of(entry, 10)
    directory, record = read_run(trained[0])
    state = run.reload(system, directory, record).state
    other = jax.tree.map(lambda x: x, state)._replace(learner=_fresh_learner(system))
    lanes = jax.tree.map(lambda a, b: jax.numpy.concatenate([a, b]), state, other)
    figures("3 lanes", {"relative difference": programs.lanes_agree(system, lanes)})


def _fresh_learner(system):
    return jax.jit(programs.first_state(system))(jax.random.split(jax.random.key(1), 1)).learner


@SLOW
def test_4_devices_and_processes_compute_the_same_gradients(entry, tmp_path, figures):
    figures("4 relative difference", parallel.keeps_gradients(entry, tmp_path))


@SLOW
def test_6_a_metric_that_is_not_finite_stops_the_run(system, tmp_path, figures):
    figures("6 not finite", learning.stops_at_non_finite(system, tmp_path / "run"))


def test_6_damaged_checkpoints_are_found(trained, tmp_path, figures):
    figures("6 damaged checkpoints", processes.finds_damage(trained[0], tmp_path / "copy"))


@SLOW
def test_2_a_finished_run_is_made_longer(entry, trained, tmp_path, figures):
    figures("2 made longer", processes.is_made_longer(entry, trained[0], tmp_path / "run"))


def test_7_impossible_settings_are_refused(entry, figures):
    figures("7 settings", configs.refuses_what_cannot_work(entry))


def test_8_published_settings_are_the_preset(entry, figures):
    figures("8 published settings", papers.equals_the_page(entry))


def test_9_it_learns(entry, system, trained, figures):
    found = learning.learns(entry, read_json(trained[0] / "summary.json"), system)
    best = learning.optimum(system.environment.spec.name)
    assert entry.reaches < best, f"nothing reaches {entry.reaches}: the optimum is {best:.3f}"
    figures("9 learns", found | {"optimum": best})


def test_10_it_acts_outside_of_jax_or_says_that_it_cannot(entry, tmp_path, capsys, monkeypatch, figures):
    pytest.importorskip("gymnasium")
    figures("10 outside of JAX", host.trains_or_refuses(entry, tmp_path, capsys, monkeypatch))
