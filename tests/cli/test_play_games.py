from __future__ import annotations

import io
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import imageio.v3 as iio
import pytest

from imaginax import cli
from imaginax.cli.play import agent
from imaginax.cli.play.games import animated
from tests.cli import toy_game

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def trained(monkeypatch, tmp_path, capsys):
    """A run of the toy on tic-tac-toe in the working directory."""
    toy_game.registered(monkeypatch, tmp_path)
    assert cli.main(["train", "toy_game", "--logdir", "run"]) == 0
    capsys.readouterr()


def says(monkeypatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_whole_games_are_played_printed_and_drawn(trained, capsys):
    assert cli.main(["play", "run", "--steps", "--output", "game.gif"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["game 1: first player wins after 7 moves", "  c3 b3 a3 c2 b2 a2 c1", "  game.gif"]
    assert len(iio.imread("game.gif")) >= 8

    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}
    command = ["play", "run", "--opponent", "perfect", "--episodes", "2", "--colour", "second"]
    assert cli.main([*command, "--output", "strip.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("the run is second") and lines[1].endswith("the run is first")
    assert {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")} == before
    assert "second player wins" in lines[1] or "drawn" in lines[1]
    assert iio.imread("strip.png").ndim == 3

    assert cli.main(["play", "run", "--protocol", "svg"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "  run/media/game.svg"
    frames = ElementTree.parse("run/media/game.svg").getroot().findall(f"{SVG}g")
    assert len(frames) == 8 + 2 and all(frame.find(f"{SVG}svg") is not None for frame in frames)


def test_an_animated_picture_shows_one_frame_at_a_time():
    pictures = [f'<?xml version="1.0"?><svg width="3" height="4"><g id="{name}"/></svg>' for name in "abc"]
    root = ElementTree.fromstring(animated(pictures, seconds=0.5))
    assert root.get("width") == "3" and root.get("height") == "4"
    moments = [0.1, 0.5, 0.9]  # of the whole time
    for index, frame in enumerate(root):
        animation = frame.find(f"{SVG}animate")
        assert animation.get("dur") == "1.5s" and animation.get("calcMode") == "discrete"
        times = [float(word) for word in animation.get("keyTimes").split(";")]
        values = animation.get("values").split(";")
        assert times[0] == 0 and len(times) == len(values)
        shown = [values[sum(time <= moment for time in times) - 1] for moment in moments]
        assert shown == ["inline" if index == i else "none" for i in range(3)]


def test_a_human_plays_in_a_pipe(trained, capsys, monkeypatch):
    says(monkeypatch, "hint\nx9\nc3\na1\nundo\nundo\nundo\na1\nb1\nmoves\nboard\n\nc1\n")
    assert cli.main(["play", "run", "--human"]) == 0
    out = capsys.readouterr().out
    for told in (
        "you are the first player",
        "try c3; it expects 0.41 for you",
        "'x9' is not a move",
        "it plays b3 and expects 0.41",
        "there is no move of yours to take back",
        "a2 b2 c2 a3\n",
        "you win after 5 moves",
    ):
        assert told in out, told

    says(monkeypatch, "c1\nquit\na1\n")
    assert cli.main(["play", "run", "--protocol", "human", "--colour", "second", "--simulations", "5"]) == 0
    out = capsys.readouterr().out
    assert out.index("it plays c3 and expects 0.3") < out.index("> c1") and "> a1" not in out
    says(monkeypatch, "")
    assert cli.main(["play", "run", "--human"]) == 0


@pytest.mark.parametrize(
    ("colour", "game", "seat"),
    [
        (None, "chess", 0),
        ("second", "go_9x9", 1),
        ("white", "chess", 0),
        ("black", "gardner_chess", 1),
        ("black", "go_9x9", 0),
        ("white", "connect_four", 1),
        ("white", "shogi", 1),
    ],
)
def test_black_begins_except_in_chess(colour, game, seat):
    assert agent.seat(colour, game) == seat


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--protocol", "gtp"], "protocol gtp is for Go, and this run plays tic_tac_toe"),
        (["--protocol", "uci"], "protocol uci is for chess, gardner_chess, animal_shogi, shogi, and this"),
        (["--protocol", "svg", "--output", "x.gif"], "argument --output: must end in .svg, got x.gif"),
        (["--human", "--output", "x.gif"], "argument --output: must be absent with human, got x.gif"),
        (["--opponent", "nobody"], "unknown opponent 'nobody'"),
        (["--lane", "1"], "lane must be between 0 and 0, got 1"),
        (["--simulations", "0"], "argument --simulations: must be at least 1, got 0"),
        (["--temperature", "-1"], "argument --temperature: must be a number, not negative, got -1"),
    ],
)
def test_usage(trained, capsys, words, complaint):
    assert cli.main(["play", "run", *words]) == 2
    heard = capsys.readouterr()
    assert heard.err.startswith(f"imaginax: {complaint}") and heard.err.count("\n") == 1 and not heard.out


def test_systems_without_a_player_play_no_protocol(monkeypatch, tmp_path, capsys):
    from tests.cli import toy_program

    toy_program.registered(monkeypatch, tmp_path)
    assert cli.main(["train", "toy", "--logdir", "run"]) == 0
    capsys.readouterr()
    for protocol in ("gtp", "uci", "svg", "human"):
        assert cli.main(["play", "run", "--protocol", protocol]) == 2
        assert capsys.readouterr().err.startswith("imaginax: system toy plays no board game")


@pytest.mark.slow
def test_gtp_from_the_command_line(monkeypatch, tmp_path):
    """Nothing but the protocol on standard output, from a process of its own."""
    toy_game.registered(monkeypatch, tmp_path)
    assert cli.main(["train", "toy_game", "--env", "go_5x5", "--logdir", "run"]) == 0
    command = [*toy_game.COMMAND, "play", "run", "--protocol", "gtp", "--resign", "0.42"]
    talk = "name\n1 genmove b\nkomi 6.5\n2 genmove w\nshow\n\n3 final_score\n"
    done = subprocess.run(command, input=talk, capture_output=True, text=True, timeout=300)
    answers = done.stdout.split("\n\n")
    assert done.returncode == 0, done.stderr
    assert answers[:2] == ["= imaginax toy_game", "=1 resign"], "it expects 0.41"
    assert answers[2:] == ["= ", "=2 resign", "? unknown command", "=3 W+6.5", ""]
