"""Printing that may fail: a pipe whose reader left, a terminal that was closed, letters that it lacks."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

_STANDARD = {1: "standard output", 2: "standard error"}


class OutputError(OSError):
    """Standard output cannot be written, where printing was all there was to do."""


class Output:
    """A stream of text that is written as far as that is possible.

    Letters that its encoding lacks become escapes. After the first failure nothing more is written, and
    standard error says so.

    Attributes:
        essential: raise failures: BrokenPipeError where the reader left, OutputError for others.
    """

    def __init__(self, stream: Any, *, essential: bool = False, silent: bool = False):
        self._stream = stream
        self._failed = False
        self._silent = silent
        self.essential = essential

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes what can be written; the letters of `text` count as written in any case."""
        self._attempt(lambda: self._write(text))
        return len(text)

    def flush(self) -> None:
        """Hands on what is buffered."""
        self._attempt(lambda: self._stream.flush())

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self._stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._failed:
            return
        try:
            action()
        except (AttributeError, OSError, ValueError) as error:  # there is none; it fails; it is closed
            self._failed = True
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        number = _number(self._stream)
        if number in _STANDARD:  # what is still buffered would fail again when the process ends
            with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), number)
        if self.essential:
            if isinstance(error, BrokenPipeError):
                raise error
            raise OutputError(f"cannot write standard output: {reason(error)}") from error
        if not self._silent:
            name = _STANDARD.get(number or 0, "the stream")
            say(f"imaginax: {name} cannot be written ({reason(error)}); going on without it")


def _number(stream: Any) -> int | None:
    """The file descriptor of a stream, if it has one."""
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def say(text: str) -> None:
    """Prints one line to standard error, whatever is in `text`, if that is possible."""
    error = Output(sys.stderr, silent=True)
    error.write(one_line(text) + "\n")
    error.flush()


def one_line(text: str) -> str:
    """Text with escapes for line breaks and all else that would move a cursor or cannot be shown."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def reason(error: BaseException) -> str:
    """What an error says, in a few words of one line."""
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return one_line(text.splitlines()[0])


@contextlib.contextmanager
def standard(*, essential: bool) -> Iterator[Output]:
    """Standard output and error as `Output`, also if a shell closed them before the process began (`>&-`).

    Args:
        essential: see `Output`, for standard output; standard error never is.
    """
    _open_closed()
    out, err = (
        Output(_stream(sys.stdout, 1), essential=essential),
        Output(_stream(sys.stderr, 2), silent=True),
    )
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out


def _open_closed() -> None:
    """Opens them, or the next file that is opened takes their number, and what is printed."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number
    sys.stdin = _stream(sys.stdin, 0)


def _stream(stream: Any, number: int) -> Any:
    return stream or open(number, "w" if number else "r", closefd=False)
