"""How often perfect play beats the fixed opponents in Connect Four: the ceiling of the matches reported.

    python -m pip install bitbully
    python experiments/baselines/connect_four_perfect.py

Perfect moves are those of the solver `bitbully` (a C++ program that nobody here wrote): the quickest win, or
the slowest loss. From some of the positions with two random stones the side to move has lost already, so that
even perfect play needs the opponent's errors. Half a minute an opponent; writes
results/baselines/connect_four_perfect.json.
"""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.arena.opponents import make_opponent
from imaginax.arena.score import Unit, interval
from imaginax.envs.wrappers import privileged
from imaginax.runtime import bench
from imaginax.runtime.run_directory import write_json

try:
    from bitbully import BitBully, Board
except ImportError as error:
    sys.exit(f"{error}. This baseline needs the solver bitbully: {__file__} says how to install it.")

RESULT = Path(__file__).parents[2] / "results" / "baselines" / "connect_four_perfect.json"
OPPONENTS = ("minimax:2", "minimax:5")
COLUMNS, PLIES = 7, 42


class Games(NamedTuple):
    """Games side by side: the columns played in each, and the side, 0 or 1, that plays perfectly."""

    columns: list[list[int]]
    side: list[int]


def initial(games: int) -> Games:
    """Games from the empty board."""
    return Games([[] for _ in range(games)], [game % 2 for game in range(games)])


def opened() -> Games:
    """Every position with two stones, from both sides."""
    pairs = itertools.product(range(COLUMNS), range(COLUMNS), range(2))
    columns, side = zip(*(([first, second], side) for first, second, side in pairs), strict=True)
    return Games(list(columns), list(side))


def play(name: str, games: Games) -> list[int]:
    """Outcomes for perfect play: 1, 0 or -1 a game."""
    solver, rng = BitBully(), random.Random(0)
    env = privileged(envs.make("connect_four"))
    opponent = make_opponent(name, env)
    step, move = jax.jit(jax.vmap(env.step)), jax.jit(opponent.move)
    count = len(games.side)
    keys = jax.random.split(jax.random.key(0), count)
    state, timestep = jax.vmap(env.init)(keys)
    memory, outcome = opponent.init(count), [None] * count
    begun = len(games.columns[0])
    for ply in range(PLIES):
        answers, memory, _ = move((), memory, timestep, jax.random.key(ply))
        chosen = np.array(answers)
        for game, columns in enumerate(games.columns):
            if ply < begun:
                chosen[game] = columns[ply]
            elif outcome[game] is None:
                if ply % 2 == games.side[game]:
                    chosen[game] = _perfect(solver, columns, rng)
                columns.append(int(chosen[game]))
        state, timestep = step(state, jnp.asarray(chosen), keys)
        for game in np.flatnonzero(np.asarray(timestep.last)):
            if outcome[game] is None:
                mine = ply % 2 == games.side[game]
                outcome[game] = int(timestep.reward[game]) * (1 if mine else -1)
    return outcome


def _perfect(solver, columns: list[int], rng: random.Random) -> int:
    board = Board()
    for column in columns:
        board.play(column)
    scores = solver.score_all_moves(board)
    return rng.choice([column for column, score in scores.items() if score == max(scores.values())])


def _row(name: str, openings: int, games: Games, outcomes: list[int]) -> dict:
    wins, draws, losses = (outcomes.count(outcome) for outcome in (1, 0, -1))
    score = (wins + draws / 2) / len(outcomes)
    units: dict[tuple[int, ...], list[float]] = {}  # openings; or games, where there is but one
    for columns, outcome in zip(games.columns, outcomes, strict=True):
        units.setdefault(tuple(columns[:openings] or columns), []).append((1 + outcome) / 2)
    low, high = interval([Unit(sum(points), float(len(points)), 1) for points in units.values()])
    return {
        "opponent": name,
        "openings": openings,
        "wins": wins,
        "draws": draws,
        "losses": losses,
        "distinct": len(set(map(tuple, games.columns))),
        "score": score,
        "low": low,
        "high": high,
    }


def main() -> None:
    """Plays, prints and writes."""
    rows = []
    for name in OPPONENTS:
        for openings, games in ((0, initial(100)), (2, opened())):
            outcomes = play(name, games)
            rows.append(_row(name, openings, games, outcomes))
            print(rows[-1], flush=True)
    write_json(RESULT, bench.machine() | {"env": "connect_four", "matches": rows})


if __name__ == "__main__":
    main()
