"""Games of Go that people played, as arrays; and their positions, for supervised learning.

AlphaGo Zero's Figure 3 b and c (Silver et al. 2017) ask how well a network predicts such moves and outcomes.
"""

from __future__ import annotations

import collections
import logging
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int8, Int16, PyTree

from imaginax.data import sgf
from imaginax.types import ConfigError, Environment

_log = logging.getLogger(__name__)
_NAMED = 5  # malformed records that are named
_LANES = 64  # games replayed at a time


class Games(NamedTuple):
    """G games of at most T moves each, on one size of board and from an empty one.

    Attributes:
        moves: row * size + column, size * size for a pass, -1 after the end.
        outcome: 1 if Black won, -1 if White did, 0 for a draw.
        komi: points that White was given; NaN where the record does not say.
        size: of the board.
    """

    moves: Int16[np.ndarray, "G T"]
    outcome: Int8[np.ndarray, "G"]
    komi: Float32[np.ndarray, "G"]
    size: int


class Positions(NamedTuple):
    """M positions, in the order of their games.

    Attributes:
        planes: what the player to move sees, as `env.game.pack` stores it.
        move: that was played.
        outcome: 1 if the player to move went on to win, -1 to lose, 0 for a draw.
        game: whose position it is, an index into the games that were replayed.
    """

    planes: PyTree
    move: Int16[np.ndarray, "M"]
    outcome: Int8[np.ndarray, "M"]
    game: Int[np.ndarray, "M"]


def read_games(path: Path | str, size: int) -> tuple[Games, dict[str, int]]:
    """The games in a folder of .sgf files, with the folders in it; in a zip archive of them; or in one file.

    What is malformed is logged: the first few records with their lines.

    Args:
        path: of the folder, archive or file.
        size: of the board; games on others are left out.

    Returns:
        The games, in the order of the files' names, and how many records were left out for which reason.

    Raises:
        ConfigError: if there is nothing to read or no game to keep.
    """
    kept: dict[bytes, tuple[np.ndarray, int, float]] = {}
    skipped: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    for record in _records(Path(path)):
        if isinstance(record, ConfigError):
            faults.append(str(record))
        elif reason := _objection(record, size):
            skipped[reason] += 1
        else:
            moves = np.array([_action(move, size) for move in record.moves], np.int16)
            komi = np.nan if record.komi is None else record.komi
            skipped["repeated"] += moves.tobytes() in kept
            kept.setdefault(moves.tobytes(), (moves, sgf.winner(record.result) or 0, komi))
    skipped["malformed"] = len(faults)
    if not kept:
        what = [f"no finished game on {size}x{size}; left out: {dict(+skipped)}", *faults[:1]]
        raise ConfigError(f"{path} holds {'; '.join(what)}")
    if faults:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        _log.warning("%s: left out as malformed: %s%s", path, "; ".join(faults[:_NAMED]), more)
    return _arrays(list(kept.values()), size), dict(+skipped)


def split(games: Games, test_share: float = 0.1) -> tuple[Games, Games]:
    """Training and test games.

    Where a game goes depends on its moves alone, so it stays there when other games come or go.

    Raises:
        ConfigError: if `test_share` does not lie in [0, 1].
    """
    if not 0.0 <= test_share <= 1.0:
        raise ConfigError(f"test_share must lie in [0, 1], got {test_share}")
    sums = np.array(
        [zlib.crc32(moves[moves >= 0].astype("<i2").tobytes()) for moves in games.moves], np.uint32
    )
    test = sums < test_share * 2.0**32
    return _take(games, ~test), _take(games, test)


def positions(games: Games, env: Environment) -> tuple[Positions, dict[str, int]]:
    """Every position of the games in which a move was made, by replaying them.

    Args:
        games: see `read_games`.
        env: Go on boards of that size (`envs.make("go_9x9")`), not vectorised.

    Returns:
        Positions, without those of games with an illegal move or with moves after the end by the
        environment's rules; and the number of games that were left out for that reason.

    Raises:
        ConfigError: if the environment is not Go on that size of board.
    """
    game, actions = env.game, getattr(env.spec.action, "size", 0)
    if game is None or actions != games.size**2 + 1:
        raise ConfigError(f"environment {env.spec.name} is not Go on {games.size}x{games.size}")
    replay = jax.jit(jax.vmap(lambda moves: _replay(env, moves)))
    parts, illegal = [], 0
    for start in range(0, len(games.moves), _LANES):
        rows = np.arange(start, min(start + _LANES, len(games.moves)))
        moves = np.full((_LANES, games.moves.shape[1]), -1, np.int16)
        moves[: len(rows)] = games.moves[rows]
        planes, legal = jax.device_get(replay(jnp.asarray(moves)))
        fair = legal.all(axis=1)
        illegal += int((~fair).sum())
        parts.append(_positions(games, planes, rows, fair))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts), {"illegal": illegal}


def _positions(games: Games, planes: PyTree, rows: np.ndarray, fair: np.ndarray) -> Positions:
    """Of games `rows`, whose replay gave planes [lanes T ...], those that were `fair`."""
    lanes, times = np.nonzero((games.moves[rows] >= 0) & fair[: len(rows), None])
    mover = np.where(times % 2, -1, 1).astype(np.int8)  # Black begins
    chosen = rows[lanes]
    return Positions(
        planes=jax.tree.map(lambda leaf: leaf[lanes, times], planes),
        move=games.moves[chosen, times],
        outcome=mover * games.outcome[chosen],
        game=chosen,
    )


def _replay(env: Environment, moves: Array) -> tuple[PyTree, Bool[Array, "T"]]:
    """The packed planes before each move, and whether it was legal; where there is no move it is."""
    assert env.game is not None
    pack, planes_of = env.game.pack, env.game.planes

    def step(carry: PyTree, move: Array) -> tuple[PyTree, tuple[PyTree, Array]]:
        state, legal, over = carry
        fair = (move < 0) | (legal[move] & ~over)
        seen = pack(planes_of(state))
        state, timestep = env.step(state, jnp.maximum(move, 0).astype(jnp.int32), key)
        return (state, timestep.legal, timestep.last), (seen, fair)

    key = jax.random.key(0)  # the game draws nothing at random
    state, timestep = env.init(key)
    return jax.lax.scan(step, (state, timestep.legal, timestep.last), moves)[1]


def _records(path: Path) -> Iterator[sgf.Record | ConfigError]:
    """Every record at a path, or why it cannot be read, in the order of the files' names."""
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if _is_record(file) and file.is_file()):
            try:
                yield from sgf.games(sgf.load(file), str(file))
            except ConfigError as error:
                yield error
    elif path.is_file() and zipfile.is_zipfile(path):
        yield from _archived(path)
    else:
        yield from sgf.games(sgf.load(path), str(path))


def _archived(path: Path) -> Iterator[sgf.Record | ConfigError]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(name for name in archive.namelist() if _is_record(PurePath(name))):
            try:
                data = archive.read(name)
            except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:  # damaged, or a password
                yield ConfigError(f"{path}/{name} cannot be read: {error}")
            else:
                yield from sgf.games(sgf.decode(data), f"{path}/{name}")


def _is_record(path: PurePath) -> bool:
    """By its name; `._` begins those in which macOS keeps a file's attributes."""
    return path.suffix.lower() == ".sgf" and not path.name.startswith("._")


def _objection(record: sgf.Record, size: int) -> str | None:
    """Why a record is of no use; None if it is."""
    if record.size != size:
        return "other size"
    if record.setup or record.handicap > 1:  # of 1 stone: Black begins as always
        return "handicap"
    if record.changes:
        return "set up in the game"  # no history of moves leads there
    if sgf.winner(record.result) is None or not record.moves:
        return "unfinished"
    colours = "".join(move.colour for move in record.moves)
    return None if colours == ("BW" * len(colours))[: len(colours)] else "not in turn"


def _action(move: sgf.Move, size: int) -> int:
    return size * size if move.point is None else move.point[0] * size + move.point[1]


def _arrays(rows: list[tuple[np.ndarray, int, float]], size: int) -> Games:
    moves = np.full((len(rows), max(len(row[0]) for row in rows)), -1, np.int16)
    for filled, (row, _, _) in zip(moves, rows, strict=True):
        filled[: len(row)] = row
    outcome = np.array([row[1] for row in rows], np.int8)
    return Games(moves, outcome, np.array([row[2] for row in rows], np.float32), size)


def _take(games: Games, chosen: np.ndarray) -> Games:
    return Games(games.moves[chosen], games.outcome[chosen], games.komi[chosen], games.size)
