"""Who won a game of Go that both sides have ended: dead stones, area, result.

Programs pass while dead stones are still on the board. Which ones those are is found by playing random games
on from the final position, in which nobody fills an own eye: a chain is dead if the other colour owns its
points at the end of most of them. A seki may be misjudged; where that matters, play on until nothing is in
doubt, which costs no points by area rules.
"""

from __future__ import annotations

import functools
import random

from imaginax.arena.go.board import BLACK, EMPTY, WHITE, Board, area, chain, neighbours, owned, place

_DEAD = 0.75  # of the play-outs, in which the other colour owns the point


def result(board: Board, komi: float, dead: frozenset[int]) -> str:
    """As GTP writes it: B+3.5, W+12 or 0."""
    black, white = area(board, dead)
    margin = black - white - komi
    return "0" if margin == 0 else f"{'B' if margin > 0 else 'W'}+{abs(margin):g}"


def dead_stones(board: Board, *, playouts: int = 64, seed: int = 0) -> frozenset[int]:
    """The stones that do not survive."""
    if not any(board.cells):
        return frozenset()
    draw = random.Random(seed)
    lost = [0] * len(board.cells)
    for index in range(playouts):
        cells = _play_out(board, BLACK if index % 2 else WHITE, draw)
        for point, owner in enumerate(owned(board.size, cells)):
            lost[point] += owner == 3 - board.cells[point]
    dead: set[int] = set()
    for point, cell in enumerate(board.cells):
        if cell != EMPTY and point not in dead:
            members = chain(board.size, board.cells, point)[0]
            if sum(lost[member] for member in members) > _DEAD * playouts * len(members):
                dead |= members
    return frozenset(dead)


def _play_out(board: Board, colour: int, draw: random.Random) -> bytearray:
    """Random moves until neither side has one left; a ko is not taken back at once."""
    size, cells = board.size, bytearray(board.cells)
    ko, passes = -1, 0
    for _ in range(3 * size * size):
        ko, moved = _random_move(size, cells, colour, ko, draw)
        passes = 0 if moved else passes + 1
        if passes == 2:
            break
        colour = 3 - colour
    return cells


def _random_move(size: int, cells: bytearray, colour: int, ko: int, draw: random.Random) -> tuple[int, bool]:
    """Makes one; returns the point that may not be taken back, or -1, and whether there was one."""
    points = [point for point, cell in enumerate(cells) if cell == EMPTY and point != ko]
    draw.shuffle(points)
    for point in points:
        if _is_eye(size, cells, colour, point):
            continue
        taken = place(size, cells, colour, point)
        if taken is not None:
            alone = len(taken) == 1 and all(cells[beside] != colour for beside in neighbours(size)[point])
            return (taken.pop() if alone else -1), True
    return -1, False


@functools.cache
def _corners(size: int) -> tuple[tuple[int, ...], ...]:
    """The points diagonally beside each point."""
    return tuple(
        tuple(
            (row + down) * size + column + right
            for down in (-1, 1)
            for right in (-1, 1)
            if 0 <= row + down < size and 0 <= column + right < size
        )
        for row in range(size)
        for column in range(size)
    )


def _is_eye(size: int, cells: bytearray, colour: int, point: int) -> bool:
    """Surrounded by `colour` for good: at most one foreign corner, none at the edge of the board."""
    if any(cells[beside] != colour for beside in neighbours(size)[point]):
        return False
    corners = _corners(size)[point]
    foreign = sum(cells[corner] == 3 - colour for corner in corners)
    return foreign <= (len(corners) == 4)
