"""MuZero in tic-tac-toe against an opponent that tries every reply: results/muzero/tic_tac_toe.json.

    imaginax train muzero --env tic_tac_toe --logdir runs/muzero-tic-tac-toe
    python experiments/figures/muzero_tic_tac_toe.py [RUN]

The player is the run's, with the search it learned with and without noise: one move for each of the 4520
positions that can be reached and are not over. Whether a move gives anything away is known from negamax. An
opponent that tries every reply meets all that our moves allow, from the empty board and after every opening
of up to two moves, on either side.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.arena.solved import tic_tac_toe_values, values_of_moves
from imaginax.envs.wrappers import privileged
from imaginax.runtime import playback, plotting
from imaginax.types import Environment

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "muzero" / "tic_tac_toe.json"
RUN = ROOT / "runs" / "muzero-tic-tac-toe"
OPENINGS = 2  # moves

Moves = tuple[int, ...]  # of both sides in turn, from the empty board


def every_position(env: Environment) -> tuple[list[Moves], Any]:
    """One way to each position that is not over, and the time steps [P] there."""
    first = jax.jit(env.init)(jax.random.key(0))
    step = jax.jit(jax.vmap(functools.partial(env.step, key=jax.random.key(0))))
    moves, level = [()], jax.tree.map(lambda x: jnp.asarray(x)[None], first)
    found, parts = [], []
    while moves:
        found += moves
        parts.append(level[1])
        rows, actions = np.nonzero(np.asarray(level[1].legal))
        following = step(jax.tree.map(lambda x: x[rows], level[0]), jnp.asarray(actions))  # noqa: B023
        after = [(*moves[row], int(action)) for row, action in zip(rows, actions, strict=True)]
        going = np.flatnonzero(~np.asarray(following[1].last))
        keys = {board(after[i]): i for i in reversed(going)}
        kept = np.array(sorted(keys.values()), int)
        moves = [after[i] for i in kept]
        level = jax.tree.map(lambda x: x[kept], following)  # noqa: B023
    return found, jax.tree.map(lambda *x: jnp.concatenate(x), *parts)


def board(moves: Moves) -> tuple[int, ...]:
    """Nine cells: 0 empty, 1 of the player who began, 2 of the other."""
    cells = [0] * 9
    for ply, cell in enumerate(moves):
        cells[cell] = 1 + ply % 2
    return tuple(cells)


def worst(chosen: dict[tuple[int, ...], int], moves: Moves, ours: bool) -> int:
    """The worst outcome for us (1, 0, -1) over all replies, where we make the chosen moves."""
    cells = board(moves)
    if _won(cells):
        return -1 if ours else 1
    if 0 not in cells:
        return 0
    if ours:
        return worst(chosen, (*moves, chosen[cells]), False)
    return min(worst(chosen, (*moves, cell), True) for cell in range(9) if cells[cell] == 0)


def _won(cells: tuple[int, ...]) -> bool:
    lines = ("012", "345", "678", "036", "147", "258", "048", "246")
    return any(cells[int(a)] and cells[int(a)] == cells[int(b)] == cells[int(c)] for a, b, c in lines)


def measure(logdir: Path) -> dict[str, Any]:
    """The counts of a run."""
    trained = playback.load(logdir)
    env = privileged(envs.make("tic_tac_toe"))
    moves, timestep = every_position(env)
    assert trained.system.player is not None
    player = trained.system.player(None)
    params = playback.params_of(trained)
    play = jax.jit(lambda timestep, key: player.move(params, player.init(len(moves)), timestep, key)[0])
    actions = np.asarray(play(timestep, jax.random.key(0)))
    planes = jax.vmap(env.game.planes)(timestep.observation)  # pyright: ignore[reportOptionalMemberAccess]
    q = np.asarray(values_of_moves(jnp.asarray(tic_tac_toe_values()), planes, timestep.legal))
    value, got = q.max(1), q[np.arange(len(q)), actions]
    chosen = {board(way): int(action) for way, action in zip(moves, actions, strict=True)}
    plies = np.array([len(way) for way in moves])
    return {
        "positions": len(moves),
        "errors": int((got < value).sum()),
        "errors_by_ply": [int(((got < value) & (plies == ply)).sum()) for ply in range(9)],
        "openings": [_openings(chosen, moves, value, plies, ply) for ply in range(OPENINGS + 1)],
    }


def _openings(chosen, moves, value, plies, ply: int) -> dict[str, int]:
    """After every opening of so many moves, the side to move and the other: games that are not held."""
    lost = below = 0
    rows = np.flatnonzero(plies == ply)
    for row in rows:
        for ours, fair in ((True, value[row]), (False, -value[row])):
            outcome = worst(chosen, moves[row], ours)
            lost += outcome < 0 <= fair
            below += outcome < fair
    games = {"moves": ply, "positions": len(rows), "sides": 2 * len(rows)}
    return games | {"lost": int(lost), "below_value": int(below)}


if __name__ == "__main__":
    logdir = Path(sys.argv[1]) if sys.argv[1:] else RUN
    counts = measure(logdir)
    print(counts)
    plotting.write_results(RESULT, plotting.results_record(logdir, counts=counts))
