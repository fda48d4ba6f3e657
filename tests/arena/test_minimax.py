"""Pruned search of a batch against exhaustive search in plain Python."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.minimax import four_in_line, make_minimax, open_lines, search
from imaginax.arena.replay import replay
from tests.arena import noughts

GAME = envs.make("tic_tac_toe")


@functools.cache
def last_step(name: str):
    env = envs.make(name)
    return jax.jit(
        jax.vmap(lambda moves: jax.tree.map(lambda leaf: leaf[-1], replay(env, moves, jax.random.key(0))[1]))
    )


def boards(count: int) -> list[noughts.Board]:
    found = sorted(noughts.positions())
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))[:count]]


@pytest.mark.parametrize("depth", [1, 4])
def test_values_and_moves_are_those_of_exhaustive_search(depth):
    chosen = boards(400)
    timestep = last_step("tic_tac_toe")(jnp.array([noughts.moves_to(board) for board in chosen]))
    run = jax.jit(functools.partial(search, GAME, depth, None))
    actions, values = run(timestep.observation, timestep.legal, jax.random.key(0))
    for board, action, value in zip(chosen, np.asarray(actions), np.asarray(values), strict=True):
        worth = {
            cell: noughts.later(-noughts.negamax(noughts.play(board, cell), depth - 1))
            for cell in noughts.legal(board)
        }
        assert value == pytest.approx(max(worth.values()), abs=1e-6), (board, worth)
        assert worth[int(action)] == pytest.approx(max(worth.values()), abs=1e-6), (board, action, worth)


def test_equal_moves_are_equally_likely():
    """On the empty board all nine moves are worth nothing: a chi-squared test of 4500 choices."""
    timestep = last_step("tic_tac_toe")(jnp.full((4500, 9), -1))
    actions, _ = jax.jit(functools.partial(search, GAME, 2, None))(
        timestep.observation, timestep.legal, jax.random.key(3)
    )
    counts = np.bincount(np.asarray(actions), minlength=9)
    assert ((counts - 500) ** 2 / 500).sum() < 26.1  # 99.9% quantile for 8 degrees of freedom


def plain_lines(moves: list[int]) -> float:
    """Open lines of Connect Four, counted from a board drawn by hand."""
    grid = [[] for _ in range(7)]
    for ply, column in enumerate(moves):
        grid[column].append(ply % 2)
    me, total = len(moves) % 2, 0.0
    for column in range(7):
        for row in range(6):
            for dc, dr in ((1, 0), (0, 1), (1, 1), (1, -1)):
                cells = [(column + i * dc, row + i * dr) for i in range(4)]
                if not all(0 <= c < 7 and 0 <= r < 6 for c, r in cells):
                    continue
                owners = [grid[c][r] for c, r in cells if r < len(grid[c])]
                if me not in owners:
                    total -= 0.1 ** (3 - len(owners))
                if 1 - me not in owners:
                    total += 0.1 ** (3 - len(owners))
    return total


def test_open_lines_counts_lines():
    """Against the definition written over columns, and a position that can be counted by hand."""
    env = envs.make("connect_four")
    evaluate = jax.jit(jax.vmap(open_lines(env)))
    rng = np.random.default_rng(5)
    games = [list(rng.permutation(np.repeat(np.arange(7), 2))[:n]) for n in (0, 1, 2, 5, 8)]
    padded = jnp.array([game + [-1] * (8 - len(game)) for game in games])
    values = np.asarray(evaluate(last_step("connect_four")(padded).observation))
    expected = [0.9 * 0.99 * np.tanh(plain_lines(game) / 8) for game in games]
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert len(four_in_line(6, 7)) == 69
    # one stone in the lower left corner lies on 3 lines: each is worth .01 instead of .001, and mine lose 3
    assert plain_lines([0]) == pytest.approx(-3 * 0.01)
    assert values[0] == 0


def test_two_plies_win_and_parry_in_connect_four():
    """Three in a column: the one to move completes it, the other side blocks it."""
    env = envs.make("connect_four")
    games = jnp.array([[3, 0, 3, 0, 3, 1, -1], [3, 0, 3, 0, 3, -1, -1], [0, 3, 1, 3, 6, 3, 5]])
    timestep = last_step("connect_four")(games)
    player = make_minimax(env, 2, open_lines(env))
    action, _, summary = jax.jit(player.move)((), (), timestep, jax.random.key(0))
    np.testing.assert_array_equal(action, [3, 3, 3])
    assert summary.value[0] == pytest.approx(0.99) and summary.value[1] < 0
    np.testing.assert_array_equal(summary.policy.argmax(-1), action)
