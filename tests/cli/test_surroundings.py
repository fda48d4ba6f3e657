"""What surrounds a run may fail: readers leave, terminals close, disks of logs are full. The run is saved."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from imaginax import cli
from tests.cli.terminals import terminal
from tests.cli.toy_program import COMMAND, registered

TRAIN = [*COMMAND, "train", "toy", "--logdir", "run"]


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    registered(monkeypatch, tmp_path)


def shell(script: str, **environment: str) -> subprocess.CompletedProcess:
    """A line of sh, in which $imaginax is the program."""
    environ = os.environ | {"imaginax": " ".join(COMMAND)} | environment
    return subprocess.run(script, shell=True, capture_output=True, text=True, env=environ, timeout=120)


def status(logdir: str = "run") -> str:
    return json.loads(Path(logdir, "summary.json").read_text())["status"]


def test_a_reader_that_leaves_does_not_end_a_run():
    """`imaginax train toy | head -1`"""
    command = [*TRAIN, "--chunks", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0 and status() == "finished"
    assert err == "imaginax: standard output cannot be written (Broken pipe); going on without it\n"


def test_a_full_device_as_standard_output():
    """Where results are files the run goes on; where printing is all there is to do, it is the failure."""
    done = shell("$imaginax train toy --logdir run >/dev/full")
    assert (done.returncode, status()) == (0, "finished")
    full = "(No space left on device); going on without it\n"
    assert done.stderr == f"imaginax: standard output cannot be written {full}"
    done = shell("$imaginax list >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "imaginax: cannot write standard output: No space left on device\n"


def test_streams_that_are_closed_from_the_start():
    done = shell("$imaginax train toy --logdir run <&- >&- 2>&-")
    assert (done.returncode, status()) == (0, "finished")


def test_a_path_that_standard_output_cannot_print():
    done = shell("$imaginax train toy --logdir 'zwölf $1'", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and status("zwölf $1") == "finished", done.stderr
    assert "  zw\\xf6lf $1/summary.json" in done.stdout


def test_a_terminal_that_is_closed_saves_the_run():
    with terminal([*TRAIN, "--chunks", "100000"], columns=0) as opened:
        opened.read_until("left ")
        opened.hang_up()
        assert opened.finish()[0] == 0
    assert status() == "stopped" and os.listdir("run/checkpoints")


def test_ctrl_c_on_a_terminal_says_what_it_does():
    with terminal([*TRAIN, "--chunks", "100000"], columns=200) as opened:
        opened.read_until("left ")
        opened.type("\x03")
        code, screen = opened.finish()
    assert code == 0 and status() == "stopped"
    assert "Ctrl-C: saving after this chunk; Ctrl-C again stops at once and loses this chunk" in screen
    assert "stopped and saved; the same command goes on from here" in screen


def test_a_title_that_is_no_formula(capsys):
    assert cli.main(["train", "toy", "--logdir", "$x_{1$"]) == 0
    assert cli.main(["plot", "$x_{1$", "$x_{1$", "--title", "$\\frac{1$"]) == 0
    assert capsys.readouterr().out.endswith("return.png\n")
