from __future__ import annotations

import numpy as np
import pytest

from imaginax.runtime import plotting
from imaginax.runtime.comparison import read_curves
from imaginax.runtime.metrics import Logger
from imaginax.runtime.run_directory import RunDirectory, write_json
from imaginax.types import ConfigError


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Writes runs of a few chunks whose return is `base` plus the seed."""
    monkeypatch.chdir(tmp_path)

    def run(name, *, seed=0, seeds=1, system="pets", preset="laptop", base=0.0, config=None):
        directory = RunDirectory(tmp_path / name)
        record = {"system": system, "env": "cartpole", "preset": preset, "seeds": seeds, "seed": seed}
        write_json(directory.config, record | {"config": config or {"a": 1}})
        with Logger(directory) as logger:
            for step in (1, 2):
                metrics = {"episode_return": base + step + np.arange(seed, seed + seeds, dtype=float)}
                logger.log(step, 200 * step, 1.0, stage="s", metrics=metrics)
        return name

    return run


def test_labels_tell_runs_apart_with_as_few_words_as_needed(make):
    def labels(*names):
        return [curve.label for curve in read_curves(names)]

    a, b, c = make("x/a"), make("y/a", preset="paper"), make("b", system="planet")
    assert labels(a, c) == ["pets on cartpole", "planet on cartpole"]
    assert labels(a, b) == ["pets on cartpole, laptop", "pets on cartpole, paper"]
    assert labels(a, make("z/d")) == ["a", "d"]
    assert labels(a, make("z/a")) == ["x/a", "z/a"]


def test_runs_that_differ_in_their_seeds_only_become_one(make):
    names = [make("a0", seed=0), make("b", base=50.0, config={"a": 2}), make("a12", seed=1, seeds=2)]
    first, second = read_curves(names, group=True)
    np.testing.assert_array_equal(first.returns, [[1, 2], [2, 3], [3, 4]])
    np.testing.assert_array_equal(second.returns, [[51, 52]])
    assert [first.label, second.label] == ["a0", "b"]
    assert len(read_curves(names)) == 3, "only where it is asked for"


def test_a_seed_is_not_counted_twice(make):
    names = [make("a", seed=0, seeds=3), make("b", seed=2, seeds=2)]
    with pytest.raises(ConfigError, match="a and b cannot be grouped: both hold seed 2"):
        read_curves(names, group=True)
    assert len(read_curves(names)) == 2


def test_results_files_stand_beside_runs(make, tmp_path):
    record = dict.fromkeys(plotting.RESULT_FIELDS) | {"system": "mpc", "env": "cartpole", "seeds": 2}
    record |= {"env_steps": [200, 400], "return_per_seed": [[5.0, 6.0], [7.0, 8.0]]}
    path = plotting.write_results(tmp_path / "cem.json", record)
    for group in (False, True):
        run, result = read_curves([make("a"), path], group=group)
        assert (run.label, result.label) == ("pets on cartpole", "mpc cem")
        np.testing.assert_array_equal(result.returns, [[5, 6], [7, 8]])
