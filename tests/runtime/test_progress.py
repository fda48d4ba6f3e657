from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from rich.console import Console

from imaginax.runtime import progress
from imaginax.runtime.progress import ChunkReport, LiveProgress
from tests.cli.terminals import Screen


def report(**changes):
    values = {
        "stage": "trial",
        "chunk": 3,
        "chunks": 10,
        "env_steps": 800,
        "returns": np.array([121.44]),
        "best": 121.44,
        "steps_per_s": 31.2,
        "left_s": 70.2,
    }
    return ChunkReport(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "trial 3/10  env steps 800  return 121.4 (best 121.4)  31 steps/s  left 1:10"),
        (
            {"returns": np.array([100.0, 110.0, np.nan]), "best": 130.0, "compile_s": 12.34},
            "trial 3/10  env steps 800  return 105.0 [100.0 to 110.0] (best 130.0)  31 steps/s  left 1:10"
            "  compiled in 12.3 s",
        ),
        (
            {"chunk": 10, "returns": np.array([np.nan]), "best": 9.0, "steps_per_s": 2.04},
            "trial 10/10  env steps 800  best 9.0  2.0 steps/s",
        ),
    ],
)
def test_a_pipe_gets_one_line_a_chunk_and_nothing_else(changes, line, capsys):
    stream = io.StringIO()
    with progress.show(10, stream) as display:
        display.doing("compiling trial")
        display.running("trial", 3, 10)
        display.report(report(**changes))
        display.note("a checkpoint was skipped")
    assert stream.getvalue() == line + "\n"
    assert capsys.readouterr() == ("", "a checkpoint was skipped\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3.0, "0 s"), (9.4, "9 s"), (59.6, "1:00"), (70.2, "1:10"), (7384.0, "2:03:04")]
)
def test_duration(seconds, text):
    assert progress.duration(seconds) == text


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def rendered(console, display):
    with console.capture() as capture:
        console.print(display)
    return capture.get()


def test_a_terminal_shows_what_is_done_and_what_is_under_way(console):
    display = LiveProgress(console, keep_lines=True)
    display.doing("compiling trial")
    assert "compiling trial" in rendered(console, display)
    display.running("trial", 3, 10)
    assert "left" not in rendered(console, display)
    display.report(report())
    display.running("trial", 4, 10)
    text = rendered(console, display)
    assert "trial 4/10" in text and "left 1:10" in text and "return" not in text
    assert console.file.getvalue().strip() == "".join("  ".join(text for _, text in progress.parts(report())))


def test_a_long_run_keeps_only_its_last_line(console):
    display = LiveProgress(console, keep_lines=False)
    display.running("trial", 3, 1000)
    display.report(report())
    assert console.file.getvalue() == ""
    assert "return 121.4" in rendered(console, display)


def test_the_live_display_leaves_only_the_lines_of_chunks():
    stream = Screen()
    with progress.show(10, stream) as display:
        assert isinstance(display, LiveProgress)
        display.running("trial", 3, 10)
        display.report(report())
    assert "return 121.4" in stream.getvalue()


@pytest.mark.parametrize("failing", [io.StringIO.write, io.StringIO.flush])
def test_a_stream_that_fails_does_not_end_a_run(failing, monkeypatch, capsys):
    for terminal in (False, True):
        stream = Screen() if terminal else io.StringIO()
        monkeypatch.setattr(stream, failing.__name__, _raise)
        with progress.show(10, stream) as display:
            for _ in range(2):
                display.running("trial", 3, 10)
                display.report(report())
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("the stream cannot be written (Input/output error); going on without it")


def _raise(*_):
    raise OSError(5, "Input/output error")


def test_a_dumb_terminal_and_none_at_all(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()
    with progress.show(10, screen) as display:
        display.report(report())
    assert screen.getvalue().count("\n") == 1 and "\x1b" not in screen.getvalue()
    monkeypatch.setattr(sys, "stdout", None)
    with progress.show(10) as display:
        display.report(report())
        display.note("nobody listens")


def test_a_terminal_without_our_letters(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    with progress.show(10, stream) as display:
        display.running("[red]zwölf", 3, 10)
        display.report(report())
        display.note("[red]zwölf")
    assert b"[red]zw\\xf6lf" in raw.getvalue() and b"\\u28" not in raw.getvalue()
