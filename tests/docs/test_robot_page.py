"""docs/ROBOT.md, followed in an empty folder with a shorter training."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

pytest.importorskip("gymnasium")

from imaginax import cli  # noqa: E402
from tests.docs.blocks import DOCS, blocks, missing_links, shortened  # noqa: E402

PAGE = DOCS / "ROBOT.md"
SHORTER = {
    "check-env gym:robot:Servo-v0": "check-env gym:robot:Servo-v0 --no-systems --episodes 2",
    "--trials 4": "--trials 1 --trial_steps 20 --fit.epochs 1",
    "--episodes 5": "--episodes 1",
}


@pytest.mark.slow
def test_the_page_works_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    servo, control = blocks(PAGE, "python")
    (tmp_path / "robot.py").write_text(servo)
    for line in shortened("".join(blocks(PAGE, "bash")), SHORTER).splitlines():
        program, *words = shlex.split(line)
        assert program == "imaginax" and cli.main(words) == 0, line
        if words[0] == "eval" and words[1] == "runs/servo":
            (tmp_path / "control.py").write_text(
                shortened(control, {"steps = agent.step_seconds, 40": "steps = agent.step_seconds, 3"})
            )
            runpy.run_path(str(tmp_path / "control.py"))
    out = capsys.readouterr().out
    assert "no faults" in out and re.search(
        r"return -?[\d.]+ in 3 steps, slowest decision \d+ ms of 50 ms", out
    )
    assert json.loads((tmp_path / "servo_agent/config.json").read_text())["env"] == "gym:robot:Servo-v0"
    sys.modules.pop("robot", None)


def test_links_lead_somewhere():
    assert not missing_links(PAGE)


def test_latencies_are_those_that_were_measured():
    """Every row of the table is a row of results/benchmarks/act_latency.json."""
    result = json.loads((DOCS.parent / "results/benchmarks/act_latency.json").read_text())
    rows = re.findall(
        r"^\| (\w+), `(\w+)`, `(\w+)` \|.*?\| ([\d.]+) s \| ([\d.]+) \| ([\d.]+) \|$", PAGE.read_text(), re.M
    )
    measured = [(row["system"], row["preset"], row["env"], *_told(row)) for row in result["rows"]]
    assert rows == measured
    assert Path(PAGE).read_text().count(result["processor"]) == 1


def _told(row):
    return f"{row['first_ms'] / 1000:.1f}", f"{row['median_ms']:.3g}", f"{row['p95_ms']:.3g}"
