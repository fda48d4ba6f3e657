"""A search in the background, which can be told to answer at once."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

from imaginax.arena.engine import MoveChoice, SearchLimit

Think = Callable[[SearchLimit, threading.Event, Callable[[MoveChoice], None]], MoveChoice]


class BackgroundSearch:
    """One search; `answer` is called exactly once, with its choice (None if it failed)."""

    def __init__(
        self,
        think: Think,
        limit: SearchLimit,
        *,
        report: Callable[[MoveChoice], None],
        answer: Callable[[MoveChoice | None], None],
    ):
        """Starts the search.

        Args:
            think: (limit, stop, report) -> choice.
            limit: time or simulations; an endless search answers only once it is stopped.
            report: called with every choice before the answer.
            answer: called with the last choice.
        """
        self._think, self._limit = think, limit
        self._report, self._answer = report, answer
        self._stop, self._first = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._best: MoveChoice | None = None
        self._answered = False
        self._thread = threading.Thread(target=self._run, name="search")
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return not self._answered

    def stop(self) -> None:
        """Answers with the best that has been found; waits only where nothing has been found yet."""
        self._stop.set()
        self._first.wait()
        self._say()

    def wait(self) -> None:
        """Returns when the machine is free again: a compiled search cannot be interrupted."""
        self._thread.join()

    def _run(self) -> None:
        try:
            final = self._think(self._limit, self._stop, self._hear)
            with self._lock:
                self._best = final
        except Exception:  # the client waits for an answer, whatever went wrong
            traceback.print_exc(file=sys.stderr)
        if self._limit.endless:
            self._first.set()
            self._stop.wait()
        self._say()
        self._first.set()

    def _hear(self, choice: MoveChoice) -> None:
        with self._lock:
            if self._answered:
                return
            self._best = choice
            self._report(choice)
        self._first.set()

    def _say(self) -> None:
        with self._lock:
            if not self._answered:
                self._answered = True
                self._answer(self._best)
