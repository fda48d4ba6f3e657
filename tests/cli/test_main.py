"""What holds for every command: exit codes, one-line complaints, help at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imaginax import cli, registry
from imaginax.types import ConfigError
from tests.cli.terminals import terminal
from tests.cli.toy_program import COMMAND, registered

COMMANDS = ("train", "list", "eval", "play", "plot", "export", "bench")


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    registered(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["trian"], "invalid choice: 'trian'"),
        (["train"], "which system?"),
        (["train", "tyo"], "unknown system 'tyo'; did you mean toy? known: "),
        (["train", "toy", "--chunk", "3"], "unknown field --chunk; did you mean --chunks?"),
        (["train", "toy", "--preset", "huge"], "unknown preset 'huge' of toy; known: tiny, long"),
        (["train", "toy", "--env", "moon"], "unknown environment 'moon'"),
        (["train", "toy", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
        (["train", "toy", "--seeds", "0"], "seeds must be at least 1"),
        (["train", "toy", "--fit.rate", "fast"], "fit.rate"),
        (["train", "toy", "--devices", "0"], "argument --devices: must be at least 1, got 0"),
        (["train", "toy", "--processes", "two"], "argument --processes: invalid int value: 'two'"),
        (["train", "toy", "--keep", "0"], "argument --keep: must be at least 1"),
        (["train", "toy", "--save-every", "-1"], "argument --save-every: must be a number of seconds"),
        (["train", "toy", "--processes", "2", "--chunk", "3"], "unknown field --chunk"),
        (["list", "toys"], "unknown argument toys; see imaginax list --help"),
        (["eval", "nowhere"], "nowhere is not a run directory: it has no config.json"),
        (["eval", "nowhere", "--verbose"], "unknown argument --verbose; see imaginax eval --help"),
        (["eval", "nowhere", "--episodes", "0"], "argument --episodes: must be at least 1, got 0"),
        (["play", "nowhere"], "nowhere is not a run directory"),
        (["play", "nowhere", "--output", "a.mp4"], "must end in .gif or .png, got a.mp4"),
        (["play", "nowhere", "--protocol", "fax"], "argument --protocol: invalid choice: 'fax'"),
        (["plot", "nowhere"], "nowhere is not a run directory"),
        (["plot", "nowhere", "--reference", "best"], "argument --reference: 'best' is not NAME=VALUE"),
        (["plot", "nowhere", "--reference", "best=nan"], "'best=nan' is not NAME=VALUE"),
        (["bench", "tyo"], "unknown system 'tyo'"),
        (["bench", "toy", "--preset", "huge"], "unknown preset 'huge' of toy"),
    ],
)
def test_bad_input_is_one_line_and_two(argv, message, capsys):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith("imaginax: ") and message in err
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("words", "columns", "message"),
    [
        (["--chunk", "3"], 40, "unknown field --chunk; did you mean --chunks?"),
        (["--chunks", "three"], 80, "--chunks: invalid literal"),
        (["--fit.kind", "cubic"], 200, "invalid choice 'cubic' for argument '--fit.kind'"),
    ],
)
def test_a_mistyped_field_is_one_line_on_a_terminal(words, columns, message):
    with terminal([*COMMAND, "train", "toy", *words], columns=columns, FORCE_COLOR="1") as opened:
        code, screen = opened.finish()
    assert code == 2 and len(screen.splitlines()) == 1, screen
    assert screen.startswith("imaginax: ") and message in screen
    assert os.listdir() == []


def test_a_failure_of_the_disk_is_one_line_and_one(capsys):
    Path("file").write_text("")
    assert cli.main(["train", "toy", "--logdir", "file/run"]) == 1
    assert capsys.readouterr().err == "imaginax: cannot write to file/run: Not a directory\n"


def test_a_run_that_fails_is_one_line_and_one(capsys):
    assert cli.main(["train", "toy", "--broken_at", "15"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(r"imaginax: loss is not finite in learn \d/4 \(lane 0\)\n", err), err


def test_an_interruption_with_nothing_to_save_is_130(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setitem(registry.SYSTEMS, "toy", interrupt)
    assert cli.main(["train", "toy"]) == 130
    assert capsys.readouterr().err == "imaginax: interrupted\n"


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setitem(registry.SYSTEMS, "toy", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", "toy"])


def test_a_reader_that_stops_reading_is_no_failure():
    """`imaginax list | head -0`"""
    with subprocess.Popen([*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0 and err == b""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_itself_by_examples_that_parse(command, capsys):
    assert cli.main([command, "--help"]) == 0
    out = capsys.readouterr().out
    examples = re.findall(r"^  imaginax (.*?)(?:  .*)?$", out, re.MULTILINE)
    assert len(examples) >= 2
    parser = cli._parser()
    for example in examples:
        words = re.findall(r'"[^"]*"|\S+', example)
        options, rest = parser.parse_known_args([word.strip('"') for word in words])
        assert command == "train" or not rest, example


def test_help_names_every_command_and_exit_code(capsys):
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command} ", out, re.MULTILINE), command
    assert re.findall(r"^  (\d+) ", out, re.MULTILINE) == ["0", "1", "2", "130"]


def test_help_and_a_mistyped_word_do_not_wait_for_jax():
    """Everything before the last line is what `imaginax` itself does; numpy is as heavy as it may get."""
    code = "import sys; from imaginax.cli import main; main({}); sys.exit('jax' in sys.modules)"
    for argv in (["--help"], ["train", "--help"], ["play", "--help"], ["trian"], ["bench", "--repeats", "x"]):
        done = subprocess.run([sys.executable, "-c", code.format(argv)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "usage: imaginax" in done.stdout or "see imaginax" in done.stderr


def test_the_package_is_a_program():
    done = subprocess.run([sys.executable, "-m", "imaginax.cli", "trian"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("imaginax: argument COMMAND: invalid choice")


def test_the_registry_names_near_matches():
    with pytest.raises(ConfigError, match="unknown system 'pest'; did you mean pets"):
        registry.entry("pest")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_is_saved_and_zero(number):
    command = [*COMMAND, "train", "toy", "--logdir", "run", "--chunks", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "saving after this chunk; Ctrl-C again" in err
    assert "stopped and saved; the same command goes on from here" in out and "Traceback" not in err
    assert '"status": "stopped"' in Path("run/summary.json").read_text()
