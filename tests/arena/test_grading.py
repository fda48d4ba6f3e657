"""Grades of moves whose worth is known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.connect_four import Solver, board_of
from imaginax.arena.grading import answers, choices_of, grade, is_error, random_positions
from imaginax.arena.match import MatchResult
from imaginax.arena.opponents import make_opponent


def test_errors_are_moves_that_lose_half_a_point_or_more():
    """Of every legal move in late positions: errors are exactly those below the best value."""
    rng, solver = np.random.default_rng(0), Solver()
    seen = {True: 0, False: 0}
    for columns in random_positions(rng, 33, 25).tolist():
        values = solver.values(board_of(columns))
        for column, value in values.items():
            error = is_error(Solver(), columns, column)
            assert error == (value < max(values.values())), (columns, column, values)
            seen[error] += 1
    assert min(seen.values()) > 5


def test_phases_count_their_own_moves():
    rng, solver = np.random.default_rng(1), Solver()
    late = [tuple(columns) for columns in random_positions(rng, 34, 20).tolist()]
    middle = [tuple(columns) for columns in random_positions(rng, 27, 5).tolist()]
    best, worst = [], []
    for columns in late + middle:
        values = solver.values(board_of(columns))
        best.append((columns, max(values, key=lambda column: values[column])))
        worst.append((columns, min(values, key=lambda column: values[column])))
    none = grade(solver, best)
    assert (none["end"].moves, none["middle"].moves, none["begin"].moves) == (20, 5, 0)
    assert none["end"].errors == none["middle"].errors == 0 and none["begin"].rate == 0
    some = grade(solver, worst + worst[:1])
    expected = [is_error(solver, *choice) for choice in [*worst[:20], worst[0]]]
    assert some["end"].errors == sum(expected) > 0 and some["end"].moves == 21
    assert some["end"].low < some["end"].rate < some["end"].high
    assert some["end"].rate == pytest.approx(np.mean(expected))
    assert grade(solver, worst, from_stones=28)["middle"].moves == 0


@pytest.mark.parametrize(("openings", "first", "second"), [(0, [0, 2, 4], [1, 3]), (1, [2, 4], [1, 3])])
def test_only_the_first_player_is_graded(openings, first, second):
    """The same five moves, once begun by the first player and once by the other."""
    moves = np.array([[3, 3], [2, 2], [3, 3], [2, 2], [4, 4], [-1, -1]])
    result = MatchResult(
        outcome=jnp.zeros(2),
        first_began=jnp.array([True, False]),
        length=jnp.array([5, 5]),
        truncated=jnp.zeros(2, bool),
        opening=jnp.zeros(2, jnp.int32),
        actions=jnp.asarray(moves),
    )
    choices = choices_of(result, openings=openings)
    assert choices == [(tuple(moves[:ply, 0].tolist()), int(moves[ply, 0])) for ply in [*first, *second]]


def test_random_positions_are_open():
    for columns in random_positions(np.random.default_rng(2), 20, 30).tolist():
        board = board_of(columns)
        assert board.count == 20 and board.legal() and not board.wins_at_once()


def test_a_player_is_asked_about_positions():
    """Two plies deep it loses no won game at once: it completes or parries whatever two plies show."""
    env = envs.make("connect_four")
    positions = np.array([[3, 0, 3, 0, 3], [2, 0, 3, 0, 4]])  # parry at 3; at 1 and 5 nothing helps
    found = answers(env, make_opponent("minimax:2", env), (), positions, jax.random.key(0))
    assert [columns for columns, _ in found] == [tuple(row) for row in positions.tolist()]
    assert found[0][1] == 3 and all(0 <= move < 7 for _, move in found)
