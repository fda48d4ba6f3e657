from __future__ import annotations

import io
import os
import sys

import pytest

from imaginax.runtime.output import Output, OutputError, one_line, reason, say, standard


class Broken(io.StringIO):
    """A stream that takes two writes."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        if self.getvalue().count("\n") == 2:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left"), ValueError("closed")],
)
def test_a_stream_that_fails_is_reported_once_and_ends_nothing(error, capsys):
    stream = Broken(error)
    out = Output(stream)
    for i in range(5):
        print(f"line {i}", file=out, flush=True)
    assert stream.getvalue() == "line 0\nline 1\n"
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"imaginax: the stream cannot be written ({reason(error)}); going on without it"


def test_where_printing_is_the_work_a_failure_is_raised():
    for error, kind in ((BrokenPipeError(32, "gone"), BrokenPipeError), (OSError(28, "full"), OutputError)):
        out = Output(Broken(error), essential=True)
        with pytest.raises(kind):
            for _ in range(3):
                out.write("x\n")


def test_letters_that_an_encoding_lacks_become_escapes():
    raw = io.BytesIO()
    out = Output(io.TextIOWrapper(raw, encoding="ascii"))
    print("runs/zwölf \udcff ⠋", file=out, flush=True)
    assert raw.getvalue() == b"runs/zw\\xf6lf \\udcff \\u280b\n"


def test_the_rest_of_a_stream_shows_through():
    stream = io.StringIO()
    assert Output(stream).isatty() is False and Output(stream).getvalue() == ""


def test_standard_error_that_fails_says_nothing_and_ends_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(OSError(5, "Input/output error")))
    for _ in range(4):
        say("anything")
    monkeypatch.setattr(sys, "stderr", None)
    say("anything")


def test_standard_streams_are_what_they_were_afterwards(monkeypatch):
    before = sys.stdout, sys.stderr
    with standard(essential=True) as out:
        assert sys.stdout is out and out.essential
    assert (sys.stdout, sys.stderr) == before
    monkeypatch.setattr(sys, "stdout", None)
    with standard(essential=False):
        assert sys.stdout.fileno() == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one", "one"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x1b[31mred \udcff", "\\x1b[31mred \\udcff"),
        ("zwölf", "zwölf"),
    ],
)
def test_a_message_is_one_line_and_moves_no_cursor(text, line):
    assert one_line(text) == line


def test_reasons_are_short():
    assert reason(OSError(28, os.strerror(28))) == "No space left on device"
    assert reason(ValueError("first\nsecond")) == "first" and reason(MemoryError()) == "MemoryError"
