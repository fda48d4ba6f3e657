"""Terminals for tests: one that lives in this process, and a real one (a pty) for a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence

# Makes its standard input the terminal whose Ctrl-C and whose end it gets, and becomes the command.
_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Screen(io.StringIO):
    """A stream that says that it is a terminal which shows colours and every letter."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Terminal:
    """A process on a pty.

    Attributes:
        process: what runs.
        screen: everything that it has written so far.
    """

    def __init__(self, command: Sequence[str], *, columns: int = 80, **environment: str):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environ = {"TERM": "xterm-256color"} | {k: v for k, v in os.environ.items() if k != "COLUMNS"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLED, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ | environment,
            start_new_session=True,
        )
        os.close(slave)
        self.screen = ""

    def read_until(self, text: str) -> None:
        """Reads until `text` is on the screen, or the process ends."""
        while text not in self.screen and self._read():
            pass

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def hang_up(self) -> None:
        """What closing the window does: the process loses its terminal and gets SIGHUP."""
        os.close(self._master)
        self._master = -1

    def finish(self) -> tuple[int, str]:
        """Exit code and screen, once the process has ended."""
        while self._master >= 0 and self._read():
            pass
        return self.process.wait(timeout=120), self.screen

    def close(self) -> None:
        if self._master >= 0:
            os.close(self._master)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self) -> bool:
        try:
            text = os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # the last process closed the other end
            return False
        self.screen += text
        return bool(text)


@contextlib.contextmanager
def terminal(command: Sequence[str], *, columns: int = 80, **environment: str) -> Iterator[Terminal]:
    """A process on a terminal; it is ended with the context."""
    opened = Terminal(command, columns=columns, **environment)
    try:
        yield opened
    finally:
        opened.close()
