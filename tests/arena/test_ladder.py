"""A table of players who differ in one parameter."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import pytest

from imaginax import envs
from imaginax.arena.ladder import Entrant, ladder, round_robin
from imaginax.arena.opponents import make_opponent
from imaginax.types import ConfigError, Player

GAME = envs.make("tic_tac_toe")
RANDOM, GREEDY = make_opponent("random", GAME), make_opponent("greedy", GAME)


def mixed() -> Player:
    """Greedy with probability `params`, else random."""

    def move(params, memory, timestep, key):
        key_mix, key_move = jax.random.split(key)
        careful = jax.random.bernoulli(key_mix, params, timestep.last.shape)
        action, _, summary = GREEDY.move((), (), timestep, key_move)
        other, _, _ = RANDOM.move((), (), timestep, key_move)
        return jnp.where(careful, action, other), memory, summary

    return Player("mixed", lambda batch: (), move)


def test_a_ladder_orders_players_by_strength_and_is_json():
    player = mixed()
    entrants = [Entrant(f"greedy {share}", player, jnp.float32(share)) for share in (0.0, 0.5, 1.0)]
    rows = round_robin(GAME, entrants, jax.random.key(0), games=400, openings=3)
    assert [(row.first, row.second) for row in rows] == [
        ("greedy 0.0", "greedy 0.5"),
        ("greedy 0.0", "greedy 1.0"),
        ("greedy 0.5", "greedy 1.0"),
    ]
    assert all(row.wins + row.draws + row.losses == 400 for row in rows)
    assert all(sum(unit.games * unit.count for unit in row.units) == 400 for row in rows)
    assert all(sum(unit.count for unit in row.units) == 200 for row in rows), "every opening is another one"
    table = ladder(rows, anchor="greedy 1.0", anchor_elo=500.0)
    assert json.loads(json.dumps(table)) == table
    assert [row["name"] for row in table["ratings"]] == ["greedy 1.0", "greedy 0.5", "greedy 0.0"]
    assert table["ratings"][0] == {
        "name": "greedy 1.0", "elo": 500.0, "low": 500.0, "high": 500.0, "games": 800.0, "bound": ""
    }  # fmt: skip
    # anchored: pairs without the anchor are left out; the same compiled match gives the same results
    few = round_robin(GAME, entrants[:2], jax.random.key(0), games=400, openings=3, against=["greedy 0.0"])
    assert len(few) == 1


def test_bad_tables_are_refused():
    twice = [Entrant("a", RANDOM), Entrant("a", RANDOM)]
    with pytest.raises(ConfigError, match="different names"):
        round_robin(GAME, twice, jax.random.key(0), games=2)
    with pytest.raises(ConfigError, match="against names c"):
        round_robin(GAME, [Entrant("a", RANDOM)], jax.random.key(0), games=2, against=["c"])
