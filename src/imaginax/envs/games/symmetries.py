"""Maps of a board onto itself under which the rules, and the initial position, stay as they are."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from imaginax.envs.games.names import GameName
from imaginax.types import Symmetries


def symmetries(game_name: GameName, shape: tuple[int, int, int], actions: int) -> Symmetries:
    """The maps of a game, the identity first.

    Eight of Go and tic-tac-toe; four of Othello, whose initial position has no more; two of Hex (the other is
    half a turn) and of Connect Four (the other is the mirror image); of other games the identity only.

    Args:
        game_name: the game.
        shape: of its planes.
        actions: how many it has; those that are no point (pass, swap) stay as they are.
    """
    points = _maps(game_name.kind, np.arange(shape[0] * shape[1]).reshape(shape[:2]))
    if game_name.kind == "connect_four":
        moved = points[:, -shape[1] :] % shape[1]  # an action is a column
    elif len(points) > 1:
        moved = points
    else:
        moved = np.arange(actions)[None]
    fixed = np.arange(moved.shape[1], actions)
    moved = np.concatenate([moved, np.tile(fixed, (len(moved), 1))], axis=1)
    sources = np.argsort(points, axis=1)  # where the value of each point comes from

    def planes(values: Shaped[Array, "H W C"], index: Array) -> Shaped[Array, "H W C"]:
        flat = values.reshape(-1, values.shape[-1])
        return flat[jnp.asarray(sources)[index]].reshape(values.shape)

    return Symmetries(planes, jnp.asarray(moved, jnp.int32))


def _maps(kind: str, grid: np.ndarray) -> np.ndarray:
    """[G H*W]: point a goes to `maps[g, a]`."""
    turns = [np.rot90(grid, k) for k in range(4)]
    chosen = {
        "go": [*turns, *(turn[:, ::-1] for turn in turns)],
        "tic_tac_toe": [*turns, *(turn[:, ::-1] for turn in turns)],
        "othello": [grid, turns[2], grid.T, turns[2].T],
        "hex": [grid, turns[2]],
        "connect_four": [grid, grid[:, ::-1]],
    }
    return np.stack([image.reshape(-1) for image in chosen.get(kind, [grid])])
