from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imaginax.arena.go import board as goban
from imaginax.arena.go.session import GoSession
from imaginax.arena.gtp import Gtp
from tests.arena.players import engine, said

ROOT = Path(__file__).parents[2]
GNUGO = shutil.which("gnugo") or shutil.which("/usr/games/gnugo")


def test_administration(gtp):
    assert said(gtp, "protocol_version", "12 name", "known_command play", "known_command x") == [
        "= 2",
        "=12 imaginax",
        "= true",
        "= false",
    ]
    commands = gtp.answer("list_commands")[2:].split("\n")
    required = (
        "protocol_version name version known_command list_commands quit boardsize clear_board komi play "
        "genmove undo time_settings time_left final_score final_status_list fixed_handicap "
        "place_free_handicap set_free_handicap reg_genmove loadsgf showboard kgs-time_settings "
        "kgs-genmove_cleanup"
    )
    assert set(required.split()) <= set(commands)
    assert all(gtp.answer(f"known_command {name}") == "= true" for name in commands)
    assert gtp.open and gtp.answer("quit") == "= " and not gtp.open


def test_lines_are_read_as_the_specification_has_it(gtp):
    assert said(gtp, "", "   ", "\t", "# genmove b", "\r\n", "\x07\x1b") == [None] * 6
    assert said(gtp, "\ufeffname", "\ufeff1 name\r\n", "\ufeff") == ["= imaginax", "=1 imaginax", None]
    assert gtp.answer("7\tplay\tblack\ta1 # the corner\r\n") == "=7 "
    assert gtp.answer("p\x01lay w b\x022\x7f") == "= "
    assert gtp.session.game.board.cells[goban.point_of(5, "B2")] == goban.WHITE
    assert said(gtp, "99", "4 4 name", "-1 name") == [
        "?99 unknown command",
        "?4 unknown command",
        "? unknown command",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("boardsize 9", "unacceptable size"),
        ("boardsize", "syntax error"),
        ("boardsize 5.5", "syntax error"),
        ("komi", "syntax error"),
        ("komi nan", "syntax error"),
        ("komi 1e99", "syntax error"),
        ("play", "syntax error"),
        ("play b", "syntax error"),
        ("play red a1", "invalid color or coordinate"),
        ("play b i3", "invalid color or coordinate"),
        ("play b a6", "invalid color or coordinate"),
        ("genmove", "syntax error"),
        ("genmove c", "invalid color or coordinate"),
        ("undo", "cannot undo"),
        ("fixed_handicap 2", "invalid number of stones"),
        ("place_free_handicap 1", "invalid number of stones"),
        ("set_free_handicap a1", "bad vertex list"),
        ("set_free_handicap a1 a1", "bad vertex list"),
        ("set_free_handicap a1 pass", "bad vertex list"),
        ("set_free_handicap a1 z9", "invalid color or coordinate"),
        ("time_settings 1 2", "syntax error"),
        ("time_settings -1 2 3", "syntax error"),
        ("time_left b 10", "syntax error"),
        ("kgs-time_settings byoyomi 10", "syntax error"),
        ("kgs-time_settings hourglass 10", "syntax error"),
        ("final_status_list lost", "syntax error"),
        ("known_command", "syntax error"),
        ("Genmove b", "unknown command"),
    ],
)
def test_errors(gtp, line, message):
    assert gtp.answer(line) == f"? {message}"
    assert gtp.answer(f"31 {line}") == f"?31 {message}"


def test_a_game_with_undo_and_a_handicap(gtp):
    assert said(gtp, "place_free_handicap 2", "fixed_handicap 2", "set_free_handicap a1 b1") == [
        "= B2 D4",
        "? board not empty",
        "? board not empty",
    ]
    assert gtp.answer("undo") == "? cannot undo"
    assert gtp.answer("genmove w") == "= pass", "the counting player's last move"
    assert said(gtp, "play b c3", "play b b4", "play w c3", "play b pass") == [
        "= ",
        "= ",
        "? illegal move",
        "= ",
    ]
    assert gtp.answer("showboard").split("\n")[1:7] == [
        "   A B C D E",
        " 5 . . . . . 5",
        " 4 . X . X . 4",
        " 3 . . X . . 3",
        " 2 . X . . . 2",
        " 1 . . . . . 1",
    ]
    assert said(gtp, "undo", "undo", "undo", "undo", "undo") == ["= "] * 4 + ["? cannot undo"]
    assert said(gtp, "clear_board", "set_free_handicap a1 e5 c3", "genmove w") == ["= ", "= ", "= pass"]
    assert gtp.session.engine.actions == [20, 25, 4, 25, 12], "three stones, and two passes between them"


def test_the_end_of_a_game(gtp):
    said(
        gtp,
        "komi 0.5",
        *[f"play b c{row}" for row in range(1, 6)],
        *[f"play w d{row}" for row in range(1, 6)],
    )
    assert gtp.answer("final_score") == "= B+4.5"
    assert said(gtp, "komi 7", "final_score") == ["= ", "= W+2"]
    assert gtp.answer("final_status_list alive") == "= C5 C4 C3 C2 C1\nD5 D4 D3 D2 D1"
    assert said(gtp, "final_status_list dead", "final_status_list seki") == ["= ", "= "]
    assert said(gtp, "play b pass", "genmove w", "genmove b", "play w e1") == ["= ", "= pass", "= pass", "= "]


def setup(gtp: Gtp, picture: str) -> None:
    """Puts stones on the board, Black's first."""
    cells = "".join(picture.split())
    for mark, colour in (("X", "b"), ("O", "w")):
        points = [point for point, cell in enumerate(cells) if cell == mark]
        said(gtp, *[f"play {colour} {goban.vertex(5, point)}" for point in points])


def test_every_stone_has_one_status_and_the_score_agrees(gtp):
    setup(gtp, ".X.XO XXXXO OOOOO .X... .....")
    assert said(gtp, "final_status_list dead", "final_status_list seki") == ["= B2", "= "]
    alive = gtp.answer("final_status_list alive").split()[1:]
    assert len(alive) == 6 + 7 and "B2" not in alive
    assert said(gtp, "komi 0.5", "final_score") == ["= ", "= W+9.5"]


def test_cleanup_captures_what_is_dead_before_it_passes(gtp):
    setup(gtp, ".X.XO XXXXO OOOOO .X... .....")
    assert gtp.answer("kgs-genmove_cleanup b") == gtp.answer("undo") + "pass", "White has no dead stone"
    liberties, chosen = {"A2", "C2", "B1"}, set()
    while gtp.session.game.board.cells[goban.point_of(5, "B2")] != goban.EMPTY:
        chosen.add(gtp.answer("kgs-genmove_cleanup w")[2:])
    assert chosen == liberties and gtp.answer("kgs-genmove_cleanup w") == "= pass"


def test_past_the_environments_last_move_it_passes(gtp):
    points = [goban.vertex(5, point) for point in range(25)]
    said(gtp, *[f"play b {point}" for point in points[:24]], f"play w {points[24]}")  # 48 moves, with passes
    assert gtp.session.game.board.captured == (0, 24)
    said(gtp, *[f"play b {point}" for point in points[:3]])
    assert said(gtp, "genmove w", "genmove b", f"play b {points[3]}") == ["= pass", "= pass", "= "]


def test_a_repeating_move_is_neither_accepted_nor_generated(gtp):
    stones = ["b b1", "b a2", "b b3", "w c1", "w d2", "w c3", "w b2", "b c2"]
    said(gtp, *[f"play {stone}" for stone in stones])
    assert gtp.answer("play w b2") == "? illegal move"
    gtp.session.engine.player.forget()
    legal = goban.legal(gtp.session.game.board, goban.WHITE)
    assert not legal[goban.point_of(5, "b2")]
    chosen = gtp.answer("reg_genmove w")
    assert chosen != "= B2" and gtp.session.game.board.cells[goban.point_of(5, "b2")] == goban.EMPTY


def test_resignation(table):
    for worth, expected in ((-0.95, "= resign"), (-0.8, "= pass")):
        losing = engine("go_5x5", worth=worth)
        assert Gtp(GoSession(losing, komi=24.5, resign=-0.9)).answer("genmove b") == expected
    del table


def test_time_settings_scale_the_search(gtp):
    player = gtp.session.engine.player
    sizes = (4096, 1024, 256, 64, 16, 4, 1)
    player._called, player._run_seconds = set(sizes), {size: size / 1000 for size in sizes}
    player._note = lambda simulations, seconds: None
    thoughts = []
    think = player._search
    player._search = lambda timestep, legal, size, start: (
        thoughts.append(size) or think(timestep, legal, size, start)
    )
    gtp.answer("reg_genmove b")
    said(gtp, "time_settings 30 0 0", "reg_genmove w")  # 9 moves to come: 3.3 seconds
    said(gtp, "time_left b 2 0", "reg_genmove b")
    said(gtp, "time_settings 0 20 10", "reg_genmove w", "time_left b 5 1", "reg_genmove b")
    said(gtp, "kgs-time_settings none", "reg_genmove w")
    said(gtp, "time_settings 0 1 0", "reg_genmove w")  # no limit, by the specification
    del player._search, player._note
    player._called, player._run_seconds = set(), {}
    assert thoughts == [16, 1024, 64, 1024, 4096, 16, 16]


def malformed(draw: random.Random) -> str:
    """A line that no engine may accept: a wrong word, a missing or a wrong argument."""
    junk = (
        "".join(draw.choice("abz019 -+.%$§é\\\"'{}[]<>_") for _ in range(draw.randint(1, 12))).strip() or "x"
    )
    shapes = (
        f"x{junk}",
        f"play {draw.choice('bw')} {draw.choice('FGHIZ')}{junk}",
        f"play {junk}q a1",
        f"genmove q{junk}",
        f"boardsize {draw.choice(['', '-5', '6', '1e9', 'nan', junk + 'x'])}",
        f"komi x{junk}",
        f"fixed_handicap {draw.choice(['x', '-1', '99999999999', 'inf', ''])}",
        f"set_free_handicap q{junk}",
        f"time_settings {junk}x",
        f"time_left {draw.choice('bw')} x {junk}",
        f"loadsgf /nowhere/{junk}.sgf",
        f"final_status_list x{junk}",
        "{}" * draw.randint(1, 2000),
    )
    prefix = draw.choice(["", "", f"{draw.randrange(10**9)} ", "\t", "  "])
    return prefix + draw.choice(shapes)


def test_a_thousand_malformed_lines_are_answered_by_errors(gtp):
    draw, before = random.Random(0), gtp.session.game
    for _ in range(1000):
        line = malformed(draw)
        answer = gtp.answer(line)
        assert answer is not None and re.fullmatch(r"\?\d* [^\n]+", answer), line
        assert "internal" not in answer, (line, answer)
    assert gtp.session.game is before and gtp.answer("name") == "= imaginax"


def test_anything_at_all_is_survived(gtp):
    draw, answers = random.Random(1), []
    words = [
        *gtp._commands,
        "b",
        "w",
        "a1",
        "c3",
        "pass",
        "0",
        "1",
        "2",
        "5",
        "-3",
        "0.5",
        "alive",
        "\x00",
        "é",
        "#",
    ]
    words.remove("quit")
    lines = [" ".join(draw.choices(words, k=draw.randint(0, 5))) for _ in range(1000)]
    gtp.serve(lines, answers.append)
    assert all(re.match(r"[=?]\d* ", answer) for answer in answers) and len(answers) > 700
    assert not [answer for answer in answers if "internal" in answer]
    assert sum(answer.startswith("=") for answer in answers) > 100


# ------------------------------------------------------------------ real clients


class Program:
    """A GTP engine as a process."""

    def __init__(self, *command: str):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def ask(self, line: str) -> str:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        lines = []
        while (heard := self.process.stdout.readline()) not in ("\n", ""):
            lines.append(heard.rstrip("\n"))
        answer = "\n".join(lines)
        assert answer.startswith("= "), f"{line}: {answer}"
        return answer[2:]

    def close(self) -> int:
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(GNUGO is None, reason="gnugo is not installed")
@pytest.mark.parametrize("opponent", ["random", "mcts:40"])
def test_a_whole_game_refereed_by_gnu_go(opponent):
    """GNU Go plays one side and accepts every move of ours; both count the same score in the end."""
    ours = Program(sys.executable, "-m", "tests.arena.protocol_program", "gtp", "go_5x5", opponent)
    gnugo = Program(
        GNUGO, "--mode", "gtp", "--chinese-rules", "--positional-superko", "--level", "1", "--seed", "1"
    )
    for line in ("boardsize 5", "clear_board", "komi 24.5"):
        gnugo.ask(line), ours.ask(line)
    passes = moves = 0
    while passes < 2:
        colour, mover, other = (("b", ours, gnugo), ("w", gnugo, ours))[moves % 2]
        move = mover.ask(f"genmove {colour}")
        other.ask(f"play {colour} {move}")
        passes = passes + 1 if move.lower() == "pass" else 0
        moves += 1
        assert moves < 200
        assert set(gnugo.ask("list_stones black").split()) == _black_stones(ours.ask("showboard"))
    assert gnugo.ask("final_score") == ours.ask("final_score")
    assert ours.close() == 0 and gnugo.close() is not None


def _black_stones(picture: str) -> set[str]:
    rows = re.findall(r"^ *(\d+) ([.XO ]+) \d+$", picture, re.MULTILINE)
    assert len(rows) == 5
    return {
        f"{'ABCDE'[column]}{row}"
        for row, cells in rows
        for column, cell in enumerate(cells.split())
        if cell == "X"
    }
