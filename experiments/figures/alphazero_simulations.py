"""AlphaZero Fig. 2: strength against thinking, the same network with more and fewer simulations of a move.

    python experiments/figures/alphazero_simulations.py          draws results/alphazero/simulations.png
    python experiments/figures/alphazero_simulations.py --run    plays first, with the run of alphazero_elo.py

The paper gives both sides time; here the opponents stay as they are. Elo as in alphazero_elo.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax

from imaginax import envs
from imaginax.arena import ladder, strength
from imaginax.arena.opponents import make_opponent
from imaginax.runtime import playback, plotting

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "alphazero" / "simulations.json"
LOGDIR = ROOT / "runs" / "alphazero-elo" / "connect_four"
SIMULATIONS = (2, 8, 32, 128, 512)
OPPONENTS = ("random", "minimax:2", "minimax:5")
GAMES, OPENINGS = 100, 2


def measure() -> None:
    """Plays every opponent with every number of simulations."""
    trained = playback.load(LOGDIR)
    env, learner = envs.make(trained.record["env"]), playback.learner_of(trained)
    assert trained.system.player is not None
    pairings, matches = [], []
    for simulations in SIMULATIONS:
        player = trained.system.player(simulations)
        for name in OPPONENTS:
            match = strength.make_match(env, player, name, games=GAMES, openings=OPENINGS)
            found = match(learner, jax.random.key(len(matches)))
            matches.append({"simulations": simulations, **found.record()})
            row = (found.score.wins, found.score.draws, found.score.losses)
            pairings.append(ladder.Pairing(_name(simulations), name, *row))
            print(simulations, name, row, flush=True)
    anchors = [ladder.Entrant(name, make_opponent(name, env)) for name in OPPONENTS]
    pairings += ladder.round_robin(env, anchors, jax.random.key(1), games=GAMES, openings=OPENINGS)
    record = plotting.results_record(LOGDIR) | {
        "simulations": SIMULATIONS,
        "matches": matches,
        "ladder": ladder.ladder(pairings, anchor="random"),
    }
    plotting.write_results(RESULT, record)


def draw() -> Path:
    """Our network as a curve, opponents as lines."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = json.loads(RESULT.read_text())
    ratings = {row["name"]: row for row in record["ladder"]["ratings"]}
    ours = [ratings[_name(simulations)] for simulations in record["simulations"]]
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot()
        error = [[row["elo"] - row["low"] for row in ours], [row["high"] - row["elo"] for row in ours]]
        axes.errorbar(record["simulations"], [row["elo"] for row in ours], error, marker="o", capsize=3)
        for name in OPPONENTS:
            axes.axhline(ratings[name]["elo"], color="#888888", linestyle="--", linewidth=1)
            place = (record["simulations"][-1], ratings[name]["elo"])
            axes.annotate(name, place, ha="right", va="bottom", fontsize=8, color="#555555")
        axes.set_xscale("log", base=2)
        axes.set(title=record["env"], xlabel="simulations of a move", ylabel="Elo (random player: 0)")
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


def _name(simulations: int) -> str:
    return f"{simulations} simulations"


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        measure()
    print(draw() if RESULT.exists() else "no result yet: --run makes it")
