from __future__ import annotations

import pytest

from imaginax.arena.go.session import GoSession
from imaginax.arena.gtp import Gtp
from tests.arena.players import engine


@pytest.fixture(scope="module")
def table():
    return engine("go_5x5", simulations=16)


def said(gtp: Gtp, *lines: str) -> list[str | None]:
    return [gtp.answer(line) for line in lines]


def test_a_game_whose_name_has_a_komi_has_its_size():
    assert GoSession(engine("go_5x5_komi0.5"), komi=0.5).size == 5


def test_the_temperature_of_the_command_line_draws_moves(table):
    table.reset()
    gtp = Gtp(GoSession(table, komi=24.5, temperature=10.0))
    assert len({gtp.answer("reg_genmove b") for _ in range(12)}) > 2


@pytest.mark.parametrize(
    "order", [("komi 6.5", "time_settings 20 0 0"), ("time_settings 20 0 0", "komi 6.5")]
)
def test_no_move_pays_for_the_compilation_of_another_komi(table, order):
    """Whichever is said first, the engine of the new komi is compiled before a move is asked for."""
    table.reset()
    other = engine("go_5x5", simulations=16)
    prepared = []
    other.prepare = prepared.append
    gtp = Gtp(GoSession(table, komi=24.5, with_komi=lambda komi: other))
    said(gtp, *order)
    assert gtp.session.engine is other and len(prepared) == 1 and prepared[0] == pytest.approx(2.17, abs=0.05)


def test_a_whole_komi_is_thought_of_as_half_a_point_more(table):
    asked = []
    session = GoSession(table, komi=24.5, with_komi=lambda komi: asked.append(komi) or engine("go_5x5"))
    gtp = Gtp(session)
    said(gtp, "komi 24", "komi 7", "komi 7.5", "komi 7.0", "komi -3", "komi 0")
    assert asked == [7.5, 0.5] and session.komi == 0


def test_another_komi_is_another_engine(table):
    asked = []

    def with_komi(komi):
        asked.append(komi)
        return engine("go_5x5", worth=komi / 100)

    session = GoSession(table, komi=24.5, with_komi=with_komi)
    gtp = Gtp(session)
    said(gtp, "komi 6.5", "komi 24.5", "komi 6.5")
    assert asked == [6.5] and session.engine is not table
    assert session.engine.think().value == pytest.approx(0.065)
    assert gtp.answer("komi 24.5") == "= " and session.engine is table
