"""AlphaZero Fig. 1: strength against training, with the opponents' lines, on three games.

    python experiments/figures/alphazero_elo.py                       draws results/alphazero/elo.png
    python experiments/figures/alphazero_elo.py --run connect_four    trains and measures that game first

A run keeps its network about twelve times; each of them plays every opponent. All results of a game together
give the Elo ratings (Bradley-Terry), with the random player at 0. In Connect Four the last network's moves
are also graded by perfect play.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import numpy as np

from imaginax import cli, envs
from imaginax.arena import ladder, strength
from imaginax.arena.opponents import make_opponent
from imaginax.runtime import playback, plotting, run

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "alphazero"
LOGDIR = ROOT / "runs" / "alphazero-elo"
SNAPSHOTS = 12  # of a run, about
GAMES, OPENINGS = 100, 2
SIMULATIONS = 64  # a move of every match
OPPONENTS = {  # of every kept network
    "connect_four": ("random", "minimax:2", "minimax:5"),
    "othello": ("random", "minimax:2", "mcts:200"),
    "gardner_chess": ("random", "minimax:2", "fairy-stockfish:skill=-20:nodes=50"),
}
LAST = {"connect_four": ("mcts:1000",)}  # of the last one alone: slow opponents


def measure(game: str) -> None:
    """Trains on a game, going on with a run that was stopped, and plays the matches."""
    logdir = LOGDIR / game
    words = ["train", "alphazero", "--env", game, "--logdir", str(logdir), "--snapshots"]
    chunks = sum(stage.chunks for stage in _system(game).schedule)
    if cli.main([*words, str(max(1, chunks // SNAPSHOTS))]):
        sys.exit("the run failed")
    trained = playback.load(logdir)
    kept = run.snapshots(trained.system, trained.directory, trained.record)
    assert trained.system.player is not None
    player, env = trained.system.player(SIMULATIONS), envs.make(game)
    pairings, matches = [], []
    for name in (*OPPONENTS[game], *LAST.get(game, ())):
        match = strength.make_match(env, player, name, games=GAMES, openings=OPENINGS)
        for snapshot in kept if name in OPPONENTS[game] else kept[-1:]:
            learner = jax.tree.map(lambda leaf: leaf[0], snapshot.state)
            found = match(learner, jax.random.key(len(matches)))
            matches.append({"step": snapshot.step, **found.record()})
            row = (found.score.wins, found.score.draws, found.score.losses)
            pairings.append(ladder.Pairing(f"step {snapshot.step}", name, *row))
            print(snapshot.step, name, row, flush=True)
    compiled = [name for name in OPPONENTS[game] if name.partition(":")[0] not in strength.PROGRAMS]
    anchors = [ladder.Entrant(name, make_opponent(name, env)) for name in compiled]
    pairings += ladder.round_robin(env, anchors, jax.random.key(1), games=GAMES, openings=OPENINGS)
    record = plotting.results_record(logdir) | {
        "simulations": SIMULATIONS,
        "matches": matches,
        "snapshots": [{"step": one.step, **one.progress} for one in kept],
        "ladder": ladder.ladder(pairings, anchor="random"),
    }
    if game == "connect_four":
        record["errors"] = _errors(env, player, jax.tree.map(lambda leaf: leaf[0], kept[-1].state))
    plotting.write_results(RESULTS / f"{game}.json", record)


def _system(game: str):
    from imaginax import systems

    entry = systems.entry("alphazero")
    return entry.make(entry.preset("laptop", game))


def _errors(env, player, learner) -> dict[str, dict[str, float]]:
    """How often the last network's search errs, by phase of the game; the book needs extra `connect-four`."""
    from imaginax.arena import connect_four, grading

    solver = connect_four.Solver(connect_four.Book.load())
    rng, choices = np.random.default_rng(0), []
    for stones in (8, 12, 16, 20, 24, 28, 32):
        positions = grading.random_positions(rng, stones, 50)
        choices += grading.answers(env, player, learner, positions, jax.random.key(stones))
    return {phase: one._asdict() for phase, one in grading.grade(solver, choices).items()}


def results() -> list[Path]:
    """Those that are there."""
    return [path for game in OPPONENTS if (path := RESULTS / f"{game}.json").exists()]


def draw() -> Path:
    """One panel a game: our networks as a curve, opponents as lines."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    files = results()
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5 * len(files), 4), layout="constrained")
        for axes, path in zip(figure.subplots(1, len(files), squeeze=False)[0], files, strict=True):
            _panel(axes, json.loads(path.read_text()))
        path = RESULTS / "elo.png"
        figure.savefig(path)
    return path


def _panel(axes, record) -> None:
    ratings = {row["name"]: row for row in record["ladder"]["ratings"]}
    ours = [(one["env_steps"], ratings[f"step {one['step']}"]) for one in record["snapshots"]]
    steps = [step for step, _ in ours]
    (line,) = axes.plot(steps, [row["elo"] for _, row in ours], marker="o", markersize=3, label="AlphaZero")
    axes.fill_between(
        steps,
        [row["low"] for _, row in ours],
        [row["high"] for _, row in ours],
        color=line.get_color(),
        alpha=0.2,
    )
    for name, row in ratings.items():
        if not name.startswith("step"):
            axes.axhline(row["elo"], color="#888888", linestyle="--", linewidth=1)
            axes.annotate(name, (steps[-1], row["elo"]), ha="right", va="bottom", fontsize=8, color="#555555")
    axes.set(title=record["env"], xlabel="moves of self-play", ylabel="Elo (random player: 0)")


if __name__ == "__main__":
    for name in sys.argv[2:] if "--run" in sys.argv[1:] else ():
        measure(name)
    print(draw() if results() else f"{RESULTS.relative_to(ROOT)} holds no result yet: --run GAME makes one")
