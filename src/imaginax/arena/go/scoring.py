"""Who won a game of Go that both sides have ended: dead stones, area, result.

Programs pass while dead stones are still on the board. Random games that are played on from the final
position (`arena.go.playouts`) say who owns each point. A chain is dead if the other colour owns its points
more often. With the dead stones off the board the score is area: a region beside one colour only is that
colour's, and a point of any other region belongs to the side that owns it in two of three play-outs, or to
nobody.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import numpy as np

from imaginax.arena.go.board import BLACK, EMPTY, WHITE, Board, chain, owned
from imaginax.arena.go.playouts import play_out

_PLAYOUTS = 256
_MOSTLY = 1 / 3  # of Black's share less White's, where two of three play-outs agree
_SIGN = np.array([0, 1, -1])  # of EMPTY, BLACK and WHITE


class Settlement(NamedTuple):
    """What a position is worth.

    Attributes:
        owner: of each point: BLACK, WHITE or EMPTY.
        dead: stones that do not survive.
        seki: stones that survive without two eyes, since neither side can attack.
    """

    owner: bytes
    dead: frozenset[int]
    seki: frozenset[int]

    @property
    def lead(self) -> int:
        """Black's area less White's."""
        return self.owner.count(BLACK) - self.owner.count(WHITE)


def result(board: Board, komi: float) -> str:
    """As GTP writes it: B+3.5, W+12 or 0."""
    margin = settle(board.size, board.cells).lead - komi
    return "0" if margin == 0 else f"{'B' if margin > 0 else 'W'}+{abs(margin):g}"


@functools.lru_cache(maxsize=16)
def settle(size: int, cells: bytes) -> Settlement:
    """The same for the same position, whichever game led to it."""
    chains = _chains(size, cells)
    stones, label = _SIGN[list(cells)].astype(np.int32), np.arange(size * size, dtype=np.int32)
    for members in chains:
        label[members] = members[0]
    ends = play_out(stones, label, jax.random.key(0), size=size, count=_PLAYOUTS)
    owner, seki = np.asarray(ends.owner), np.asarray(ends.seki)
    lost = [members for members in chains if (stones * owner)[members].mean() < 0]
    shared = [members for members in chains if members not in lost and seki[members].mean() > 0.5]
    dead = frozenset(point for members in lost for point in members)
    area = list(owned(size, bytes(EMPTY if point in dead else cell for point, cell in enumerate(cells))))
    for point in np.flatnonzero(np.array(area) == EMPTY):
        if abs(owner[point]) > _MOSTLY:
            area[point] = BLACK if owner[point] > 0 else WHITE
    return Settlement(bytes(area), dead, frozenset(point for members in shared for point in members))


def _chains(size: int, cells: bytes) -> list[list[int]]:
    """The chains of a position, each by its points in order."""
    found: dict[int, list[int]] = {}
    for point, cell in enumerate(cells):
        if cell != EMPTY and point not in found:
            members = sorted(chain(size, cells, point)[0])
            found |= dict.fromkeys(members, members)
    return [members for point, members in found.items() if members[0] == point]
