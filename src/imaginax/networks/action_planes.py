"""Where the actions of chess and shogi lie on a board of planes, one for each kind of move.

AlphaZero (Silver et al. 2018) has a convolution give the logits of all moves from a square at that square:
73 kinds of move in chess. pgx (2.6) numbers its actions so too, with its own order of squares, which differs
from that of its observations' rows and columns. Its shogi has 27 kinds of move to a square, not AlphaZero's
139 from one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

_Squares = Int[np.ndarray, "H W"]


def action_planes(name: str) -> Int[np.ndarray, "A"] | None:
    """For each action of a game its place in a flat array [H, W, kinds of move]; None for other games.

    Args:
        name: of the environment.
    """
    if name in ("chess", "gardner_chess"):
        side, kinds = (8, 73) if name == "chess" else (5, 49)
        squares = np.rot90(np.arange(side * side).reshape(side, side), 1)
        return _places(squares, kinds, squares_first=True)
    if name == "shogi":
        return _places(np.rot90(np.arange(81).reshape(9, 9), 3), 27, squares_first=False)
    if name == "animal_shogi":
        return _places(np.fliplr(np.arange(12).reshape(3, 4).T), 11, squares_first=False)
    return None


def _places(squares: _Squares, kinds: int, *, squares_first: bool) -> Int[np.ndarray, "A"]:
    """`squares` are pgx's numbers of the squares in each row and column of an observation."""
    square, kind = squares[:, :, None], np.arange(kinds)
    action = square * kinds + kind if squares_first else kind * squares.size + square
    return np.argsort(action.ravel())
