"""Pictures of positions: every square is one of a few tiles, drawn once, so that an image is a look-up.

The player who began sits at the bottom. Captured pieces of shogi lie beside the board, one square for every
one of a kind up to three, the first player's on the right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from imaginax.envs import drawing
from imaginax.envs.drawing import BLUE, INK, ORANGE, PAPER, RED, SHADE, STEEL, Canvas
from imaginax.envs.games import glyphs, pgx_games
from imaginax.envs.games.names import GameName
from imaginax.types import State

_WOOD, _LIGHT, _DARK = (0.906, 0.745, 0.482), (0.945, 0.906, 0.835), (0.631, 0.737, 0.639)
_BLACK, _WHITE, _FELT = (0.11, 0.12, 0.14), (0.98, 0.98, 0.98), (0.200, 0.502, 0.380)
_TAG, _BOARD = (0.965, 0.882, 0.690), (0.855, 0.796, 0.659)
_CHESSMEN, _TAGS = "PNBRQK", {"shogi": "PLNSBRGKPLNSBR", "animal_shogi": "CEGLC"}
_PROMOTED = {"shogi": 8, "animal_shogi": 4}  # kinds from here on are promoted and red
_WIDTH = 320  # about, in pixels


def renderer(game_name: GameName) -> Callable[[State], UInt8[Array, "H W 3"]]:
    """A function from a state to its picture."""
    position = pgx_games.position(game_name)

    def render(state: State) -> UInt8[Array, "H W 3"]:
        seen = position(state)
        tiles = jnp.asarray(_tiles(game_name))
        index = _grounds(game_name, seen.squares.shape) * _kinds(game_name) + _codes(game_name, seen.squares)
        board = _assemble(tiles[index])
        if game_name.kind == "hex":
            return _shear(board, seen.squares.shape[0])
        if "shogi" in game_name.kind:
            return _with_hands(game_name, tiles, board, seen.hands, seen.squares.shape[0])
        return board

    return render


def svg(state: State) -> str:
    """One position as a vector image, drawn by pgx."""
    if not state.env_id.startswith("go_"):
        return state.to_svg()
    from pgx.go import State as GoState

    class AnyGo(GoState):
        """pgx draws boards of any size, and knows two names."""

        @property
        def env_id(self):
            return "go_19x19"

    return AnyGo(**vars(state)).to_svg()


def _pieces(game_name: GameName) -> int:
    return len(_TAGS[game_name.kind]) if "shogi" in game_name.kind else 6 if "chess" in game_name.kind else 1


def _kinds(game_name: GameName) -> int:
    return 2 * _pieces(game_name) + 1


def _codes(game_name: GameName, squares: Int[Array, "R C"]) -> Int[Array, "R C"]:
    """Of 0 (empty), the first player's pieces and the second's."""
    return jnp.where(squares < 0, _pieces(game_name) - squares, squares)


def _assemble(tiles: UInt8[Array, "R C h w 3"]) -> UInt8[Array, "H W 3"]:
    rows, columns, height, width, _ = tiles.shape
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)


def _grounds(game_name: GameName, shape: tuple[int, ...]) -> np.ndarray:
    """Which empty square lies where: 0 and 1 in chess; in Go by the lines that leave a point, and stars."""
    rows, columns = np.indices(shape)
    if "chess" in game_name.kind:
        return (rows + columns + shape[0]) % 2  # the lower left corner is dark
    if game_name.kind == "go":
        last = shape[0] - 1
        vertical = np.where(rows == 0, 0, np.where(rows == last, 2, 1))
        horizontal = np.where(columns == 0, 0, np.where(columns == last, 2, 1))
        return np.where(_stars(shape[0]), 9, 3 * vertical + horizontal)
    return np.zeros(shape, int)


def _stars(size: int) -> np.ndarray:
    lines = [3, size // 2, size - 4] if size >= 13 else [2, size // 2, size - 3] if size >= 9 else [size // 2]
    marked = np.zeros((size, size), bool)
    if size % 2:
        marked[np.ix_(lines, lines)] = True
    return marked


@functools.cache
def _tiles(game_name: GameName) -> np.ndarray:
    """[grounds * kinds, h, w, 3]: each kind of piece on each kind of empty square."""
    with jax.ensure_compile_time_eval():
        return np.stack([np.asarray(tile) for tile in _drawn(game_name)])


def _drawn(game_name: GameName):
    columns = {"tic_tac_toe": 3, "connect_four": 7, "othello": 8, "chess": 8, "gardner_chess": 5}
    across = {**columns, "shogi": 8, "animal_shogi": 5, "hex": round(1.5 * game_name.size)}
    size = 2 * (_WIDTH // across.get(game_name.kind, game_name.size) // 2)
    for ground in range(2 if "chess" in game_name.kind else 10 if game_name.kind == "go" else 1):
        for code in range(_kinds(game_name)):
            second, piece = divmod(code - 1, _pieces(game_name))
            page = _empty(game_name, size, ground)
            yield drawing.pixels(page if code == 0 else _draw(game_name, page, piece, second == 1))


def _empty(game_name: GameName, size: int, ground: int) -> Canvas:
    if "chess" in game_name.kind:
        return drawing.canvas(size, size, (_LIGHT, _DARK)[ground], extent=1.0)
    plain = {"go": _WOOD, "othello": _FELT, "connect_four": BLUE, "tic_tac_toe": PAPER, "hex": PAPER}
    page = drawing.canvas(size, size, plain.get(game_name.kind, _BOARD), extent=1.0)
    if game_name.kind == "go":
        return _crossing(page, ground)
    if game_name.kind == "hex":
        page = drawing.disc(page, (0, 0), 0.46, SHADE)
        return drawing.ring(page, (0, 0), 0.44, 0.04, STEEL)
    if game_name.kind == "connect_four":
        return drawing.disc(page, (0, 0), 0.40, PAPER)
    edge = INK if game_name.kind in ("othello", "tic_tac_toe") else STEEL
    for end in ((0.5, -0.5), (-0.5, 0.5)):
        page = drawing.line(page, (-0.5, -0.5), end, 0.03, edge)
        page = drawing.line(page, (0.5, 0.5), end, 0.03, edge)
    return page


def _crossing(page: Canvas, ground: int) -> Canvas:
    vertical, horizontal = (1, 1) if ground == 9 else divmod(ground, 3)
    top, bottom = (0.0 if vertical == 0 else 0.5), (0.0 if vertical == 2 else -0.5)
    left, right = (0.0 if horizontal == 0 else -0.5), (0.0 if horizontal == 2 else 0.5)
    page = drawing.line(page, (0, bottom), (0, top), 0.03, INK)
    page = drawing.line(page, (left, 0), (right, 0), 0.03, INK)
    return drawing.disc(page, (0, 0), 0.10, INK) if ground == 9 else page


def _draw(game_name: GameName, page: Canvas, piece: int, second: bool) -> Canvas:
    if "chess" in game_name.kind:
        colours = (_BLACK, _WHITE) if second else (_WHITE, _BLACK)
        return glyphs.chessman(page, _CHESSMEN[piece], *colours)
    if "shogi" in game_name.kind:
        page = glyphs.tag(page, _TAG, INK, upside_down=second)
        ink = RED if piece >= _PROMOTED[game_name.kind] else INK
        name = _TAGS[game_name.kind][piece]
        return glyphs.letter(page, name, ink, height=0.42, upside_down=second)
    if game_name.kind == "tic_tac_toe":
        return drawing.ring(page, (0, 0), 0.26, 0.09, ORANGE) if second else _cross(page)
    if game_name.kind == "connect_four":
        return drawing.disc(page, (0, 0), 0.40, ORANGE if second else RED)
    if game_name.kind == "hex":
        return drawing.disc(page, (0, 0), 0.42, BLUE if second else RED)
    page = drawing.disc(page, (0, 0), 0.46, STEEL if second else _BLACK)
    return drawing.disc(page, (0, 0), 0.43, _WHITE if second else _BLACK)


def _cross(page: Canvas) -> Canvas:
    page = drawing.capsule(page, (-0.24, -0.24), (0.24, 0.24), 0.05, BLUE)
    return drawing.capsule(page, (-0.24, 0.24), (0.24, -0.24), 0.05, BLUE)


def _shear(board: UInt8[Array, "H W 3"], size: int) -> UInt8[Array, "H2 W2 3"]:
    """Each row of Hex half a cell to the right of the one above; red edges on top and bottom, blue aside."""
    cell, edge = board.shape[0] // size, max(2, board.shape[0] // size // 5)
    red, blue = (jnp.round(255 * jnp.asarray(colour)).astype(jnp.uint8) for colour in (RED, BLUE))
    side = jnp.broadcast_to(blue, (board.shape[0], edge, 3))
    board = jnp.concatenate([side, board, side], axis=1)
    rim = jnp.broadcast_to(red, (edge, board.shape[1], 3))
    shift, width = cell // 2, board.shape[1] + (size - 1) * (cell // 2)
    paper = jnp.full((board.shape[0] + 2 * edge, width, 3), 247, jnp.uint8)
    starts = [(0, 0, rim)]
    for row in range(size):
        starts.append((edge + row * cell, row * shift, board[row * cell : (row + 1) * cell]))
    starts.append((edge + size * cell, (size - 1) * shift, rim))
    for top, left, strip in starts:
        paper = paper.at[top : top + strip.shape[0], left : left + strip.shape[1]].set(strip)
    return paper


def _with_hands(
    game_name: GameName, tiles: Array, board: Array, hands: Int[Array, "2 K"], rows: int
) -> Array:
    """A column of captured pieces on either side; how many there are of each shows as marks."""
    kinds, pieces = hands.shape[1], _pieces(game_name)
    columns = []
    for seat in (1, 0):
        codes = 1 + seat * pieces + np.arange(kinds)
        column = jnp.where((hands[seat] > 0)[:, None, None, None], tiles[codes], tiles[0])
        column = jax.vmap(_count)(column, hands[seat])
        blank = jnp.broadcast_to(tiles[0], (rows - kinds, *tiles.shape[1:]))
        column = jnp.concatenate([column, blank] if seat == 1 else [blank, column[::-1]])
        columns.append(_assemble(column[:, None]))
    gap = jnp.full((board.shape[0], 6, 3), 247, jnp.uint8)
    return jnp.concatenate([columns[0], gap, board, gap, columns[1]], axis=1)


def _count(tile: UInt8[Array, "h w 3"], count: Int[Array, ""]) -> UInt8[Array, "h w 3"]:
    """One mark on the lower edge for every piece beyond the first."""
    height, width, _ = tile.shape
    row, column = jnp.indices((height, width))
    slot = max(3, width // 9)
    marked = (row >= height - max(3, height // 8)) & (column // slot < count - 1) & (column % slot < slot - 1)
    return jnp.where(marked[..., None], jnp.round(255 * jnp.asarray(RED)).astype(jnp.uint8), tile)
