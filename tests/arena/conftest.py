"""What the tests of GTP share."""

from __future__ import annotations

import pytest

from imaginax.arena.go.session import GoSession
from imaginax.arena.gtp import Gtp
from tests.arena.players import engine


@pytest.fixture(scope="module")
def table():
    return engine("go_5x5", simulations=16)


@pytest.fixture
def gtp(table):
    table.reset()
    table.player.set_simulations(16)
    return Gtp(GoSession(table, komi=24.5))
