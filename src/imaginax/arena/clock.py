"""How long to think about a move, from what a protocol says of the time that is left."""

from __future__ import annotations

from typing import NamedTuple

_MARGIN = 0.05  # seconds that a move takes besides thinking
_LEAST = 0.01


class Clock(NamedTuple):
    """One side's time in a game of Go.

    Attributes:
        seconds: that are left of the main time, or of the overtime period under way.
        period: seconds of an overtime period; 0 for none (absolute time).
        stones: moves to be made in a period.
        left: moves to be made in the period under way; 0 in main time.
    """

    seconds: float
    period: float = 0.0
    stones: int = 0
    left: int = 0


def spend(clock: Clock, seconds: float) -> Clock:
    """The clock after a move."""
    rest = clock.seconds - seconds
    if clock.left > 1:
        return clock._replace(seconds=rest, left=clock.left - 1)
    if clock.left == 1 or (rest <= 0 and clock.stones):  # a period ends, or main time does
        return clock._replace(seconds=clock.period, left=clock.stones)
    return clock._replace(seconds=max(rest, 0.0))


def move_seconds(clock: Clock, moves_to_come: int) -> float:
    """Time for the next move.

    In overtime an even share of the period; before it an even share of the main time over the moves to
    come, but not less than overtime will give.
    """
    if clock.left:
        return max(clock.seconds / clock.left - _MARGIN, _LEAST)
    overtime = clock.period / clock.stones if clock.stones else 0.0
    share = max(clock.seconds / max(moves_to_come, 1), min(overtime, clock.seconds))
    return max(share - _MARGIN, _LEAST)


def chess_seconds(left: float, increment: float, moves_to_go: int | None) -> float:
    """Time for the next move of a game of chess: an even share of the time left, and most of the increment.

    Args:
        left: seconds on the own clock.
        increment: seconds that every move adds.
        moves_to_go: until the next time control; 30 if it is not known.
    """
    share = left / (30 if moves_to_go is None else max(moves_to_go, 1))
    return max(min(share + 0.8 * increment, 0.5 * left) - _MARGIN, _LEAST)
