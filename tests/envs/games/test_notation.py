"""Moves as text: round trips, what programs call the same moves, and what is refused."""

from __future__ import annotations

import pathlib
import random
import shutil
import subprocess

import jax
import jax.numpy as jnp
import pytest

from imaginax import envs
from imaginax.envs.games import notation, text

FAIRY = shutil.which("fairy-stockfish") or "/usr/games/fairy-stockfish"
SMALL = [("tic_tac_toe", 9), ("connect_four", 42), ("othello", 66), ("hex_3x3", 10), ("go_5x5", 50)]


@pytest.mark.parametrize(("name", "moves"), SMALL)
def test_every_legal_move_reads_back(name, moves, random_games):
    games = random_games(name, 16, moves)
    for ply in range(0, games.moves(0), 5):
        state = games.state(ply, 0)
        written = notation.legal_moves(name, state)
        assert len(written) == int(state.legal_action_mask.sum())
        for move, action in written.items():
            assert notation.parse_move(name, state, f" {move.swapcase()} ") == action
            assert notation.format_move(name, state, action) == move


def test_points_are_where_players_expect_them(random_games):
    def written(name, action):
        return notation.format_move(name, random_games(name, 16, dict(SMALL)[name]).state(0, 0), action)

    assert [written("go_5x5", action) for action in (0, 4, 20, 25)] == ["A5", "E5", "A1", "pass"]
    assert notation._point(notation.parse("go_9x9"), 8) == "J9", "no column I"
    assert [written("othello", action) for action in (0, 19, 63, 64)] == ["a1", "d3", "h8", "pass"]
    assert [written("hex_3x3", action) for action in (1, 9)] == ["b1", "swap"]
    assert [written("connect_four", action) for action in (0, 6)] == ["1", "7"]


@pytest.mark.parametrize("move", ["Z9", "I3", "A0x", "", "D6", "resign"])
def test_what_is_no_move_is_told_from_what_is_illegal(move, random_games):
    games = random_games("go_5x5", 16, 50)
    state = games.state(1, 0)
    played = notation.format_move("go_5x5", games.state(0, 0), int(games.actions[0, 0]))
    with pytest.raises(ValueError, match="is not a move of go_5x5: write a vertex"):
        notation.parse_move("go_5x5", state, move)
    with pytest.raises(ValueError, match=f"illegal move '{played}'"):
        notation.parse_move("go_5x5", state, played)


class Fairy:
    """Fairy-Stockfish, asked for the legal moves of a position."""

    def __init__(self, variant):
        self.process = subprocess.Popen(
            [FAIRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.send(f"setoption name UCI_Variant value {variant}")

    def send(self, line):
        self.process.stdin.write(line + "\n")

    def moves(self, position):
        self.send(f"position {position}\ngo perft 1")
        found = set()
        while not (line := self.process.stdout.readline()).startswith("Nodes searched"):
            if ": 1" in line:
                found.add(line.partition(":")[0])
        return found

    def close(self):
        self.process.communicate("quit\n", timeout=10)


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path(FAIRY).exists(), reason="fairy-stockfish is not installed")
@pytest.mark.parametrize(
    ("name", "variant"),
    [("gardner_chess", "gardner"), ("animal_shogi", "dobutsu"), ("shogi", "shogi"), ("chess", "chess")],
)
def test_legal_moves_are_those_of_fairy_stockfish(name, variant):
    """By the moves from the start and by FEN. A chick must promote; the engine lets it choose."""
    env, rng = envs.make(name), random.Random(3)
    step, fairy = jax.jit(env.step), Fairy(variant)
    played, positions = [], 0
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    while not timestep.last and len(played) < 90:
        moves = notation.legal_moves(name, state)
        assert len(moves) == int(timestep.legal.sum())
        for position in (f"startpos moves {' '.join(played)}", f"fen {text.to_fen(name, state)}"):
            known = fairy.moves(position)
            if name == "animal_shogi":
                known = {move for move in known if f"{move}+" not in known}
            assert set(moves) == known, position
            positions += 1
        played.append(rng.choice(sorted(moves)))
        action = notation.parse_move(name, state, played[-1])
        state, timestep = step(state, jnp.int32(action), jax.random.key(0))
    fairy.close()
    assert positions > 30
