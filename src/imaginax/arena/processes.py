"""Programs that talk in lines, as processes that never outlive their owner."""

from __future__ import annotations

import contextlib
import queue
import shutil
import subprocess
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from imaginax.runtime.run_directory import RunError

_PLACES = ("/usr/games", "/usr/local/games")  # where distributions put games, often not on PATH


class ProgramMissing(RunError):
    """A program that is not installed; `name` says which."""

    def __init__(self, name: str):
        """Keeps the name."""
        super().__init__(f"program {name} was not found on PATH or in /usr/games; install it")
        self.name = name


class ProgramError(RunError):
    """A program that ended, fell silent or answered out of turn."""


def locate(name: str) -> str:
    """The path of an installed program.

    Raises:
        ProgramMissing: if there is none of that name.
    """
    found = shutil.which(name)
    for place in _PLACES:
        found = found or shutil.which(str(Path(place) / name))
    if found is None:
        raise ProgramMissing(name)
    return found


class LineProcess:
    """A process that is written to and read from line by line, with time-outs."""

    def __init__(self, name: str, arguments: Sequence[str], *, timeout: float):
        """Starts the program called `name`.

        Args:
            name: of an executable.
            arguments: after it.
            timeout: seconds to wait for a line before giving up.

        Raises:
            ProgramMissing: if it is not installed.
        """
        self.name, self.timeout = name, timeout
        self._process = subprocess.Popen(
            [locate(name), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            bufsize=1,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=_collect, args=(self._process.stdout, self._lines), daemon=True
        )
        self._reader.start()
        self._finalizer = weakref.finalize(self, _end, self._process, self._reader)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, line: str) -> None:
        """Writes one line.

        Raises:
            ProgramError: if the program has ended.
        """
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ProgramError(f"{self.name} has ended and takes no {line!r}") from error

    def receive(self) -> str:
        """The next line, without its end.

        Raises:
            ProgramError: if none comes in time or the program has ended; it is then ended for good.
        """
        try:
            line = self._lines.get(timeout=self.timeout)
        except queue.Empty:
            self.close()
            raise ProgramError(f"{self.name} gave no answer within {self.timeout:g} s") from None
        if line is None:
            self.close()
            raise ProgramError(
                f"{self.name} ended with code {self._process.returncode} in the middle of a game"
            )
        return line

    def close(self) -> None:
        """Ends the process and waits for its end; more than once does no harm."""
        self._finalizer()


def _collect(stream, lines: queue.SimpleQueue[str | None]) -> None:
    """Puts every line into the queue, and None after the last."""
    with contextlib.suppress(ValueError):
        for line in stream:
            lines.put(line.rstrip("\r\n"))
    lines.put(None)


def _end(process: subprocess.Popen, reader: threading.Thread) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    reader.join(timeout=5)
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            stream.close()  # type: ignore[union-attr]
