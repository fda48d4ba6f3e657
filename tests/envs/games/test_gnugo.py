"""Go against GNU Go: it accepts every move, and finds the same winner by area."""

from __future__ import annotations

import pathlib
import random
import shutil
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.games import names, notation, pgx_games

GNUGO = shutil.which("gnugo") or "/usr/games/gnugo"
pytestmark = pytest.mark.skipif(not pathlib.Path(GNUGO).exists(), reason="gnugo is not installed")
NAME, KOMI, POINTS = "go_5x5_komi0.5", 0.5, 25


def is_eye(squares, point, colour):
    """A point whose neighbours are all the mover's own: filling it would kill what is alive."""
    row, column = divmod(point, 5)
    near = [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
    return all(squares[place] == colour for place in near if min(place) >= 0 and max(place) < 5)


def played_out(env, step, seed):
    """Moves of a game in which nobody fills his own eyes, until both have nothing else: no stone is dead."""
    rng = random.Random(seed)
    position = jax.jit(pgx_games.position(names.parse(NAME)))
    state, timestep = env.init(jax.random.key(0))
    moves, squares = [], np.zeros((5, 5), int)
    while not timestep.last:
        colour = 1 - 2 * int(timestep.player)
        open_points = [a for a in np.flatnonzero(timestep.legal[:POINTS]) if not is_eye(squares, a, colour)]
        action = int(rng.choice(open_points)) if open_points else POINTS
        moves.append(notation.format_move(NAME, state, action))
        state, timestep = step(state, jnp.int32(action), jax.random.key(0))
        squares = np.asarray(position(state).squares)
    return moves, squares, float(timestep.reward) * colour


def ask_gnugo(moves):
    """Its answers to the moves, and then the stones on its board and the score."""
    commands = ["boardsize 5", "clear_board", f"komi {KOMI}"]
    commands += [f"play {'bw'[i % 2]} {move}" for i, move in enumerate(moves)]
    commands += ["list_stones black", "list_stones white", "final_score", "quit"]
    done = subprocess.run(
        [GNUGO, "--mode", "gtp", "--chinese-rules"],
        input="\n".join(commands) + "\n", capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip().split("\n\n")[3:]


def test_played_out_games_have_the_score_of_gnugo():
    env = envs.make(NAME)
    step = jax.jit(env.step)
    games = [game for seed in range(12) if len((game := played_out(env, step, seed))[0]) < 50]
    assert len(games) >= 6, "games that were cut short at 2 n^2 moves may leave dead stones"
    for moves, squares, winner in games:
        answers = ask_gnugo(moves)
        assert all(answer.startswith("=") for answer in answers), [a for a in answers if a[0] == "?"]
        for stones, colour in ((answers[-4], 1), (answers[-3], -1)):
            found = {f"{'ABCDE'[c]}{5 - r}" for r, c in np.argwhere(squares == colour)}
            assert set(stones.split()[1:]) == found
        assert answers[-2].split()[1][0] == ("B" if winner > 0 else "W"), (answers[-2], squares)
    assert len({winner for _, _, winner in games}) == 2, "both colours should win some"
