"""Signals that end a run once it is saved."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

# SIGHUP: the terminal was closed, or a scheduler goes away.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_TOGETHER_S = 0.5  # sooner it is the same signal: launchers hand on what a terminal sent to all
_GRACE_S = 1.0  # for the main thread to notice


def caught() -> list[int]:
    """Those that this process was not told to ignore, as SIGHUP under `nohup`."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextlib.contextmanager
def interruptible(
    tell: Callable[[str], None] = lambda name: None, leave: Callable[[], None] = lambda: None
) -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or SIGHUP sets; a second Ctrl-C interrupts as usual.

    Python calls no handler before a compiled program returns. So a thread of its own calls `tell` at once,
    and ends the process with code 130 where the main thread does not notice a second Ctrl-C. Outside of the
    main thread, where signals cannot be caught, the event is never set.

    Args:
        tell: called with the name of the first signal, in the thread.
        leave: called before the process ends at once, in the thread.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    listener = _Listener(tell, leave)

    def request(number: int, frame: FrameType | None) -> None:
        if not event.is_set():
            event.set()
        elif number == signal.SIGINT and listener.again():
            listener.noticed.set()
            raise KeyboardInterrupt

    before = {number: signal.signal(number, request) for number in caught()}
    try:
        with listener.listening():
            yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Listener:
    """What happens when a signal comes, whatever the main thread is doing.

    Attributes:
        noticed: the main thread ends what it does by itself.
    """

    def __init__(self, tell: Callable[[str], None], leave: Callable[[], None]):
        self._tell, self._leave = tell, leave
        self._first: float | None = None
        self.noticed = threading.Event()

    def again(self) -> bool:
        """Whether a signal that comes now is another than the first."""
        return self._first is not None and time.monotonic() - self._first > _TOGETHER_S

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """The interpreter writes the numbers of signals into a pipe as they come, and a thread reads it."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(read,), name="signals", daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            self.noticed.set()
            os.close(write)
            thread.join()
            os.close(read)

    def _listen(self, pipe: int) -> None:
        while number := os.read(pipe, 1):
            if number[0] in SIGNALS:
                self._hear(number[0])

    def _hear(self, number: int) -> None:
        if self._first is None:
            self._first = time.monotonic()
            self._tell(signal.Signals(number).name)
        elif number == signal.SIGINT and self.again() and not self.noticed.wait(_GRACE_S):
            self._leave()
            os._exit(130)
