from __future__ import annotations

import pytest

from imaginax.arena.clock import Clock, chess_seconds, move_seconds, spend


@pytest.mark.parametrize(
    "clock", [Clock(600), Clock(60, 30, 5), Clock(20, 10, 1), Clock(0.5), spend(Clock(0, 10, 3), 0.0)]
)
def test_a_player_who_keeps_to_it_never_loses_on_time(clock):
    for move in range(300):
        seconds = move_seconds(clock, max(100 - move, 10))
        assert seconds > 0
        after = clock.seconds - seconds
        assert after >= 0 or clock.seconds < 0.05, (move, clock)
        clock = spend(clock, seconds)


def test_overtime_periods():
    clock = Clock(10, 30, 3)
    assert spend(clock, 4.0) == clock._replace(seconds=6)
    clock = spend(clock, 10.0)
    assert clock == Clock(30, 30, 3, left=3)
    clock = spend(spend(clock, 5.0), 5.0)
    assert clock == Clock(20, 30, 3, left=1)
    assert move_seconds(clock, 50) == pytest.approx(19.95)
    assert spend(clock, 19.0) == Clock(30, 30, 3, left=3)


def test_a_share_of_the_time_left():
    assert move_seconds(Clock(100), 20) == pytest.approx(4.95)
    assert move_seconds(Clock(100, 30, 2), 20) == pytest.approx(14.95)
    assert chess_seconds(60.0, 0.0, None) == pytest.approx(1.95)
    assert chess_seconds(60.0, 1.0, 10) == pytest.approx(6.75)
    assert chess_seconds(0.5, 10.0, None) == pytest.approx(0.2)
    assert 0 < chess_seconds(0.0, 0.0, 1) < 0.1
