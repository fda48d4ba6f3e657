"""Who won at Go, by `final_score` and by GNU Go: whole games of GNU Go level 1 against itself.

    python benchmarks/go_scores.py --play --games 120 --size 9     plays them; needs gnugo
    python benchmarks/go_scores.py                                 scores all that were played

Games begin with four random moves and end with two passes, so dead stones, seki and neutral points are left
on the board as GNU Go leaves them. The first form writes results/benchmarks/go_games_9.json with GNU Go's
scores at levels 1 and 10, by Chinese rules; the second reads all such files, prints how often winner and
score are the same, and writes results/benchmarks/go_scores.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path
from typing import Any

import jax

from imaginax.arena.go import board as goban
from imaginax.arena.go import game as go_game
from imaginax.arena.go import scoring
from imaginax.arena.programs import GtpProgram
from imaginax.runtime.plotting import commit
from imaginax.runtime.run_directory import write_json

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"
KOMI, OPENING = 7.5, 4
LEVELS = ("level_1", "level_10")
RULES = ("--mode", "gtp", "--chinese-rules", "--positional-superko", "--never-resign", "--level")


def play(size: int, seed: int, player: GtpProgram, judge: GtpProgram) -> dict[str, Any]:
    """One game and what both programs say of its end."""
    draw = random.Random(seed)
    opening = draw.sample([point for point in range(size * size) if _inside(size, point)], OPENING)
    moves: list[str] = []
    for program in (player, judge):
        program.new_game(seed)
    while moves[-2:] != ["PASS", "PASS"]:
        colour = ("black", "white")[len(moves) % 2]
        if len(moves) < OPENING:
            moves.append(goban.vertex(size, opening[len(moves)]))
            player.command(f"play {colour} {moves[-1]}")
        else:
            moves.append(player.command(f"genmove {colour}").upper())
        judge.command(f"play {colour} {moves[-1]}")
    score, again = player.command("final_score"), judge.command("final_score")
    return {"seed": seed, "moves": " ".join(moves), "level_1": score, "level_10": again}


def _inside(size: int, point: int) -> bool:
    """Whether a point is not on the edge."""
    return all(0 < place < size - 1 for place in divmod(point, size))


def play_all(size: int, games: int) -> None:
    """Plays and writes `games` games."""
    player, judge = (
        GtpProgram("gnugo", [*RULES, level], size=size, komi=KOMI, timeout=600) for level in ("1", "10")
    )
    played = []
    for seed in range(games):
        played.append(play(size, seed, player, judge))
        print(size, seed, played[-1]["level_1"], played[-1]["level_10"], flush=True)
    lines = ",\n".join(json.dumps(game) for game in played)
    (RESULTS / f"go_games_{size}.json").write_text(f"[\n{lines}\n]\n")


def compare(size: int) -> list[dict[str, Any]]:
    """Every game's score beside GNU Go's, with the seconds that it took."""
    rows = []
    for played in json.loads((RESULTS / f"go_games_{size}.json").read_text()):
        game = go_game.begin(size)
        for number, move in enumerate(played["moves"].split()):
            colour = (goban.BLACK, goban.WHITE)[number % 2]
            game = go_game.play(game, colour, goban.point_of(size, move))
        start = time.perf_counter()
        score = scoring.result(game.board, KOMI)
        seconds = time.perf_counter() - start
        said = {name: played[name] for name in LEVELS}
        rows.append({"seed": played["seed"], "score": score, **said, "seconds": seconds})
    return rows


def summary(size: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How often winner and score are the same; the first call compiles."""
    found: dict[str, Any] = {"size": size, "games": len(rows)}
    pairs = {f"ours_{name}": ("score", name) for name in LEVELS} | {"level_1_level_10": LEVELS}
    for name, (one, other) in pairs.items():
        found[f"{name}_winner"] = sum(row[one][0] == row[other][0] for row in rows)
        found[f"{name}_score"] = sum(row[one] == row[other] for row in rows)
    found["seconds"] = statistics.median(row["seconds"] for row in rows[1:])
    found["first_seconds"] = rows[0]["seconds"]
    return found


def main() -> None:
    """Plays, or compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--play", action="store_true")
    parser.add_argument("--games", type=int, default=120)
    parser.add_argument("--size", type=int, default=9)
    options = parser.parse_args()
    if options.play:
        play_all(options.size, options.games)
        return
    sizes = sorted(int(path.stem.rpartition("_")[2]) for path in RESULTS.glob("go_games_*.json"))
    rows = {size: compare(size) for size in sizes}
    totals = [summary(size, rows[size]) for size in sizes]
    for total in totals:
        print(json.dumps(total))
    differing = {
        size: [row for row in rows[size] if len({row["score"], *(row[name] for name in LEVELS)}) > 1]
        for size in sizes
    }
    device = {"platform": jax.default_backend(), "cores": os.cpu_count()}
    record = {"commit": commit(), "jax": jax.__version__, "device": device, "summary": totals}
    write_json(RESULTS / "go_scores.json", record | {"differing": differing})


if __name__ == "__main__":
    main()
