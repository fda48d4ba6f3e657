from __future__ import annotations

import threading

import jax
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena.engine import Engine, SearchLimit, TimedPlayer
from imaginax.types import ConfigError
from tests.arena.players import counting, engine, remembering


@pytest.fixture(scope="module")
def shared():
    return engine("tic_tac_toe", simulations=16)


@pytest.fixture
def table(shared):
    shared.reset()
    return shared


def test_a_game_goes_forward_and_back(table):
    assert table.mover == 0 and table.legal.all() and not table.over
    for action in (0, 3, 1, 4, 2):
        table.play(action)
    assert table.over and table.reward == 1.0 and not table.legal.any() and len(table.positions) == 6
    with pytest.raises(ValueError, match="over"):
        table.play(5)
    with pytest.raises(ValueError, match="over"):
        table.think()
    table.undo()
    assert not table.over and table.mover == 0
    np.testing.assert_array_equal(np.flatnonzero(table.legal), [2, 5, 6, 7, 8])
    table.undo(4)
    assert table.legal.all() and table.actions == []
    with pytest.raises(ValueError, match="take back"):
        table.undo()
    for illegal in (-1, 9):
        with pytest.raises(ValueError, match="illegal"):
            table.play(illegal)


def test_going_to_a_position_keeps_the_common_moves(table):
    table.go_to([0, 3, 1])
    kept = table._plies[:3]
    table.go_to([0, 3, 2, 6])
    assert table.actions == [0, 3, 2, 6] and all(a is b for a, b in zip(kept, table._plies, strict=False))
    with pytest.raises(ValueError, match="illegal"):
        table.go_to([0, 3, 5, 3, 7])
    assert table.actions == [0, 3, 5]


def test_a_given_position_is_played_on_from(table):
    for action in (4, 0, 8):
        table.play(action)
    position, legal = table.position, table.legal
    table.reset(position)
    assert table.mover == 1 and table.actions == []
    np.testing.assert_array_equal(table.legal, legal)
    table.play(2)
    assert jax.tree.map(np.shape, table.position) == jax.tree.map(np.shape, position)
    assert table._step._cache_size() == 1, "a position of another type compiles the rules again"


def test_the_player_remembers_the_moves_of_a_game_and_nothing_else():
    table = Engine(envs.make("tic_tac_toe"), TimedPlayer(remembering, 0.0))

    def remembered():
        return table.think().line[1]

    assert remembered() == 0
    assert remembered() == 100, "it goes on thinking about the same position"
    table.play(4)
    assert remembered() == 200 + 5
    table.undo()
    assert remembered() == 0
    table.play(0)
    table.reset()
    assert remembered() == 0


def test_moves_are_chosen_among_the_given_ones(table):
    assert table.think().action == 8 and table.think().line[0] == 8
    among = np.zeros(9, bool)
    among[[1, 4]] = True
    decision = table.think(legal=among)
    assert decision.action == 4
    np.testing.assert_allclose(decision.policy[[1, 4]], [2 / 7, 5 / 7])
    draws = [table.think(legal=among, temperature=1.0).action for _ in range(200)]
    assert set(draws) == {1, 4} and 110 < draws.count(4) < 175  # 143 expected, 6.4 standard deviation
    assert {table.think(legal=among, temperature=0.05).action for _ in range(20)} == {4}


def stubborn(simulations):
    """Always moves to the first square, for no reason."""
    player = counting(simulations)

    def move(params, memory, timestep, key):
        action, memory, summary = player.move(params, memory, timestep, key)
        return action * 0, memory, summary._replace(policy=summary.policy * 0)

    return player._replace(move=move)


def test_illegal_choices_of_a_player_are_not_made():
    table = Engine(envs.make("tic_tac_toe"), TimedPlayer(stubborn, 0.0))
    table.play(0)
    decision = table.think()
    assert table.legal[decision.action] and decision.line == (decision.action,)
    np.testing.assert_allclose(decision.policy[1:], 1 / 8)


def test_endless_thought_grows_until_it_is_stopped(table):
    heard, stop = [], threading.Event()

    def think(limit, searches=9):
        heard.clear()
        stop.clear()
        return table.think(limit, stop=stop, report=lambda decision: hear(decision, searches))

    def hear(decision, searches):
        heard.append(decision.simulations)
        if len(heard) == searches:
            stop.set()

    assert think(SearchLimit(endless=True)).simulations == 4096 and heard == [16, 64, 256, 1024, 4096]
    assert think(SearchLimit(endless=True), 2).value == pytest.approx(64 / 10_000) and heard == [16, 64]
    assert think(SearchLimit(simulations=100)).value == pytest.approx(0.01) and heard == [100]
    assert think(SearchLimit(simulations=10**9)).simulations == 4096 and heard == [4096]
    assert think(SearchLimit()).simulations == 16


def test_time_chooses_the_largest_search_that_ends_in_it():
    player = TimedPlayer(counting, 0.0, simulations=64)
    player._run_seconds, player._called, player._compile_seconds = (
        {64: 0.4},
        {64},
        5.0,
    )  # 160 simulations a second

    def sizes(*times, compiling):
        return [player._affordable(float(seconds), compiling=compiling) for seconds in times]

    assert sizes(0.01, 0.1, 0.41, 2, 7, 30, compiling=False) == [1, 16, 64, 256, 1024, 4096]
    assert sizes(0.01, 0.1, 0.41, 2, 7, 13, compiling=True) == [1, 16, 64, 64, 256, 1024]
    player._run_seconds[256] = 1.0  # faster than it was thought to be
    player._called.add(256)
    assert sizes(1.1, 7, compiling=True) == [256, 256]
    own = TimedPlayer(counting, 0.0, simulations=800)
    own._run_seconds, own._called = {800: 8.0}, {800}
    times = (40, 10, 2, 1, 0.1, 0.03, 0)
    assert [own._affordable(float(t), compiling=False) for t in times] == [3200, 800, 200, 50, 3, 3, 1]


def test_a_player_that_counts_nothing_thinks_once():
    table = engine("tic_tac_toe", worth=0.25)
    for limit in (
        SearchLimit(),
        SearchLimit(simulations=3),
        SearchLimit(seconds=0.0),
        SearchLimit(endless=True),
    ):
        decision = table.think(limit)
        assert decision.simulations == 1 and decision.value == 0.25


def test_only_games_have_engines():
    with pytest.raises(ConfigError, match="pendulum"):
        Engine(envs.make("pendulum"), TimedPlayer(counting, 0.0))
