"""Names of opponents, and that each is as strong as its name says."""

from __future__ import annotations

import functools

import jax
import pytest

from imaginax import envs
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.score import Score, summarise
from imaginax.types import ConfigError

GAME = envs.make("tic_tac_toe")


def meet(first: str, second: str, games: int) -> Score:
    sides = (make_opponent(first, GAME), make_opponent(second, GAME))
    match = jax.jit(functools.partial(play_match, GAME, *sides, ((), ()), games=games))
    return summarise(match(jax.random.key(2)))


@pytest.mark.parametrize(
    ("better", "worse", "least"),
    [("greedy", "random", 0.6), ("minimax:2", "greedy", 0.6)],
)
def test_each_beats_the_weaker_one(better, worse, least):
    score = meet(better, worse, 400)
    assert score.low > least, score


def test_a_name_is_kept():
    for text in ("random", "greedy", "minimax:3", "minimax:3:plain", "mcts:10", "mcts:10:1.5", "perfect"):
        assert make_opponent(text, GAME).name == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stockfish", "unknown opponent 'stockfish'; known: random"),
        ("", "unknown opponent ''"),
        ("random:1", "takes no options"),
        ("minimax", "must be minimax:D"),
        ("minimax:2:best", "must be minimax:D"),
        ("minimax:0", "whole number from 1 to 10, got '0'"),
        ("minimax:99", "whole number from 1 to 10"),
        ("minimax:²", "whole number"),
        ("mcts:ten", "whole number from 1 to 1000000"),
        ("mcts:10:0", "positive number, got '0'"),
        ("mcts:10:nan", "positive number"),
    ],
)
def test_bad_names_are_refused_in_one_line(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make_opponent(text, GAME)
    assert "\n" not in str(caught.value)


def test_other_worlds_have_no_opponents():
    with pytest.raises(ConfigError, match="pendulum is no board game"):
        make_opponent("random", envs.make("pendulum"))
