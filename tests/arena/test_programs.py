"""Programs as processes: whole games against real ones, and made-up ones that misbehave."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.opponents import make_opponent
from imaginax.arena.processes import LineProcess, locate
from imaginax.arena.program_match import ProgramMatch, play_program
from imaginax.arena.programs import GtpProgram, ProgramError, ProgramMissing, UciProgram, make_program
from imaginax.arena.replay import replay
from imaginax.arena.score import summarise
from imaginax.envs.games.notation import parse_move
from imaginax.types import ConfigError, Player, SearchSummary

SCRIPT = str(Path(__file__).with_name("line_program.py"))
GO = envs.make("go_5x5")


def needs(name: str):
    found = shutil.which(name) or shutil.which(f"/usr/games/{name}")
    return pytest.mark.skipif(found is None, reason=f"{name} is not installed")


def passing(mood: str, timeout: float = 20.0) -> GtpProgram:
    return GtpProgram(sys.executable, [SCRIPT, mood], size=5, komi=24.5, timeout=timeout)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@functools.cache
def random_player():
    return make_opponent("random", GO)


def test_a_missing_program_is_known_by_name():
    with pytest.raises(ProgramMissing, match="program no-such-program was not found") as caught:
        locate("no-such-program")
    assert caught.value.name == "no-such-program"


def test_a_process_ends_with_its_owner_even_if_it_is_deaf():
    process = LineProcess(sys.executable, [SCRIPT, "silent"], timeout=0.5)
    process.send("genmove black")
    start = time.monotonic()
    with pytest.raises(ProgramError, match="no answer within 0.5 s"):
        process.receive()
    assert time.monotonic() - start < 10 and not alive(process.pid)
    process.close()
    other = LineProcess(sys.executable, [SCRIPT, "kind"], timeout=5.0)
    pid = other.pid
    assert alive(pid)
    del other
    assert not alive(pid)


@pytest.mark.parametrize(
    ("mood", "message"),
    [("dying", "ended with code 7"), ("refusing", "refuses 'boardsize 5': unacceptable size")],
)
def test_a_program_that_fails_says_so(mood, message):
    with pytest.raises(ProgramError, match=message):
        program = passing(mood)
        program.new_game(0)
        program.choose([])


def test_a_program_hears_every_move_once():
    program = passing("kind")
    program.new_game(0)
    heard = []
    program.command = lambda line: heard.append(line) or "pass"
    assert program.choose(["C3"]) == "pass"
    assert program.choose(["C3", "pass", "B2"]) == "pass"
    assert heard == ["play black C3", "genmove white", "play black B2", "genmove white"]
    with pytest.raises(ProgramError, match="another game"):
        program.choose(["A1"])
    program.close()


def test_illegal_moves_are_disputed_draws():
    match = play_program(
        GO, random_player(), (), lambda: passing("illegal"), jax.random.key(0), games=2, at_once=2
    )
    assert sorted(match.disputed) == [0, 1] and not np.asarray(match.result.outcome).any()
    assert all("'e9' is not a move" in reason for reason in match.disputed.values()), match.disputed


@pytest.mark.parametrize("mood", ["resigning", "Resigning"])
def test_a_program_that_resigns_has_lost(mood):
    match = play_program(
        GO, random_player(), (), lambda: passing(mood), jax.random.key(0), games=4, at_once=2, openings=1
    )
    assert not match.disputed
    np.testing.assert_array_equal(match.result.outcome, [1, 1, 1, 1])
    np.testing.assert_array_equal(match.result.length, [1, 1, 2, 2])


# Black has two columns and White three, in which Black's E1 is dead; to the environment the rest is neutral.
WALLS = "B5 C5 B4 C4 B3 C3 B2 C2 B1 C1 E1 pass pass".split()


class Scripted:
    """A program that makes given moves, and counts as it is told."""

    def __init__(self, script: list[str], verdict: int | None):
        self.script, self.verdict = script, lambda moves: verdict

    def new_game(self, seed: int) -> None:
        pass

    def choose(self, moves: list[str]) -> str:
        return self.script[len(moves)]

    def close(self) -> None:
        pass


def reader(name: str, script: list[str]) -> Player:
    """Makes given moves; its memory is their number."""
    start = envs.make(name).init(jax.random.key(0))[0]
    points = jnp.asarray([parse_move(name, start, move) for move in script], jnp.int32)

    def move(params, memory, timestep, key):
        del params, key
        count = timestep.legal.shape[0]
        summary = SearchSummary(timestep.legal * 1.0, jnp.zeros(count), jnp.zeros((count, 1), jnp.int32))
        return points[memory], memory, summary

    return Player("reader", lambda batch: jnp.zeros(batch, jnp.int32), move, lambda memory, _: memory + 1)


def scripted(name: str, script: list[str], verdict: int | None) -> ProgramMatch:
    return play_program(
        envs.make(name),
        reader(name, script),
        (),
        lambda: Scripted(script, verdict),
        jax.random.key(0),
        games=2,
        at_once=2,
    )


@pytest.mark.parametrize(("verdict", "disputed"), [(1, 0), (-1, 2), (None, 0)])
def test_where_the_counts_of_another_game_differ_the_environment_decides(verdict, disputed):
    match = scripted("tic_tac_toe", "a1 a2 b1 b2 c1".split(), verdict)
    assert len(match.disputed) == disputed
    np.testing.assert_array_equal(match.result.outcome, [1, -1])


@pytest.mark.parametrize(
    ("verdict", "outcome", "disputed"), [(-1, -1, 2), (1, 1, 0), (0, -1, 2), (None, -1, 0)]
)
def test_where_the_counts_of_go_differ_dead_stones_decide(verdict, outcome, disputed):
    """With komi 0.5 White wins 15 to 10; by stones that stand and what they surround Black does, 11 to 5."""
    match = scripted("go_5x5_komi0.5", WALLS, verdict)
    assert match.moves == [WALLS, WALLS] and len(match.disputed) == disputed
    np.testing.assert_array_equal(match.result.outcome, [outcome, -outcome])  # once as Black, once as White


@pytest.mark.parametrize(
    ("answer", "winner"),
    [("B+3.5", 1), ("w+12", -1), ("0", 0), ("Draw", 0), ("W+Resign", -1), ("?", None), ("", None)],
)
def test_a_final_score_is_understood_or_counts_for_nobody(answer, winner):
    program = passing(f"score={answer}")
    program.new_game(0)
    assert program.verdict([]) == winner
    program.close()


def test_both_colours_get_the_same_openings_and_each_round_its_own():
    match = play_program(
        GO, random_player(), (), lambda: passing("kind"), jax.random.key(0), games=4, at_once=2, openings=2
    )
    np.testing.assert_array_equal(match.result.first_began, [True, True, False, False])
    assert match.moves[0][:2] != match.moves[1][:2]
    assert [moves[:2] for moves in match.moves[:2]] == [moves[:2] for moves in match.moves[2:]]


def test_uci_options_are_checked_and_moves_understood(tmp_path):
    toy = tmp_path / "toy-uci"
    toy.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SCRIPT}" uci\n')
    toy.chmod(0o755)
    program = UciProgram(str(toy), options={"Skill Level": 3})
    program.new_game(0)
    assert program.choose(["e2e4"]) == "e7e5" and program.verdict([]) is None
    program.close()
    with pytest.raises(ConfigError, match="has no option 'Hash'"):
        UciProgram(str(toy), options={"Hash": 16})


@pytest.mark.parametrize(
    ("text", "game", "message"),
    [
        ("gnugo:1", "chess", "does not play chess"),
        ("gnugo", "go_5x5", "does not play go_5x5"),
        ("grhino:1", "go_5x5", "does not play go_5x5"),
        ("grhino:6", "othello", "level must be a whole number from 1 to 5, got '6'"),
        ("gnugo:11", "go_5x5", "level must be a whole number from 1 to 10, got '11'"),
        ("stockfish:nodes=1", "gardner_chess", "does not play gardner_chess"),
        ("stockfish", "chess", "must be one of"),
        ("stockfish:nodes=none", "chess", "nodes must be a whole number"),
        ("stockfish:nodes=1:speed=2", "chess", "must be one of"),
        ("leela:1", "go_5x5", "does not play"),
    ],
)
def test_bad_names_are_refused(text, game, message):
    env = GO._replace(spec=GO.spec.__class__(**{**vars(GO.spec), "name": game}))
    with pytest.raises(ConfigError, match=message):
        make_program(text, env)


def test_numbers_that_do_not_fit_are_refused():
    for games, at_once in ((3, 2), (2, 4), (3, 3), (0, 2)):
        with pytest.raises(ConfigError, match="multiple of an even at_once"):
            play_program(
                GO,
                random_player(),
                (),
                lambda: passing("kind"),
                jax.random.key(0),
                games=games,
                at_once=at_once,
            )


@pytest.mark.slow
@needs("gnugo")
def test_gnu_go_beats_random_play_and_both_count_alike():
    program = make_program("gnugo:1", GO)
    match = play_program(GO, random_player(), (), program, jax.random.key(1), games=8, at_once=4, openings=1)
    score = summarise(match.result)
    assert match.disputed == {}, match.disputed
    assert score.losses >= 7 and score.truncated == 0
    assert len({tuple(moves) for moves in match.moves}) == 8
    # the environment reaches the same outcomes when it replays the moves as GNU Go heard them
    for game in (0, 7):
        env_moves = jnp.asarray(_actions(match.moves[game]))
        _, timesteps = replay(GO, env_moves, jax.random.key(0))
        sign = 1 if len(match.moves[game]) % 2 else -1  # who made the last move, for the side that began
        outcome = sign * float(timesteps.reward[len(match.moves[game])])
        assert outcome == (1 if match.result.first_began[game] else -1) * float(match.result.outcome[game])


def _actions(moves: list[str]) -> list[int]:
    state = GO.init(jax.random.key(0))[0]
    step = jax.jit(GO.step)
    found = []
    for move in moves:
        found.append(parse_move("go_5x5", state, move))
        state, _ = step(state, jnp.int32(found[-1]), jax.random.key(0))
    return found + [-1] * (GO.spec.max_steps - len(found))


@pytest.mark.slow
@needs("gtp-rhino")
def test_grhino_beats_random_play_with_passes_that_go_without_saying():
    env = envs.make("othello")
    program = make_program("grhino:1", env)
    match = play_program(
        env, make_opponent("random", env), (), program, jax.random.key(0), games=8, at_once=4, openings=4
    )
    assert match.disputed == {}, match.disputed  # it counts the stones as the environment does
    assert summarise(match.result).losses >= 7
    assert sum(moves.count("pass") for moves in match.moves) > 0


@pytest.mark.slow
@needs("stockfish")
def test_stockfish_at_one_node_beats_random_play():
    """Every move of both sides is legal for python-chess, and the games end as it says."""
    chess = pytest.importorskip("chess")
    env = envs.make("chess")
    program = make_program("stockfish:nodes=1", env)
    match = play_program(
        env, make_opponent("random", env), (), program, jax.random.key(0), games=2, at_once=2
    )
    assert match.disputed == {} and summarise(match.result).losses == 2
    for moves, outcome, began in zip(
        match.moves, match.result.outcome, match.result.first_began, strict=True
    ):
        board = chess.Board()
        for move in moves:
            board.push_uci(move)
        assert board.is_checkmate() and (board.turn == chess.WHITE) == bool(began)
        assert outcome == -1
