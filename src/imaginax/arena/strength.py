"""How strong a player is: matches against opponents by name, compiled ones and real programs alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array

from imaginax.arena.match import MatchResult, play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.program_match import play_program
from imaginax.arena.programs import make_program
from imaginax.arena.score import Score, summarise
from imaginax.types import Environment, Params, Player

PROGRAMS = ("gnugo", "grhino", "stockfish", "fairy-stockfish")


class Against(NamedTuple):
    """A match against one opponent.

    Attributes:
        opponent: its name.
        score: what came out.
        disputed: games about which a program and the environment did not agree, and why.
    """

    opponent: str
    score: Score
    disputed: dict[int, str]

    def record(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        rounded = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in self.score._asdict().items()
        }
        return {
            "opponent": self.opponent,
            "games": self.score.games,
            **rounded,
            "disputed": len(self.disputed),
        }


def make_match(
    env: Environment, player: Player, opponent: str, *, games: int, openings: int = 0
) -> Callable[[Params, Array], Against]:
    """Matches of up to `games` games against one opponent, half of them with each side beginning.

    Args:
        env: the game, as `envs.make` gives it.
        player: whose strength is measured.
        opponent: a form of `arena.opponents`, or of `arena.programs`.
        games: an even number; with openings no more than two for each that the game has.
        openings: plies before the sides take over, drawn without replacement, the same for both colours.

    Returns:
        (the player's params, key) -> what came out; compiled in the first call.

    Raises:
        ConfigError: for an unknown opponent, or, when it is called, an odd number of games.
        ProgramMissing: if a program is not installed.
    """
    if opponent.partition(":")[0] in PROGRAMS:
        program = make_program(opponent, env)
        at_once = next((count for count in (8, 6, 4) if games % count == 0), 2)

        def with_program(params: Params, key: Array) -> Against:
            match = play_program(
                env, player, params, program, key, games=games, at_once=at_once, openings=openings
            )
            return Against(opponent, summarise(match.result), match.disputed)

        return with_program
    other = make_opponent(opponent, env)

    @jax.jit
    def play(params: Params, key: Array) -> MatchResult:
        return play_match(env, player, other, (params, ()), key, games=games, openings=openings)

    return lambda params, key: Against(opponent, summarise(play(params, key)), {})
