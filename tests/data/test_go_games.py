"""Games from small files; their positions against rules of Go written here with sets of stones."""

import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.data import go_games, sgf
from imaginax.data.go_games import Games, positions, read_games, split
from imaginax.data.sgf import Move, Record
from imaginax.types import ConfigError

SIZE = 5


def record(points, result="B+R", **fields):
    moves = tuple(Move("BW"[i % 2], point) for i, point in enumerate(points))
    return Record(moves, SIZE, result=result, **fields)


GAMES = {
    "a.sgf": record([(0, 1), (0, 0), (1, 0), (4, 4)], "W+2", komi=6.5),
    "b.SGF": record([(2, 2), None, None], "B+R", komi=0.0, handicap=1),
    "folder/c.sgf": record([(2, 2), (1, 1)], "0"),
}
USELESS = {
    "d.sgf": record([(2, 2), None, None], "W+R"),  # the moves of b
    "e.sgf": record([(3, 3)], "?"),
    "f.sgf": record([], "B+R"),
    "g.sgf": record([(3, 3)], handicap=2),
    "h.sgf": record([(3, 3)], setup=(Move("B", (0, 0)),)),
    "i.sgf": Record((Move("W", (0, 0)),), SIZE, result="B+1"),
    "j.sgf": Record((Move("B", (0, 0)),), 19, result="B+1"),
    "l.sgf": record([(3, 3)], changes=(sgf.Change(1, removed=((3, 3),)),)),
}
SKIPPED = {"repeated": 1, "unfinished": 2, "handicap": 2, "not in turn": 1, "other size": 1, "malformed": 1}
SKIPPED |= {"set up in the game": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("games")
    (path / "folder").mkdir()
    for name, game in (GAMES | USELESS).items():
        (path / name).write_text(sgf.text(game))
    (path / "k.sgf").write_text("(;SZ[5];B[")
    (path / "readme.txt").write_text("no game")
    (path / "._a.sgf").write_bytes(b"\0\5\26\7")
    return path


@pytest.fixture(scope="module")
def archive(folder):
    path = folder.parent / "games.zip"
    with zipfile.ZipFile(path, "w") as file:
        for game in sorted(folder.rglob("*.*"), reverse=True):
            file.write(game, game.relative_to(folder))
    return path


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_reads_what_is_of_use_counts_the_rest_and_names_what_is_malformed(kind, request, caplog):
    path = request.getfixturevalue(kind)
    games, skipped = read_games(path, SIZE)
    assert skipped == SKIPPED
    assert caplog.messages == [f"{path}: left out as malformed: {path}/k.sgf, line 1: a value without ]"]
    np.testing.assert_array_equal(games.moves, [[1, 0, 5, 24], [12, 25, 25, -1], [12, 6, -1, -1]])
    np.testing.assert_array_equal(games.outcome, [-1, 1, 0])
    np.testing.assert_array_equal(games.komi, [6.5, 0, np.nan])


def test_reads_one_file_and_says_if_there_is_nothing(folder):
    assert len(read_games(folder / "a.sgf", SIZE)[0].moves) == 1
    with pytest.raises(ConfigError, match=r"e\.sgf holds no finished game on 5x5; left out: .*unfinished.*1"):
        read_games(folder / "e.sgf", SIZE)
    with pytest.raises(ConfigError, match=r"nowhere cannot be read: No such file or directory$"):
        read_games(folder / "nowhere", SIZE)


def test_one_bad_record_leaves_the_others_of_its_file(tmp_path, caplog):
    path = tmp_path / "all.sgf"
    games = [sgf.text(record([(2, 2), (0, n)], komi=7.0)) for n in range(4)]
    path.write_text("mail\n" + games[0] + "(;SZ[5]KM[7.x])\n" * 7 + "".join(games[1:]) + "end (c)\n")
    kept, skipped = read_games(path, SIZE)
    assert skipped == {"malformed": 7} and kept.moves.tolist() == [[12, n] for n in range(4)]
    (message,) = caplog.messages
    assert "all.sgf, line 4: KM[7.x] is no number; " in message and message.endswith("; and 2 more")
    path.write_text("(;SZ[5]KM[7.x])")
    with pytest.raises(ConfigError, match=r"malformed.*all\.sgf, line 1: KM\[7\.x\] is no number"):
        read_games(path, SIZE)


def test_a_damaged_member_of_an_archive_is_named(tmp_path, caplog):
    path = tmp_path / "games.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, game in GAMES.items():
            file.writestr(name, sgf.text(game))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"W[aa]", b"W[ab]"))  # in a.sgf, whose checksum tells
    kept, skipped = read_games(path, SIZE)
    assert len(kept.moves) == 2 and skipped == {"malformed": 1}
    assert "games.zip/a.sgf cannot be read: Bad CRC-32" in caplog.messages[0]


def test_komi_of_chinese_servers_reaches_the_games(tmp_path):
    (tmp_path / "fox.sgf").write_text("(;SZ[5]KM[375]RU[Chinese]AP[foxwq]RE[W+R];B[cc];W[bb])")
    assert read_games(tmp_path, SIZE)[0].komi.tolist() == [7.5]


def random_games(count, length):
    random = np.random.default_rng(0)
    moves = random.integers(0, SIZE * SIZE, (count, length)).astype(np.int16)
    return Games(moves, np.ones(count, np.int8), np.zeros(count, np.float32), SIZE)


def test_split_is_by_game_near_its_share_and_stays_when_games_come_or_go():
    games = random_games(2000, 6)
    train, test = split(games, 0.2)
    assert len(train.moves) + len(test.moves) == 2000 and 330 < len(test.moves) < 470
    fewer = Games(games.moves[::3], games.outcome[::3], games.komi[::3], SIZE)
    wider = np.pad(fewer.moves, ((0, 0), (0, 4)), constant_values=-1)  # with a longer game among them
    _, again = split(fewer._replace(moves=wider), 0.2)
    expected = {row.tobytes() for row in test.moves} & {row.tobytes() for row in fewer.moves}
    assert {row[:6].tobytes() for row in again.moves} == expected
    assert len(split(games, 0.0)[1].moves) == 0 and len(split(games, 1.0)[0].moves) == 0
    with pytest.raises(ConfigError, match="test_share"):
        split(games, 1.5)


# ------------------------------------------------------------------ replay


def neighbours(point):
    around = (
        (point[0] + 1, point[1]),
        (point[0] - 1, point[1]),
        (point[0], point[1] + 1),
        (point[0], point[1] - 1),
    )
    return [p for p in around if 0 <= p[0] < SIZE and 0 <= p[1] < SIZE]


def group_without_liberty(board, point):
    """The chain of stones at a point, or nothing if it can breathe."""
    chain, edge = {point}, [point]
    while edge:
        for other in neighbours(edge.pop()):
            if other not in board:
                return set()
            if board[other] == board[point] and other not in chain:
                chain.add(other)
                edge.append(other)
    return chain


def after(board, point, colour):
    """The board after a stone, None if the rules forbid it (without those on repetition)."""
    if point in board:
        return None
    board = board | {point: colour}
    for other in neighbours(point):
        if board.get(other) == -colour:
            for dead in group_without_liberty(board, other):
                board.pop(dead)
    return None if group_without_liberty(board, point) else board


def play_out(seed, length=24):
    """A random legal game without repetition of boards, and the board before each move as +-1."""
    random, board, seen, moves, boards = np.random.default_rng(seed), {}, [{}], [], []
    for turn in range(length):
        colour = 1 - 2 * (turn % 2)
        tries = ((int(p) // SIZE, int(p) % SIZE) for p in random.permutation(SIZE * SIZE))
        fair = ((p, b) for p in tries if (b := after(board, p, colour)) is not None and b not in seen)
        if (found := next(fair, None)) is None:
            break
        image = np.zeros((SIZE, SIZE), int)
        for point, stone in board.items():
            image[point] = stone
        point, board = found
        boards.append(image)
        moves.append(point[0] * SIZE + point[1])
        seen.append(board)
    return moves, boards


@pytest.fixture(scope="module")
def go():
    return envs.make(f"go_{SIZE}x{SIZE}")


@pytest.fixture(scope="module")
def replayed(go):
    """66 games, so that the last lanes are empty: 62 fair ones, and 4 that are not."""
    played = [play_out(seed) for seed in range(62)]
    bad = [[7, 7], [1, 24, 5, 0], [25, 25, 3], [3, 3]]  # occupied, suicide, after the end, occupied
    rows = [moves for moves, _ in played[:30]] + bad[:3] + [moves for moves, _ in played[30:]] + bad[3:]
    moves = np.full((len(rows), 24), -1, np.int16)
    for filled, row in zip(moves, rows, strict=True):
        filled[: len(row)] = row
    outcome = np.array([1, -1, 0] * 22, np.int8)
    games = Games(moves, outcome, np.zeros(66, np.float32), SIZE)
    found, skipped = positions(games, go)
    boards = [images for _, images in played]
    return games, found, skipped, dict(zip([*range(30), *range(33, 65)], boards, strict=True))


def test_positions_of_illegal_games_are_left_out(replayed):
    games, found, skipped, boards = replayed
    assert skipped == {"illegal": 4}
    assert set(found.game) == set(boards)
    kept = games.moves[sorted(boards)]
    np.testing.assert_array_equal(found.move, kept[kept >= 0])


def test_planes_are_the_board_before_the_move_as_the_mover_sees_it(replayed, go):
    _, found, _, boards = replayed
    planes = jax.jit(jax.vmap(go.game.unpack))(jax.tree.map(jnp.asarray, found.planes))
    images = np.array([image for game in sorted(boards) for image in boards[game]])
    turn = np.array([t for game in sorted(boards) for t in range(len(boards[game]))])
    mover = 1 - 2 * (turn % 2)
    np.testing.assert_array_equal(planes[..., 0], images == mover[:, None, None])
    np.testing.assert_array_equal(planes[..., 1], images == -mover[:, None, None])
    assert (
        sum(after_.sum() < before.sum() for before, after_ in zip(abs(images), abs(images[1:]), strict=False))
        > 62
    )


def test_outcomes_are_those_of_the_player_to_move(replayed):
    games, found, _, boards = replayed
    turn = np.concatenate([np.arange(len(boards[game])) for game in sorted(boards)])
    np.testing.assert_array_equal(found.outcome, games.outcome[found.game] * (1 - 2 * (turn % 2)))


def test_other_environments_are_refused():
    games = random_games(1, 3)
    for name in ("tic_tac_toe", "pendulum"):
        with pytest.raises(ConfigError, match=f"environment {name} is not Go on 5x5"):
            positions(games, envs.make(name))


def test_a_real_file_can_be_read_from_what_was_written(tmp_path, go):
    """Written, read and replayed: the moves come back."""
    moves, _ = play_out(7)
    points = [divmod(move, SIZE) for move in moves]
    (tmp_path / "x.sgf").write_text(sgf.text(record(points, "W+1")))
    games, _ = go_games.read_games(tmp_path, SIZE)
    found, _ = positions(games, go)
    np.testing.assert_array_equal(found.move, moves)
