"""A match by name is the match itself, against compiled opponents and programs alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.arena import strength
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.programs import GtpProgram
from imaginax.arena.score import summarise
from imaginax.types import ConfigError
from tests.arena.players import counting

SCRIPT = str(Path(__file__).with_name("line_program.py"))


def test_is_the_match_with_that_opponent():
    env, player, key = envs.make("tic_tac_toe"), counting(None), jax.random.key(3)
    match = strength.make_match(env, player, "random", games=40, openings=1)
    sides = (jnp.float32(0), ())
    same = play_match(env, player, make_opponent("random", env), sides, key, games=40, openings=1)
    first = match(jnp.float32(0), key)
    assert first.score == summarise(same) and first.opponent == "random" and not first.disputed
    assert match(jnp.float32(0), jax.random.key(4)).score != first.score


def test_a_record_is_json_with_the_score():
    env = envs.make("tic_tac_toe")
    found = strength.make_match(env, counting(None), "random", games=10)(jnp.float32(0), jax.random.key(0))
    record = json.loads(json.dumps(found.record()))
    assert record["opponent"] == "random" and record["games"] == 10 and record["disputed"] == 0
    assert record["wins"] + record["draws"] + record["losses"] == 10


def test_programs_play_by_name_and_what_they_dispute_is_told(monkeypatch):
    """The program passes always; the player takes the last legal action, a pass as well."""
    env, asked = envs.make("go_5x5"), []

    def program(name, env):
        asked.append(name)
        return lambda: GtpProgram(sys.executable, [SCRIPT, "polite"], size=5, komi=24.5, timeout=20.0)

    monkeypatch.setattr(strength, "make_program", program)
    match = strength.make_match(env, counting(None), "gnugo:1", games=4)
    found = match(jnp.float32(0), jax.random.key(0))
    assert asked == ["gnugo:1"]
    assert (found.opponent, found.score.games) == ("gnugo:1", 4)
    np.testing.assert_array_equal((found.score.wins, found.score.losses), (2, 2))  # an empty board is White's


def test_an_unknown_opponent_is_refused_before_anything_compiles():
    with pytest.raises(ConfigError, match="opponent"):
        strength.make_match(envs.make("tic_tac_toe"), counting(None), "kasparov", games=2)
