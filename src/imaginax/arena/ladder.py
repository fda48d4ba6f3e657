"""Tables of players: who plays whom, what came out, and the ratings of all, ready for JSON."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import Array

from imaginax.arena.elo import Pairing, fit_elo
from imaginax.arena.match import MatchResult, play_match
from imaginax.arena.score import summarise
from imaginax.types import ConfigError, Environment, Params, Player


class Entrant(NamedTuple):
    """A player, its parameters and the name it goes by in the table.

    Entrants may share one `Player` object, as the checkpoints of a run do; then they share compiled matches.
    """

    name: str
    player: Player
    params: Params = ()


def round_robin(
    env: Environment,
    entrants: Sequence[Entrant],
    key: Array,
    *,
    games: int,
    openings: int = 0,
    against: Iterable[str] | None = None,
) -> list[Pairing]:
    """Every entrant against every other, or only against those named in `against`.

    Args:
        env: the game.
        entrants: with different names.
        key: of the openings and of chance.
        games: of each pair, even; with openings no more than two for each that the game has.
        openings: plies before the players take over, drawn without replacement.
        against: names of anchors: pairs without one of them are left out.

    Raises:
        ConfigError: for names that are not different, or unknown ones in `against`.
    """
    names = [entrant.name for entrant in entrants]
    if len(set(names)) < len(names):
        raise ConfigError(f"entrants of a ladder need different names, got {', '.join(names)}")
    anchors = set(names if against is None else against)
    if anchors - set(names):
        raise ConfigError(f"against names {', '.join(sorted(anchors - set(names)))}, which does not play")
    pairs = [
        pair for pair in itertools.combinations(entrants, 2) if anchors & {entrant.name for entrant in pair}
    ]
    compiled: dict[tuple[int, int], Any] = {}
    table = []
    for (first, second), pair_key in zip(pairs, jax.random.split(key, max(1, len(pairs))), strict=False):
        sides = (id(first.player), id(second.player))
        if sides not in compiled:
            compiled[sides] = _compiled_match(env, first.player, second.player, games, openings)
        table.append(
            pairing(first.name, second.name, compiled[sides]((first.params, second.params), pair_key))
        )
    return table


def _compiled_match(env: Environment, first: Player, second: Player, games: int, openings: int):
    @jax.jit
    def match(params: tuple[Params, Params], key: Array) -> MatchResult:
        return play_match(env, first, second, params, key, games=games, openings=openings)

    return match


def pairing(first: str, second: str, result: MatchResult) -> Pairing:
    """A match's result as a row for `fit_elo`."""
    score = summarise(result)
    return Pairing(first, second, score.wins, score.draws, score.losses, score.units)


def ladder(pairings: Sequence[Pairing], *, anchor: str, anchor_elo: float = 0.0) -> dict[str, Any]:
    """Ratings and the results behind them, as plain values.

    Args:
        pairings: results.
        anchor: the player whose rating is fixed, the strongest with many games.
        anchor_elo: at this.

    Returns:
        {"anchor", "anchor_elo", "ratings": [{name, elo, low, high, games, bound}, ...] from the strongest,
        None for an open end of an interval, "pairings": [{first, second, wins, draws, losses, units}, ...]}
    """
    ratings = fit_elo(pairings, anchor=anchor, anchor_elo=anchor_elo)
    return {
        "anchor": anchor,
        "anchor_elo": anchor_elo,
        "ratings": [{key: _plain(value) for key, value in row._asdict().items()} for row in ratings],
        "pairings": [{**row._asdict(), "units": [list(unit) for unit in row.units]} for row in pairings],
    }


def _plain(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, 1) if math.isfinite(value) else None
