"""How the processes of one run act together on a checkpoint.

They meet in the coordination service of jax.distributed and never in a collective of the devices, whose
order would differ between processes if a background thread took part. A process that fails still
says so to the others, so all of them succeed or all raise the same error.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, TypeVar

import jax

from imaginax.runtime.checkpoint.files import CheckpointError, first_line

T = TypeVar("T")

# A process that dies is noticed by the service long before; this bounds one that hangs.
PATIENCE_MS = 30 * 60 * 1000

# Every process saves and restores in the same order, so equal numbers are the same meeting.
_meetings = itertools.count()


class Peers:
    """The processes of a run, for the length of one save or restore; alone without jax.distributed."""

    def __init__(self):
        self._meeting = f"imaginax/checkpoint/{next(_meetings)}"
        self._rounds = itertools.count()

    def lead(self, action: Callable[[], T]) -> T:
        """What `action` gives in process 0, a JSON value, in every process.

        Raises:
            CheckpointError: in every process, if it raised one or another error.
        """
        if jax.process_count() == 1:
            return action()
        key = self._next_key()
        if jax.process_index() == 0:
            value, fault = _attempt(action)
            _client().key_value_set(key, json.dumps([value, fault]))
        else:
            value, fault = json.loads(_client().blocking_key_value_get(key, PATIENCE_MS))
        if fault:
            raise CheckpointError(fault)
        return value

    def all(self, action: Callable[[], T]) -> T:
        """What `action` gives in this process, once it has succeeded in all of them.

        Raises:
            CheckpointError: in every process, naming the first in which it did not.
        """
        if jax.process_count() == 1:
            return action()
        key = self._next_key()
        value, fault = _attempt(action)
        _client().key_value_set(f"{key}/{jax.process_index()}", fault)
        for process, other in enumerate(self.lead(lambda: _gather(key))):
            if other:
                raise CheckpointError(f"process {process}: {other}")
        return value

    def _next_key(self) -> str:
        return f"{self._meeting}/{next(self._rounds)}"


def _attempt(action: Callable[[], Any]) -> tuple[Any, str]:
    """Its value, and what went wrong, if anything."""
    try:
        return action(), ""
    except Exception as error:  # whatever it is, the others wait to hear of it
        return None, first_line(error)


def _gather(key: str) -> list[str]:
    """What every process set under a key."""
    client = _client()
    return [client.blocking_key_value_get(f"{key}/{i}", PATIENCE_MS) for i in range(jax.process_count())]


def _client() -> Any:
    from jax._src import distributed  # the service has no public name

    return distributed.global_state.client
