"""The rules of every game, by pgx (https://github.com/sotetsuk/pgx), and the inside of its states.

pgx leaves fields of its states private (`_x`, `_board` ...). Only this module, `go_moves`, `go_score` and
`packing` use them.

Where pgx's rules differ from a federation's:

* An illegal action ends the game: the mover gets -1 and the opponent +1.
* Go: area scoring of the stones that stand (nothing is taken for dead), suicide is illegal, and a game
  of 2 n^2 moves ends and is scored. pgx lets a player repeat a position of the whole board and has it lose
  for that; here such moves are illegal (positional superko, Tromp-Taylor), see `go_moves`.
* Chess: the game ends by itself at the third occurrence of a position and after 50 moves of both without
  capture or pawn move, and is drawn after 512 plies. A pawn's double step makes a new position even where no
  pawn can take it en passant, and bishops of one colour of squares, however many, cannot mate.
* Gardner chess: as chess; drawn after 256 plies; no double steps, no castling.
* Shogi: repetition (sennichite, perpetual check) and impasse do not exist; drawn after 512 plies.
* Animal shogi: the third occurrence of a position is a draw, found by a hash that misses cycles in which
  both players make an odd number of moves; drawn after 256 plies.
* Hex: the second player may swap, which mirrors the first stone on the long diagonal and gives it to him.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from imaginax.envs.games import go_moves, go_score
from imaginax.envs.games.names import GameName
from imaginax.types import State

_PIECES = {"chess": 6, "gardner_chess": 6, "shogi": 14, "animal_shogi": 5}
# edge of the board where pieces lie column by column, seen by the player to move
_COLUMNS = {"chess": (8, 8), "gardner_chess": (5, 5), "shogi": (9, 9), "animal_shogi": (3, 4)}


class Position(NamedTuple):
    """What lies on a board, drawn as the player sees it who began (row 0 on top).

    Attributes:
        squares: 0 where empty, k for the k-th kind of piece of the player who began, -k for the other's.
        hands: captured pieces that may be dropped, by player and kind; of shogi only.
        seat: the player to move, 0 for the one who began.
    """

    squares: Int[Array, "R C"]
    hands: Int[Array, "2 K"]
    seat: Int[Array, ""]


def build(game_name: GameName) -> Any:
    """pgx's environment of a game."""
    if game_name.kind == "go":
        return _go(game_name)
    if game_name.kind == "hex":
        from pgx.hex import Hex

        return Hex(size=game_name.size)
    import pgx

    return pgx.make(game_name.kind)  # pyright: ignore[reportArgumentType]


def _go(game_name: GameName) -> Any:
    """pgx's last plane is 1 if White is to play; in AlphaGo Zero's it is 1 if Black is."""
    from pgx.go import Go

    class BlackIsOne(Go):
        def _observe(self, state: Any, player_id: Array) -> Array:
            planes = super()._observe(state, player_id)
            return planes.at[:, :, -1].set(~planes[:, :, -1])

    return BlackIsOne(size=game_name.size, komi=game_name.komi)


def longest(game_name: GameName) -> int:
    """No game has more moves than this.

    Those of chess, shogi and Go are pgx's limits. In Othello two passes in a row end the game, so at most one
    lies between any two of 60 stones. In Hex every move but the swap fills a cell.
    """
    if game_name.kind == "go":
        return 2 * game_name.size**2
    if game_name.kind == "hex":
        return game_name.size**2 + 1
    moves = {"tic_tac_toe": 9, "connect_four": 42, "othello": 119, "gardner_chess": 256}
    return {**moves, "animal_shogi": 256, "chess": 512, "shogi": 512}[game_name.kind]


def first(base: Any, game_name: GameName, key: Array) -> State:
    """The initial state; player 0 begins, whatever the key."""
    state = _empty_hex(base, game_name.size) if game_name.kind == "hex" else base.init(key)
    seats = {"current_player": jnp.zeros((), jnp.int32)}
    if hasattr(state, "_player_order"):
        seats["_player_order"] = jnp.arange(2, dtype=jnp.int32)
    if game_name.kind == "chess":
        seats["_x"] = _hashed(state._x)
    return state.replace(**seats)


def _hashed(x: Any) -> Any:
    """pgx compares positions by hashes of random keys, and wrote that of the first one down.

    The keys depend on JAX's version; with one that is wrong the first position would never count as repeated.
    """
    from pgx._src.games.chess import _zobrist_hash

    return x._replace(hash_history=x.hash_history.at[0].set(_zobrist_hash(x)))


def _empty_hex(base: Any, size: int) -> State:
    """pgx's own initial state of Hex has 11x11 cells, whatever its size is."""
    from pgx._src.games.hex import GameState
    from pgx.hex import State as HexState

    cells = size * size
    inner = GameState(board=jnp.zeros(cells, jnp.int32))
    state = HexState(_x=inner, legal_action_mask=jnp.arange(cells + 1) < cells)  # pyright: ignore[reportCallIssue]
    return state.replace(observation=base.observe(state))  # pyright: ignore[reportAttributeAccessIssue]


def following(base: Any, game_name: GameName, state: State, action: Array) -> State:
    """The state after a move."""
    after = base.step(state, action)
    if game_name.kind != "go":
        return after
    return after.replace(
        legal_action_mask=go_moves.legal(after, game_name.size) | after.terminated,
        rewards=go_score.rewards(state, action, after, game_name.size, game_name.komi),
    )


def past_draw(game_name: GameName) -> Callable[[State, Array], State]:
    """A function of a state and a move that ends the game in a draw: the position after it, not ended.

    For clients that play on; the history is kept, so the next move may end the game again.
    """
    base = build(game_name)

    def after(state: State, action: Array) -> State:
        moved = base._step(state.replace(_step_count=state._step_count + 1), action, jax.random.key(0))
        moved = moved.replace(terminated=jnp.zeros((), bool))
        return moved.replace(observation=base.observe(moved))

    return after


def seat(state: State) -> Int[Array, ""]:
    """The player to move, 0 for the one who began."""
    return state._step_count % 2


def moves_made(state: State) -> Int[Array, ""]:
    """Moves since the beginning of the game."""
    return state._step_count


def position(game_name: GameName) -> Callable[[State], Position]:
    """A function that reads what lies on the board from a state of a game."""
    if game_name.kind in _COLUMNS:
        return lambda state: _pieces(game_name.kind, state)
    return lambda state: _stones(game_name, state)


def _stones(game_name: GameName, state: State) -> Position:
    board, mover = state._x.board, seat(state)
    if game_name.kind in ("tic_tac_toe", "connect_four"):  # -1 empty, else the player
        board = jnp.where(board < 0, 0, 1 - 2 * board)
    elif game_name.kind == "othello":  # positive for the player to move
        board = board * (1 - 2 * state._x.turn)
    elif game_name.kind == "hex":
        board = jnp.sign(board) * (1 - 2 * state._x.color)
    else:
        board = jnp.sign(board)
    shape = {"tic_tac_toe": (3, 3), "connect_four": (6, 7), "othello": (8, 8)}
    rows, columns = shape.get(game_name.kind, (game_name.size, game_name.size))
    return Position(board.reshape(rows, columns), jnp.zeros((2, 0), jnp.int32), mover)


def _pieces(kind: str, state: State) -> Position:
    """pgx shows the board to the player to move: turned by 180 degrees in shogi, mirrored in chess."""
    x = getattr(state, "_x", None)
    board = state._board if x is None else x.board
    turn = (state._turn if kind == "animal_shogi" or x is None else x.color) == 1
    columns, rows = _COLUMNS[kind]
    hands = jnp.zeros((2, 0), jnp.int32)
    if "shogi" in kind:
        own = _PIECES[kind]
        board = jnp.where(board < 0, 0, jnp.where(board < own, board + 1, own - 1 - board))
        hands = state._hand if x is None else x.hand
        hands = jnp.where(turn, hands[::-1], hands)
        grid = board.reshape(columns, rows)[::-1].T  # the first column is on the right
        grid = jnp.where(turn, -grid[::-1, ::-1], grid)
    else:
        grid = jnp.rot90(board.reshape(columns, rows))  # the first row is at the bottom
        grid = jnp.where(turn, -grid[::-1], grid)
    return Position(grid, hands, turn.astype(jnp.int32))


class Clocks(NamedTuple):
    """What a position of chess has besides its pieces.

    Attributes:
        castling: rights of White to castle queen's side and king's side, then of Black.
        en_passant: row and column (of `Position.squares`) that a pawn may take en passant; -1, -1 for none.
        quiet: plies since the last capture or pawn move.
        move: number of the move, as in FEN.
    """

    castling: Bool[Array, "4"]
    en_passant: tuple[int, int]
    quiet: int
    move: int


def clocks(kind: str, state: State) -> Clocks:
    """Castling, en passant and counters of one state of a game of chess or shogi."""
    none = jnp.zeros(4, bool)
    if kind == "chess":
        x = state._x
        rights = jnp.where(x.color == 1, x.castling_rights[::-1], x.castling_rights)
        square, black = int(x.en_passant), int(x.color)
        row = square % 8 if black else 7 - square % 8
        target = (row, square // 8) if square >= 0 else (-1, -1)
        return Clocks(rights.reshape(4), target, int(x.halfmove_count), int(x.fullmove_count))
    if kind == "gardner_chess":
        return Clocks(none, (-1, -1), int(state._halfmove_count), int(state._fullmove_count))
    return Clocks(none, (-1, -1), 0, 1 + int(moves_made(state)) // 2)


def chess_move(kind: str, action: int) -> tuple[int, int, int]:
    """From, to and promotion of an action of chess or Gardner chess.

    Squares count up each column in turn, as the player to move sees the board. Promotion is 0 for a rook,
    1 for a bishop, 2 for a knight, and -1 for a queen or none.
    """
    if kind == "chess":
        from pgx._src.games.chess import FROM_PLANE as TARGETS
    else:
        from pgx._src.gardner_chess_utils import TO_MAP as TARGETS
    targets = np.asarray(TARGETS)
    source, plane = divmod(action, targets.shape[1])
    return source, int(targets[source, plane]), plane // 3 if plane < 9 else -1
