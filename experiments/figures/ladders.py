"""What the figures of ladders share: pairings from stored matches, and how ratings and bounds are drawn.

    python experiments/figures/ladders.py --refit    fits the ladders in results/ again, from stored matches

Older results hold counts alone, and their openings were drawn with replacement. There every opening counts as
one observation, as many as differ on average among those drawn, and all its games as alike: intervals are
rather too wide than too narrow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imaginax import envs
from imaginax.arena import ladder, openings
from imaginax.arena.score import Unit
from imaginax.runtime.run_directory import write_json

RESULTS = Path(__file__).parents[2] / "results"
ANCHORS = {  # of every stored ladder its strongest opponent with many games, and the plies of its openings
    "alphazero/connect_four.json": ("minimax:5", 2),
    "alphazero/connect_four_gpu.json": ("minimax:5", 2),
    "alphazero/othello.json": ("grhino:1", 2),
    "alphazero/gardner_chess.json": ("fairy-stockfish:skill=0:nodes=500", 2),
    "alphazero/gardner_chess_simulations.json": ("fairy-stockfish:skill=0:nodes=500", 2),
    "alphazero/go_9x9_gpu.json": ("gnugo:1", 2),
    "alphago_zero/go_5x5.json": ("gnugo:1", 2),
    "alphago_zero/human.json": ("taught by people", 4),
    "alphago_zero/networks.json": ("separate-conv", 4),
}


def pairing(name: str, row: dict[str, Any]) -> ladder.Pairing:
    """A stored match as a row of a ladder."""
    return ladder.Pairing(
        name, row["opponent"], row["wins"], row["draws"], row["losses"], _units(row["units"])
    )


def _units(rows: Sequence[Sequence[float]]) -> tuple[Unit, ...]:
    return tuple(Unit(points, games, int(count)) for points, games, count in rows)


def refit(path: Path, anchor: str, plies: int) -> None:
    """Ratings anew from stored results, which stay as they are."""
    record = json.loads(path.read_text())
    stored = record["ladder"]["pairings"]
    known = len(openings.book(envs.make(record["env"]), plies))
    rows = []
    for row in stored:
        wins, draws, losses = counts = [row[name] for name in ("wins", "draws", "losses")]
        units = _units(row["units"]) if "units" in row else alike(counts, drawn(known, sum(counts) // 2))
        rows.append(ladder.Pairing(row["first"], row["second"], wins, draws, losses, units))
    record["ladder"] = {**ladder.ladder(rows, anchor=anchor), "pairings": stored}
    if any("units" not in row for row in stored):
        there = f"{known} or more" if known == openings.MOST else known
        record["ladder"]["fitted_from"] = (
            f"counts of games; of {there} openings, drawn with replacement, each drawn one is one observation"
        )
    write_json(path, record)


def drawn(known: int, count: int) -> int:
    """How many of `known` openings differ, on average, among `count` that are drawn with replacement."""
    return round(known * (1 - (1 - 1 / known) ** count))


def alike(counts: Sequence[float], units: int) -> tuple[Unit, ...]:
    """So many openings, if the games of each had come out as alike as the counts let them."""
    wins, draws, losses = counts
    size = (wins + draws + losses) / units

    def points(games: float) -> float:  # of the first games, the won ones first, then the drawn
        return min(games, wins) + 0.5 * min(max(games - wins, 0.0), draws)

    return tuple(Unit(points((i + 1) * size) - points(i * size), size, 1) for i in range(units))


def draw_ratings(axes, at: Sequence[float], rows: Sequence[dict[str, Any]]) -> None:
    """A curve with its band where the data determine ratings, a triangle where they only bound them."""
    known = [(x, row) for x, row in zip(at, rows, strict=True) if not row["bound"]]
    places = [x for x, _ in known]
    (line,) = axes.plot(places, [row["elo"] for _, row in known], marker="o", markersize=3, label="ours")
    low, high = [row["low"] for _, row in known], [row["high"] for _, row in known]
    axes.fill_between(places, low, high, color=line.get_color(), alpha=0.2)
    for bound, marker in (("at most", "v"), ("at least", "^")):
        ends = [(x, row["elo"]) for x, row in zip(at, rows, strict=True) if row["bound"] == bound]
        if ends:
            axes.plot(*zip(*ends, strict=True), marker, color=line.get_color(), fillstyle="none")


def draw_opponents(axes, at: float, rows: Sequence[dict[str, Any]], *, close: float = 60.0) -> None:
    """A line for each; those that are bounds are dotted. Neighbours within `close` Elo share a label."""
    groups: list[list[dict[str, Any]]] = []
    known = [row for row in rows if row["elo"] is not None]  # of the others nothing at all is known
    for row in sorted(known, key=lambda row: row["elo"]):
        axes.axhline(row["elo"], color="#888888", linestyle=":" if row["bound"] else "--", linewidth=1)
        near = groups and row["elo"] - groups[-1][-1]["elo"] < close
        groups = [*groups[:-1], [*groups[-1], row]] if near else [*groups, [row]]
    for group in groups:
        names = ", ".join(f"{row['name']} ({row['bound']})" if row["bound"] else row["name"] for row in group)
        place = at, group[-1]["elo"]
        axes.annotate(names, place, ha="right", va="bottom", fontsize=8, color="#555555")


if __name__ == "__main__":
    for name, terms in ANCHORS.items() if "--refit" in sys.argv[1:] else ():
        refit(RESULTS / name, *terms)
        print(RESULTS / name)
