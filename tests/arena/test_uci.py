from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from imaginax.arena.engine import MoveChoice, SearchLimit
from imaginax.arena.uci import Uci
from imaginax.arena.uci_go import centipawns, limit_of, settings_of
from imaginax.arena.uci_search import BackgroundSearch
from tests.arena.players import engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    """Tic-tac-toe, which compiles at once; the conversation does not depend on the game."""
    return engine("tic_tac_toe", simulations=16)


@pytest.fixture(scope="module")
def chess_table():
    return engine("chess", simulations=16)


@pytest.fixture
def uci(table):
    table.reset()
    table.player.set_simulations(16)
    return Client(table)


class Client(Uci):
    """A conversation whose answers are kept."""

    def __init__(self, table, *, temperature: float = 0.0):
        self.heard: list[str] = []
        say = lambda text: self.heard.extend(text.split("\n"))  # noqa: E731
        super().__init__(table, say, simulations=16, temperature=temperature)

    def ask(self, *lines: str) -> list[str]:
        """The answers to lines, once a search that they began has ended."""
        self.heard.clear()
        for line in lines:
            self.hear(line)
        self._wait()
        return list(self.heard)


def test_introduction(uci):
    lines = uci.ask("uci")
    assert lines[0].startswith("id name imaginax ") and lines[-1] == "uciok"
    options = [line.split()[2] for line in lines if line.startswith("option name ")]
    assert options == ["Threads", "Hash", "Temperature", "Simulations", "UCI_Variant"]
    assert uci.ask("isready", "debug on", "register later", "stop", "ponderhit", "") == ["readyok"]


def test_a_search_tells_its_line_and_its_move(uci):
    lines = uci.ask("position startpos moves a1 b2", "go")
    assert lines[-1] == "bestmove c3"
    found = re.fullmatch(r"info depth 1 nodes 16 nps \d+ time \d+ score cp 1 pv c3", lines[0])
    assert found and len(lines) == 2
    assert uci.ask("go nodes 900")[-1] == "bestmove c3" and " nodes 900 " in uci.heard[0]
    assert uci.heard[0].split(" cp ")[1].split()[0] == str(centipawns(0.09)) == "31"
    assert uci.ask("go depth 3 searchmoves a2 b3 a3")[-1] == "bestmove b3"
    assert uci.ask("setoption name Simulations value 64", "go")[0].split()[4] == "64"
    assert uci.ask("setoption name temperature value 400", *["go"] * 1)[-1].startswith("bestmove ")


def test_temperature_draws_moves(uci):
    uci.ask("setoption name Temperature value 1000")
    moves = {uci.ask("go")[-1] for _ in range(12)}
    assert len(moves) > 2


def test_positions_follow_the_game_and_only_new_moves_are_made(uci, table, monkeypatch):
    made = []
    play = table.play
    monkeypatch.setattr(table, "play", lambda action: made.append(action) or play(action))
    assert uci.ask("position startpos moves a1") == [] and made == [0]
    uci.ask("position startpos moves a1 b2 c3")
    assert made == [0, 4, 8], "the moves that were known are not made again"
    uci.ask("position startpos moves a1 c3")
    assert made == [0, 4, 8, 0, 8] and table.actions == [0, 8]
    assert uci.ask("position startpos moves a1 c3 c3 b2") == [
        "info string error: move 3 (c3): illegal move 'c3'"
    ]
    assert table.actions == [0, 8]
    assert uci.ask("ucinewgame", "go")[-1] == "bestmove c3" and table.actions == []


def test_a_finished_game_has_no_move(uci):
    assert uci.ask("position startpos moves a1 a2 b1 b2 c1", "go") == ["bestmove 0000"]
    assert uci.ask("position startpos", "go searchmoves")[-1] == "bestmove c3"


@pytest.mark.parametrize("go", ["go infinite", "go ponder", "go movetime 1", "go nodes 3"])
@pytest.mark.parametrize(
    "line", ["position startpos moves a1", "setoption name Hash value 3", "ucinewgame", "go nodes 2"]
)
def test_a_command_during_a_search_ends_it_and_is_done(uci, go, line):
    lines = uci.ask(go, "isready", line)
    lines = [each for each in lines if not each.startswith("info depth")]
    assert sorted(lines) == ["bestmove c3"] * (1 + line.startswith("go")) + ["readyok"]
    assert uci.engine.actions == ([0] if "a1" in line else [])


def test_endless_searches_wait_for_stop_although_they_have_ended(uci):
    uci.hear("go infinite")
    deadline = time.monotonic() + 30
    while sum(line.startswith("info depth") for line in uci.heard) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert not any(line.startswith("bestmove") for line in uci.heard)
    nodes = [int(line.split()[4]) for line in uci.heard]
    assert nodes == [16, 64, 256, 1024, 4096]
    uci.ask("stop")
    assert uci.heard == ["bestmove c3"]


def test_the_client_that_leaves_gets_its_answer(uci):
    uci.serve(["position startpos\n", "go infinite\n"])
    assert uci.heard[-1] == "bestmove c3"
    uci.heard.clear()
    uci.serve(iter(["go\n", "quit\n", "uci\n"]))
    assert uci.heard[-1] == "bestmove c3" and "uciok" not in uci.heard


# ------------------------------------------------------------------- the search


def choice(simulations: int) -> MoveChoice:
    return MoveChoice(simulations, np.ones(1), 0.0, (simulations,), simulations, 0.0)


def test_stop_is_answered_before_the_search_under_way_has_ended():
    answers, released = [], threading.Event()

    def think(limit, stop, report):
        report(choice(1))
        assert released.wait(10)
        report(choice(2))
        return choice(2)

    search = BackgroundSearch(think, SearchLimit(), report=lambda each: None, answer=answers.append)
    search.stop()
    assert answers == [choice(1)] and not search.running
    released.set()
    search.wait()
    assert answers == [choice(1)], "one answer only"


def test_a_search_that_fails_is_answered(capsys):
    answers = []

    def think(limit, stop, report):
        raise RuntimeError("out of memory")

    for limit in (SearchLimit(), SearchLimit(endless=True)):
        search = BackgroundSearch(think, limit, report=lambda each: None, answer=answers.append)
        search.stop()
        search.wait()
    assert answers == [None, None] and "out of memory" in capsys.readouterr().err


# ---------------------------------------------------------------------- numbers


def test_scores_are_on_the_logistic_scale():
    for points in (-300, -57, 0, 1, 100, 250):
        expected = 1 / (1 + 10 ** (-points / 400))  # Elo's formula for the mean of 0 and 1
        assert centipawns(2 * expected - 1) == points
    assert centipawns(1.0) == -centipawns(-1.0) == 1720


@pytest.mark.parametrize(
    ("line", "black", "limit"),
    [
        ("", False, SearchLimit()),
        ("depth 12", False, SearchLimit()),
        ("nodes 50", False, SearchLimit(50)),
        ("nodes 0", False, SearchLimit(1)),
        ("infinite", False, SearchLimit(endless=True)),
        ("ponder wtime 1000 btime 1000", False, SearchLimit(endless=True)),
        ("movetime 1500", False, SearchLimit(seconds=1.5)),
        ("movetime 1500 nodes 10", False, SearchLimit(10, 1.5)),
        ("wtime 60000 btime 1000", False, SearchLimit(seconds=pytest.approx(1.95))),
        ("wtime 60000 btime 30000 winc 0 binc 1000", True, SearchLimit(seconds=pytest.approx(1.75))),
        ("wtime 60000 btime 1000 movestogo 10", False, SearchLimit(seconds=pytest.approx(5.95))),
        ("wtime -20 btime 1000", False, SearchLimit(seconds=pytest.approx(0.01))),
        ("btime 1000", False, SearchLimit()),
    ],
)
def test_what_go_asks_for(line, black, limit):
    assert limit_of(settings_of(line.split())[0], black=black) == limit


def test_moves_to_search_end_at_the_next_word():
    assert settings_of("searchmoves e2e4 d2d4 nodes 5".split()) == ({"nodes": 5}, ["e2e4", "d2d4"])


# -------------------------------------------------------------------- robustness


def malformed(draw: random.Random) -> str:
    """A line that means nothing, or something that cannot be."""
    junk = "".join(draw.choice("abz019-+.%$§é\\\"'{}[]<>_/") for _ in range(draw.randint(1, 12)))
    shapes = (
        f"x{junk}",
        f"position {draw.choice(['', 'here', 'fen', 'startpos x', 'fen ' + junk, f'moves {junk}'])}",
        f"position startpos moves z{junk}",
        f"position fen {junk} w - - 0 1 moves e2e4",
        f"setoption {draw.choice(['', junk, 'name', f'name x{junk} value 1', 'name Simulations value 0'])}",
        f"setoption name Threads value {draw.choice(['', '0', '2', 'x', '-1'])}",
        f"setoption name UCI_Variant value x{junk}",
        "{}" * draw.randint(1, 2000),
    )
    return draw.choice(["", "", " ", "\t"]) + draw.choice(shapes)


def test_a_thousand_malformed_lines_are_answered_by_errors(uci):
    draw = random.Random(0)
    for _ in range(1000):
        line = malformed(draw)
        lines = uci.ask(line)
        assert len(lines) == 1 and lines[0].startswith("info string error: "), (line, lines)
    assert uci.ask("isready") == ["readyok"]


@pytest.mark.parametrize(
    ("line", "nodes"),
    [
        ("go foo nodes 3", 3),
        ("go nodes 3 foo bar", 3),
        ("joho go nodes 3", 3),
        ("\ufeffgo nodes 3", 3),
        ("  go\tnodes  3\r\n", 3),
        ("go nodes", 16),
        ("go nodes x", 16),
        ("go nodes 1.5", 16),
        ("go nodes nodes 3", 3),
        ("go nodes -4", 1),
        ("go nodes 99999999999", 4096),
        ("go nodes 999999999999999999999999", 16),
        ("go depth", 16),
        ("go searchmoves", 16),
        ("go searchmoves zz", 16),
        ("go searchmoves zz c3 nodes 3", 3),
        ("go movetime x nodes 3", 3),
        ("go wtime btime", 16),
    ],
)
def test_what_means_nothing_is_skipped_and_every_go_has_its_move(uci, line, nodes):
    """UCI: unknown tokens are ignored, and the rest of the line is read."""
    lines = uci.ask(line)
    assert lines[-1] == "bestmove c3" and f" nodes {nodes} " in lines[0], lines


def test_the_temperature_of_the_command_line_is_the_clients_default(table):
    table.reset()
    uci = Client(table, temperature=20.0)
    assert "option name Temperature type spin default 2000 min 0 max 2000" in uci.ask("uci")
    assert len({uci.ask("go")[-1] for _ in range(12)}) > 2
    uci.ask("setoption name Temperature value 0")
    assert {uci.ask("go")[-1] for _ in range(4)} == {"bestmove c3"}


@pytest.mark.parametrize(
    "fen",
    [
        "8/8/4k3/8/8/3K4/8/8 w - - 0 1",
        "8/8/4k3/8/8/3KB3/8/8 b - - 0 1",
        "8/8/4k3/8/8/3KN3/8/8 w - - 40 60",
        "4k3/8/8/8/8/8/8/4KR2 w - - 120 90",
    ],
)
def test_chess_goes_on_where_the_game_of_the_run_is_drawn(chess_table, fen):
    """Without mating material, or after more than 50 moves: python-chess's legal moves are answered."""
    chess = pytest.importorskip("chess")
    board, uci = chess.Board(fen), Client(chess_table)
    for _ in range(2):
        answer = uci.ask(f"position fen {fen} moves {' '.join(map(str, board.move_stack))}", "go")[-1]
        board.push(board.parse_uci(answer.removeprefix("bestmove ")))


def test_a_variant_goes_on_after_a_repetition():
    """Animal shogi is drawn at the third occurrence; the client may play on, and every move stays legal."""
    uci = Client(engine("animal_shogi", simulations=16))
    shuffle = ["c1c2", "a4a3", "c2c1", "a3a4"]
    lines = uci.ask(f"position startpos moves {' '.join(shuffle * 3)}", "go")
    moves = shuffle * 3 + [lines[-1].removeprefix("bestmove ")]
    assert len(lines) == 2 and moves[-1] != "0000"
    assert uci.ask(f"position startpos moves {' '.join(moves)}", "go")[-1] != "bestmove 0000"


def test_a_game_that_is_lost_does_not_go_on(uci):
    assert uci.ask("position startpos moves a1 a2 b1 b2 c1", "go", "go nodes 3") == ["bestmove 0000"] * 2


def test_mate_and_stalemate_have_no_move(chess_table):
    uci = Client(chess_table)
    for fen in ("R5k1/5ppp/8/8/8/8/8/4K3 b - - 0 1", "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1"):
        assert uci.ask(f"position fen {fen}", "go") == ["bestmove 0000"]


def test_anything_at_all_is_survived(uci):
    draw = random.Random(1)
    words = [
        *uci._commands,
        "startpos",
        "moves",
        "a1",
        "b2",
        "fen",
        "infinite",
        "nodes",
        "1",
        "0",
        "-5",
        "name",
    ]
    words = [*(word for word in words if word != "quit"), "value", "Simulations", "searchmoves", "\x00", "é"]
    for _ in range(1000):
        uci.hear(" ".join(draw.choices(words, k=draw.randint(0, 5))))
    assert uci.ask("stop", "isready")[-1] == "readyok"
    known = re.compile(r"(info|bestmove|id|option|uciok|readyok)\b")
    assert all(known.match(line) for line in uci.heard)


# ------------------------------------------------------------------ real clients


@pytest.mark.slow
def test_a_whole_game_of_chess_through_python_chess():
    """python-chess starts the program, asks for every move and accepts it; the game ends by its rules."""
    chess = pytest.importorskip("chess")
    clients = pytest.importorskip("chess.engine")
    command = [sys.executable, "-m", "tests.arena.protocol_program", "uci", "chess", "random"]
    board = chess.Board("4k3/pppp4/8/8/8/8/4PPPP/4K3 w - - 0 1")
    with clients.SimpleEngine.popen_uci(command, cwd=ROOT, timeout=120) as program:
        assert program.id["author"] == "the imaginax authors"
        program.configure({"Hash": 32})
        while not board.is_game_over() and len(board.move_stack) < 60:
            played = program.play(board, clients.Limit(time=0.01), info=clients.INFO_ALL)
            assert played.move in board.legal_moves
            assert played.info["pv"][0] == played.move and played.info["score"].relative.score() == 0
            board.push(played.move)
        assert len(board.move_stack) > 20
        with program.analysis(board, clients.Limit(nodes=1)) as analysis:
            assert analysis.wait().move in board.legal_moves
        shuffled = chess.Board()
        for move in ["g1f3", "g8f6", "f3g1", "f6g8"] * 3:
            shuffled.push_uci(move)
        assert program.play(shuffled, clients.Limit(time=0.01)).move in shuffled.legal_moves


@pytest.mark.slow
def test_bytes_that_are_no_text_and_the_end_of_input():
    command = [sys.executable, "-m", "tests.arena.protocol_program", "uci", "tic_tac_toe", "random"]
    done = subprocess.run(
        command, input=b"uci\n\xff\xfe\x00 x\ngo\n", cwd=ROOT, capture_output=True, timeout=120
    )
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and lines[-1].startswith("bestmove ")
    assert any(line.startswith("info string error: unknown command") for line in lines)
