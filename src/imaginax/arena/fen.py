"""Positions of chess from text (FEN), as states of the environment `chess`."""

from __future__ import annotations

import functools
import re

import jax
import jax.numpy as jnp

from imaginax.types import State

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
_PLIES = 256  # at most so many count towards the game's limit of 512, so that there is a game left to play
_FIELDS = re.compile(r"[1-8pnbrqkPNBRQK/]{15,71} [wb] (-|K?Q?k?q?) (-|[a-h][36]) [0-9]{1,3} [0-9]{1,4}")


def chess_state(fen: str) -> State:
    """The state of a position whose history is not known.

    The planes of earlier positions repeat this one, and none of them counts as a repetition.

    Args:
        fen: six fields, or the first four.

    Raises:
        ValueError: if it is no position of chess.
    """
    from pgx.experimental.chess import from_fen

    fen = " ".join(fen.split())
    if fen.count(" ") == 3:
        fen += " 0 1"
    if not _FIELDS.fullmatch(fen):
        raise ValueError(f"no FEN of six fields: {fen[:100]}")
    *board, quiet, move = fen.split(" ")
    _check_board(board[0])
    state = from_fen(" ".join([*board, str(min(int(quiet), 100)), str(max(int(move), 1))]))
    if bool(_other_in_check()(state._x)):
        raise ValueError("the side that is not to move is in check")
    return _without_history(state)


def _check_board(board: str) -> None:
    ranks = [re.sub(r"[1-8]", lambda match: "." * int(match[0]), rank) for rank in board.split("/")]
    if len(ranks) != 8 or any(len(rank) != 8 for rank in ranks):
        raise ValueError("a board has 8 ranks of 8 squares")
    pieces = "".join(ranks)
    if pieces.count("K") != 1 or pieces.count("k") != 1:
        raise ValueError("each side has one king")
    if "p" in (ranks[0] + ranks[7]).lower():
        raise ValueError("a pawn stands on the first or last rank")
    if any(sum(map(side, pieces)) > 16 for side in (str.isupper, str.islower)):
        raise ValueError("a side has more than 16 pieces")


@functools.cache
def _other_in_check():
    from pgx._src.games.chess import _flip, _is_checked

    return jax.jit(lambda x: _is_checked(_flip(x)))


def _without_history(state: State) -> State:
    """pgx puts the initial position before every other one, and counts no plies before it."""
    from pgx.chess import Chess

    x = state._x
    plies = jnp.minimum(2 * (x.fullmove_count - 1), _PLIES) + x.color
    x = x._replace(
        hash_history=jnp.zeros_like(x.hash_history).at[0].set(x.hash_history[0]),
        board_history=jnp.broadcast_to(x.board, x.board_history.shape),
        step_count=plies.astype(x.step_count.dtype),
    )
    chess = Chess()
    state = state.replace(_x=x, _step_count=plies.astype(jnp.int32))
    ended = jax.jit(chess.game.is_terminal)(x)
    return state.replace(terminated=ended, observation=chess.observe(state))
