from __future__ import annotations

import io

import pytest

from imaginax.cli import terminal
from imaginax.cli.terminal import number, print_returns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1234.56, "-1234.6"),
        (182.34, "182.3"),
        (-1.6512, "-1.651"),
        (0.0123456, "0.01235"),
        (3.0, "3"),
        (0.0, "0"),
    ],
)
def test_numbers_are_as_long_as_needed(value, text):
    assert number(value) == text


def test_returns_of_one_seed_and_of_several(capsys):
    print_returns([1.25])
    print_returns([1.0, 0.5], games=40, distinct=[2, 18])
    print_returns([1.0, 4.0])
    assert capsys.readouterr().out.splitlines() == [
        "evaluation return 1.25",
        "evaluation return 0.75 (seeds: 1, 0.5); 40 games a seed, 2, 18 of them distinct",
        "evaluation return 2.5 (seeds: 1, 4)",
    ]


class Terminal(io.StringIO):
    """A text stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def test_what_is_done_stands_on_a_terminal_at_once_and_nowhere_else(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with terminal.working("loading runs/[x]") as doing:
        assert "loading runs/[x]" in screen.getvalue()
        doing("evaluating\nit")
    assert "evaluating\\nit" in screen.getvalue()
    for stream, kind in ((io.StringIO(), "xterm"), (Terminal(), "dumb"), (None, "xterm")):
        monkeypatch.setenv("TERM", kind)
        monkeypatch.setattr("sys.stderr", stream)
        with terminal.working("loading") as doing:
            doing("evaluating")
        assert stream is None or stream.getvalue() == ""
    assert capsys.readouterr().out == ""
