from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from imaginax import cli
from imaginax.runtime import distributed, run
from tests.cli.toy_program import COMMAND, registered


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    registered(monkeypatch, tmp_path)


def test_train_says_what_it_did_and_where_it_is(capsys):
    assert cli.main(["train", "toy", "--seeds", "2", "--fit.rate", "0.2"]) == 0
    out, err = capsys.readouterr()
    logdir = Path("runs/toy-toy_walk-tiny")
    lines = out.splitlines()
    assert [line.split("  ")[0] for line in lines[:5]] == [
        "random 1/1",
        *(f"learn {i}/4" for i in range(1, 5)),
    ]
    assert lines[5].startswith("evaluation return -") and "(seeds: -" in lines[5] and err == ""
    assert lines[6:] == [
        f"  {logdir}/{name}" for name in ("summary.json", "figures/return.png", "media/episode.gif")
    ]
    assert json.loads((logdir / "config.json").read_text())["config"]["fit"]["rate"] == 0.2


def test_the_same_command_goes_on_and_other_settings_are_refused(capsys):
    command = ["train", "toy", "--logdir", "run", "--keep", "1", "--save-every", "0"]
    assert cli.main(command) == 0
    assert os.listdir("run/checkpoints") == ["5"], "--keep 1"
    capsys.readouterr()
    assert cli.main(command) == 0
    assert "learn" not in capsys.readouterr().out, "nothing is left to do"
    assert cli.main([*command, "--chunks", "6", "--fit.rate", "0.5"]) == 2
    err = capsys.readouterr().err
    assert "(config.fit.rate: 0.1 -> 0.5)" in err and "--override-config" in err
    assert cli.main([*command, "--chunks", "6"]) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[:2]] == [
        "learn 5/6",
        "learn 6/6",
    ]


def test_options_reach_the_run(monkeypatch):
    seen = {}
    monkeypatch.setattr(run, "train", lambda system, **options: seen.update(options) or {"status": "stopped"})
    words = [
        "--devices",
        "1",
        "--overlap",
        "--save-every",
        "2.5",
        "--keep",
        "7",
        "--seed",
        "3",
        "--preset",
        "long",
    ]
    assert cli.main(["train", "toy", *words]) == 0
    assert seen == {
        "logdir": Path("runs/toy-toy_walk-long"),
        "seeds": 1,
        "seed": 3,
        "preset": "long",
        "saving": run.Saving(2.5, 7),
        "override_config": False,
        "devices": 1,
        "overlap": True,
    }


@pytest.mark.parametrize("words", [["--processes", "3"], ["--processes=3"]])
def test_processes_are_launched_with_the_same_words(words, monkeypatch):
    seen = []
    monkeypatch.setattr(distributed, "launch", lambda processes, words: seen.append((processes, words)) or 7)
    assert cli.main(["train", *words, "toy", "--devices", "6", "--chunks", "2"]) == 7
    assert seen == [(3, ["train", "toy", "--devices", "6", "--chunks", "2"])]
    assert os.listdir() == []


def test_a_process_that_does_not_lead_prints_nothing(monkeypatch, capsys):
    monkeypatch.setattr(run, "train", lambda system, **options: {"status": "stopped"})
    monkeypatch.setattr(distributed, "is_leader", lambda: False)
    assert cli.main(["train", "toy"]) == 0
    assert capsys.readouterr().out == ""


def test_help_of_a_system_shows_options_and_fields(capsys):
    assert cli.main(["train", "toy", "--help"]) == 0
    out = capsys.readouterr().out
    for text in (
        "--override-config",
        "--processes",
        "A line's slope.",
        "\n  tiny    seconds, on a task",
        "\n  long\n",
        "--fit.rate",
        "gradient steps",
    ):
        assert text in out


def test_a_killed_process_loses_only_what_came_after_its_last_save(tmp_path):
    """SIGKILL at some moment of a long run; the same command with the same settings then goes on."""
    command = [*COMMAND, "train", "toy", "--logdir", "run", "--chunks"]
    with subprocess.Popen([*command, "100000"], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("learn 50/"):
                break
        process.kill()
    assert process.returncode == -9
    more = subprocess.run([*command, "20", "--override-config"], capture_output=True, text=True)
    assert more.returncode == 0, more.stderr
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 22))
