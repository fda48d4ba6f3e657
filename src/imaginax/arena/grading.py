"""Moves of Connect Four graded by perfect play.

A move is an error if it turns a win into a draw or a loss, or a draw into a loss: the measure of
AlphaZero.jl's benchmark. Phases are those of Pons' test sets, by the stones on the board before the move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from imaginax.arena.connect_four import CELLS, Board, Solver, board_of
from imaginax.arena.match import MatchResult
from imaginax.arena.replay import replay
from imaginax.arena.score import wilson
from imaginax.types import Environment, Params, Player

PHASES = {"begin": range(14), "middle": range(14, 28), "end": range(28, CELLS)}
Choice = tuple[tuple[int, ...], int]  # the columns played so far, and the one chosen now


class Grade(NamedTuple):
    """How often moves of one phase were errors.

    [low, high] is Wilson's interval of `rate` from as many trials as there are distinct moves.

    Attributes:
        moves: moves graded.
        distinct: different moves, or the same ones of different positions, among them.
        errors: errors among them.
        rate: errors / moves, 0 where there are none.
        low: end of the interval.
        high: end of the interval.
    """

    moves: int
    distinct: int
    errors: int
    rate: float
    low: float
    high: float


def is_error(solver: Solver, columns: Sequence[int], chosen: int) -> bool:
    """Whether another move would have kept a better outcome.

    Raises:
        ValueError: for moves that cannot be played.
    """
    board, after = board_of(columns), board_of([*columns, chosen])
    return -solver.value(after) < solver.value(board)


def grade(solver: Solver, choices: Iterable[Choice], *, from_stones: int = 0) -> dict[str, Grade]:
    """The error rate of every phase.

    Args:
        solver: with a book, unless `from_stones` is 13 or more: without one, openings take hours.
        choices: positions and moves; repeated ones count as often as they occur.
        from_stones: positions with fewer stones are left out.
    """
    graded: dict[str, list[Choice]] = {phase: [] for phase in PHASES}
    known: dict[Choice, bool] = {}
    for choice in choices:
        stones = len(choice[0])
        if stones < from_stones:
            continue
        if choice not in known:
            known[choice] = is_error(solver, *choice)
        phase = next(phase for phase, numbers in PHASES.items() if stones in numbers)
        graded[phase].append(choice)
    return {phase: _grade(moves, known) for phase, moves in graded.items()}


def _grade(choices: list[Choice], known: dict[Choice, bool]) -> Grade:
    moves, distinct = len(choices), len(set(choices))
    errors = sum(known[choice] for choice in choices)
    rate = errors / moves if moves else 0.0
    return Grade(moves, distinct, errors, rate, *(wilson(rate, distinct) if moves else (0.0, 1.0)))


def choices_of(result: MatchResult, *, openings: int = 0) -> list[Choice]:
    """What the first player of a recorded match chose, and where.

    Args:
        result: of a match.
        openings: plies of its openings, which nobody chose.
    """
    choices = []
    for moves, began in zip(np.asarray(result.actions).T, np.asarray(result.first_began), strict=True):
        columns = tuple(int(move) for move in moves if move >= 0)
        first = openings if openings % 2 == (0 if began else 1) else openings + 1
        choices += [(columns[:ply], columns[ply]) for ply in range(first, len(columns), 2)]
    return choices


def random_positions(rng: np.random.Generator, stones: int, count: int) -> Int[np.ndarray, "count stones"]:
    """Games of random moves, none of them over, with so many stones; nobody can win at once.

    A win that is there to be taken is no test, and Pons' sets leave such positions out as well.
    """
    found = []
    while len(found) < count:
        board, columns = Board(), []
        while len(columns) < stones and (legal := board.legal()):
            columns.append(int(rng.choice(legal)))
            board = board.play(columns[-1])
        if len(columns) == stones and board.legal() and not board.wins_at_once():
            found.append(columns)
    return np.array(found, np.int32).reshape(count, stones)


def answers(
    env: Environment, player: Player, params: Params, positions: Int[np.ndarray, "B T"], key: Array
) -> list[Choice]:
    """What a player chooses in given positions, in one compiled batch.

    Args:
        env: Connect Four.
        player: who is asked; it has seen none of the moves before.
        params: its parameters.
        positions: columns played, as `random_positions` draws them.
        key: of the player.
    """

    @jax.jit
    def ask(params: Params, positions: Array, key: Array) -> Array:
        _, timesteps = jax.vmap(lambda columns: replay(env, columns, jax.random.key(0)))(positions)
        last = jax.tree.map(lambda leaf: leaf[:, -1], timesteps)._replace(
            first=jnp.ones(len(positions), bool)
        )
        return player.move(params, player.init(len(positions)), last, key)[0]

    chosen = np.asarray(ask(params, jnp.asarray(positions), key))
    return [(tuple(map(int, row)), int(move)) for row, move in zip(positions, chosen, strict=True)]
