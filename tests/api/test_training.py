"""`imaginax.train` reads settings as the command line does, and its tables are what the run logged."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import imaginax
from imaginax import registry
from imaginax.api.training import configured
from imaginax.learning.config import EnsembleFitConfig
from imaginax.models.gp.config import GPConfig
from tests.runtime import toy_system


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setitem(registry.SYSTEMS, "toy", lambda: toy_system.ENTRY)
    monkeypatch.chdir(tmp_path)


def test_importing_the_package_imports_no_jax():
    program = "import imaginax, sys; imaginax.ConfigError; assert not {'jax', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_names_are_attribute_errors():
    assert set(imaginax.__all__) <= set(dir(imaginax))
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = imaginax.trian


def test_fields_are_those_of_the_command_line():
    entry = registry.entry("pets")
    config = configured(
        entry,
        entry.preset("laptop", None),
        {"trials": np.int64(3), "fit": {"epochs": 2}, "model": {"hidden": (8, 8), "weight_decay": (0, 0, 0)}},
    )
    assert config.trials == 3 and config.fit.epochs == 2 and config.model.hidden == (8, 8)
    assert config.fit.learning_rate == entry.preset("laptop", None).fit.learning_rate
    whole = configured(entry, config, {"fit": EnsembleFitConfig(epochs=9)})
    assert whole.fit == EnsembleFitConfig(epochs=9)
    assert isinstance(configured(entry, config, {"model": "gp"}).model, GPConfig)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trails": 3}, "unknown field config.trails; did you mean trials"),
        ({"fit": {"epoch": 3}}, "unknown field config.fit.epoch; did you mean epochs"),
        ({"trials": "many"}, "config.trials must be int"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"model": "gpp"}, "model must be one of ensemble, gp"),
    ],
)
def test_bad_settings_are_one_line(fields, message):
    with pytest.raises(imaginax.ConfigError, match=message):
        imaginax.train("pets", **fields)


def test_a_run_tells_of_every_chunk_and_goes_on(toy, capsys):
    reports = []
    run = imaginax.train("toy", seeds=2, chunks=3, logdir="run", on_chunk=reports.append, quiet=True)
    assert capsys.readouterr().out == ""
    assert [report.env_steps for report in reports] == [5, 10, 15, 20]
    assert not reports[0].metrics and reports[1].metrics["loss"].shape == (2,)
    table = run.metrics()
    np.testing.assert_array_equal(table["env_steps"], [5, 10, 15, 20])
    assert table["stage"].tolist() == ["random", "learn", "learn", "learn"] and np.isnan(table["loss"][0])
    seeds = imaginax.read_metrics(run, per_seed=True)["loss"]
    assert seeds.shape == (4, 2)
    np.testing.assert_allclose(seeds[1:].mean(1), table["loss"][1:], rtol=1e-6)
    assert run.summary["status"] == "finished"
    longer = imaginax.train("toy", seeds=2, chunks=5, logdir="run")
    assert "learn 5/5" in capsys.readouterr().out and longer.summary["env_steps"] == 30
    score = imaginax.evaluate(run, 4)
    assert score.returns.shape == (2, 4) and score.interval[0] <= score.mean <= score.interval[1]
    with pytest.raises(imaginax.ConfigError, match="episodes must be at least 1"):
        imaginax.evaluate(run, 0)


def test_what_a_callback_raises_ends_the_run(toy):
    def stop(report):
        raise KeyError(report.stage)

    with pytest.raises(KeyError, match="random"):
        imaginax.train("toy", logdir="run", on_chunk=stop, quiet=True)


def test_the_default_directory_is_that_of_the_command(toy):
    assert str(imaginax.train("toy", quiet=True).path) == "runs/toy-toy_walk-tiny"
    with pytest.raises(imaginax.ConfigError, match="unknown preset 'tny' of toy; did you mean tiny"):
        imaginax.train("toy", preset="tny")
