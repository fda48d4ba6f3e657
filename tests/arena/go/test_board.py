from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.go import board as goban
from imaginax.arena.go.board import BLACK, WHITE

GAMES = 24


def put(size: int, black: str = "", white: str = "") -> goban.Board:
    board = goban.empty(size)
    for colour, names in ((BLACK, black), (WHITE, white)):
        for name in names.split():
            board = goban.play(board, colour, goban.point_of(size, name))
    return board


@pytest.fixture(scope="module")
def random_games():
    """Random games of 5x5 by the environment: actions, legal moves and ends before them, rewards."""
    env = envs.make("go_5x5_komi0.5")

    def step(carry, key):
        state, timestep = carry
        action = jax.random.categorical(key, jnp.where(timestep.legal, 0.0, -jnp.inf))
        following = env.step(state, action, key)
        return following, (action, timestep.legal, timestep.last, following[1].reward)

    @jax.jit
    @jax.vmap
    def play(key):
        first = env.init(key)
        first = jax.tree.map(lambda leaf: jnp.asarray(leaf), first)
        return jax.lax.scan(step, first, jax.random.split(key, env.spec.max_steps))[1]

    return jax.tree.map(np.asarray, play(jax.random.split(jax.random.key(0), GAMES)))


def test_rules_agree_with_the_environment(random_games):
    """Another implementation, of chains, captures, ko, superko and area, on whole random games."""
    positions = superko = 0
    for actions, legal, last, rewards in zip(*random_games, strict=True):
        board, colour, passes = goban.empty(5), BLACK, 0
        for ply in range(len(actions)):
            if last[ply]:
                break
            found = goban.legal(board, colour)
            np.testing.assert_array_equal(found, legal[ply], err_msg=goban.text(board))
            superko += _barred_by_repetition(board, colour)
            board = goban.play(board, colour, None if actions[ply] == 25 else int(actions[ply]))
            passes = passes + 1 if actions[ply] == 25 else 0
            colour, positions = 3 - colour, positions + 1
            if passes == 2 or ply == len(actions) - 1:
                black, white = goban.area(board)
                wins = 1 if black - 0.5 > white else -1
                assert rewards[ply] == (wins if colour == WHITE else -wins)  # of the side that has just moved
    assert positions > 25 * GAMES and superko > 3, "too short, or nothing was ever repeated"


def _barred_by_repetition(board: goban.Board, colour: int) -> int:
    free = board._replace(seen=frozenset())
    return int((goban.legal(free, colour) & ~goban.legal(board, colour)).sum())


def test_captures_suicide_and_ko():
    with pytest.raises(ValueError, match="suicide"):
        goban.play(put(5, white="A2 B1"), BLACK, goban.point_of(5, "A1"))
    board = put(5, black="B1 A2 B3", white="C1 D2 C3 B2")
    with pytest.raises(ValueError, match="occupied"):
        goban.play(board, BLACK, goban.point_of(5, "B2"))
    taken = goban.play(board, BLACK, goban.point_of(5, "C2"))
    assert taken.captured == (1, 0) and taken.cells[goban.point_of(5, "B2")] == goban.EMPTY
    with pytest.raises(ValueError, match="repeated"):
        goban.play(taken, WHITE, goban.point_of(5, "B2"))
    elsewhere = goban.play(goban.play(taken, WHITE, 0), BLACK, 4)
    assert goban.play(elsewhere, WHITE, goban.point_of(5, "B2")).captured == (1, 1)


def test_area_and_dead_stones():
    wall = put(5, black="C1 C2 C3 C4 C5", white="D1 D2 D3 D4 D5")
    assert goban.area(wall) == (15, 10)
    inside = goban.play(wall, WHITE, goban.point_of(5, "A1"))
    assert goban.area(inside) == (5, 11)  # the left side touches both colours
    assert goban.area(inside, frozenset([goban.point_of(5, "A1")])) == (15, 10)
    assert goban.area(goban.empty(9)) == (0, 0)


@pytest.mark.parametrize("size", [5, 9, 19])
def test_names_of_points(size):
    names = [goban.vertex(size, point) for point in range(size * size)]
    assert [goban.point_of(size, name.lower()) for name in names] == list(range(size * size))
    assert names[0] == f"A{size}" and not any("I" in name for name in names)
    assert goban.point_of(size, "PASS") is None and goban.vertex(size, None) == "pass"
    for wrong in ("", "A", "A0", "I1", f"A{size + 1}", "AA1", "1A", "A1x", "a-1", "A²", "ß1", f"U{size}"):
        with pytest.raises(ValueError, match="no point"):
            goban.point_of(size, wrong)
