"""A whole run of two processes, stopped, and finished by one process with one device."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from imaginax import cli
from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.run_directory import read_json

WORDS = (
    "train pets --preset tiny --trials 3 --fit.batch_size 128 --fit.epochs 10 --planner.population 64".split()
)


@pytest.mark.slow
def test_two_processes_make_the_run_that_one_makes(tmp_path):
    assert cli.main([*WORDS, "--logdir", str(tmp_path / "one")]) == 0
    logdir = tmp_path / "two"
    several = ["--processes", "2", "--devices", "4", "--save-every", "0", "--logdir", str(logdir)]
    child = subprocess.Popen(
        [sys.executable, "-m", "imaginax.cli", *WORDS, *several],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
    )
    while child.poll() is None and len(_rows(logdir)) < 2:
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert "Traceback" not in err and out.count("stopped and saved") == 1, "only the first process prints"
    rows = _rows(logdir)
    assert 2 <= len(rows) < 4 and read_json(logdir / "summary.json")["status"] == "stopped"
    assert read_json(logdir / "config.json")["device"]["count"] == 4

    assert cli.main([*WORDS, "--logdir", str(logdir)]) == 0
    one, two = (read_json(tmp_path / name / "summary.json") for name in ("one", "two"))
    assert one["env_steps"] == two["env_steps"]
    assert two["return_per_chunk"][0] == pytest.approx(one["return_per_chunk"][0], rel=1e-2)
    assert two["eval_return"] == pytest.approx(one["eval_return"], rel=1e-2)
    assert _rows(logdir)[: len(rows)] == rows, "what two processes logged stays"


def _rows(logdir):
    path = logdir / "metrics.jsonl"
    return read_metrics(path) if path.exists() else []
