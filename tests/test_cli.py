from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import pytest

from imaginax import cli, systems
from imaginax.types import ConfigError
from tests.runtime import toy_system

ROOT = Path(__file__).parents[1]

SCRIPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.runtime import toy_system
from imaginax import cli, systems
systems.SYSTEMS["toy"] = lambda: toy_system.ENTRY
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    """The toy is a registered system, and the working directory is empty."""
    monkeypatch.setitem(systems.SYSTEMS, "toy", lambda: toy_system.ENTRY)
    monkeypatch.chdir(tmp_path)


def test_train_evaluate_and_plot(capsys):
    assert cli.main(["train", "toy", "--seeds", "2", "--fit.rate", "0.2"]) == 0
    out, err = capsys.readouterr()
    logdir = Path("runs/toy-toy_walk-tiny")
    lines = out.splitlines()
    assert [line.split("  ")[0] for line in lines[:5]] == [
        "random 1/1",
        *(f"learn {i}/4" for i in range(1, 5)),
    ]
    assert lines[5].startswith("evaluation return -") and err == ""
    assert lines[6:] == [
        f"  {logdir}/{name}" for name in ("summary.json", "figures/return.png", "media/episode.gif")
    ]
    assert json.loads((logdir / "config.json").read_text())["config"]["fit"]["rate"] == 0.2
    summary = json.loads((logdir / "summary.json").read_text())

    (logdir / "media" / "episode.gif").unlink()
    assert cli.main(["eval", str(logdir), "--episodes", "3"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [len(line.split(",")) for line in out[:2]] == [4, 4], "two episodes at a time"
    first = float(out[0].split()[2].rstrip(","))
    assert first == pytest.approx(summary["eval_return_per_seed"][0], abs=0.06)
    assert (logdir / "media" / "episode.gif").exists()

    assert cli.main(["plot", str(logdir), str(logdir), "--output", "both.png"]) == 0
    assert capsys.readouterr().out == "both.png\n" and iio.imread("both.png").std() > 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["trian"], "invalid choice: 'trian'"),
        (["train"], "which system?"),
        (["train", "tyo"], "unknown system 'tyo'; did you mean toy? known: "),
        (["train", "toy", "--chunk", "3"], "unknown field --chunk; did you mean --chunks?"),
        (["train", "toy", "--preset", "huge"], "unknown preset 'huge' of toy; known: tiny, long"),
        (["train", "toy", "--env", "moon"], "unknown environment 'moon'"),
        (["train", "toy", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
        (["train", "toy", "--seeds", "0"], "seeds must be at least 1"),
        (["train", "toy", "--fit.rate", "fast"], "fit.rate"),
        (["eval", "nowhere"], "nowhere is not a run directory: it has no config.json"),
        (["eval", "nowhere", "--verbose"], "unknown argument --verbose; see imaginax eval --help"),
        (["plot", "nowhere"], "nowhere is not a run directory"),
    ],
)
def test_bad_input_is_one_line_and_two(argv, message, capsys):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith("imaginax: ") and message in err
    assert os.listdir() == []


def test_a_failure_of_the_disk_is_one_line_and_one(capsys):
    Path("file").write_text("")
    assert cli.main(["train", "toy", "--logdir", "file/run"]) == 1
    assert capsys.readouterr().err == "imaginax: cannot write to file/run: Not a directory\n"


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setitem(systems.SYSTEMS, "toy", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", "toy"])


def test_help_of_a_system_shows_options_and_fields(capsys):
    assert cli.main(["train", "toy", "--help"]) == 0
    out = capsys.readouterr().out
    for text in (
        "--override-config",
        "A line's slope.",
        "presets: tiny, long",
        "--fit.rate",
        "gradient steps",
    ):
        assert text in out


def test_list_names_every_system_and_environment(capsys):
    from imaginax import envs

    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "A line's slope." in out and "tiny, long" in out
    assert all(f"  {name}\n" in out for name in envs.names())


def test_the_registry_names_near_matches():
    with pytest.raises(ConfigError, match="unknown system 'pest'; did you mean pets"):
        systems.entry("pest")


def test_help_and_a_mistyped_command_do_not_wait_for_jax():
    code = "import sys; from imaginax.cli import main; main({}); sys.exit('jax' in sys.modules)"
    for argv in (["--help"], ["train", "--help"], ["trian"]):
        done = subprocess.run([sys.executable, "-c", code.format(argv)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "usage: imaginax" in done.stdout or "trian" in done.stderr


def test_a_killed_process_loses_only_what_came_after_its_last_save(tmp_path):
    """SIGKILL at some moment of a long run; the same command with the same settings then goes on."""
    command = [sys.executable, "-c", SCRIPT, "train", "toy", "--logdir", "run", "--chunks"]
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


def test_a_terminated_process_saves_and_exits_with_zero(tmp_path):
    command = [sys.executable, "-c", SCRIPT, "train", "toy", "--logdir", "run", "--chunks", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.terminate()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "stopped and saved; the same command goes on from here" in out and "Traceback" not in err
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "stopped"
