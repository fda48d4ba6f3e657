"""AlphaZero Fig. 1: strength against training, with the opponents' lines, on several games.

    python experiments/figures/alphazero_elo.py                       draws results/alphazero/elo.png
    python experiments/figures/alphazero_elo.py --run connect_four    trains and measures that game first

A run keeps its network about twelve times; each of them plays every opponent, in Go 9x9 also the network
before it. All results of a game together give the Elo ratings (Bradley-Terry), with the strongest of these
opponents at 0; players who never score, as the random one, have a bound instead. The last network also plays
with more simulations, from the initial position too. In Connect Four its moves are graded by perfect play.
Go 5x5 is played by AlphaGo Zero, the rest by AlphaZero.
"""

from __future__ import annotations

import itertools
import json
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import ladders
import numpy as np

from imaginax import cli, envs, registry
from imaginax.arena import ladder, strength
from imaginax.arena.match import play_match
from imaginax.arena.opponents import make_opponent
from imaginax.arena.score import summarise
from imaginax.runtime import checkpoint, playback, plotting, run
from imaginax.runtime.run_directory import read_json, write_json

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
LOGDIR = ROOT / "runs" / "alphazero-elo"
SNAPSHOTS = 12  # of a run, about
GAMES, OPENINGS = 100, 2
SIMULATIONS = 64  # a move of every match
COLUMNS = 3  # of the figure
MORE = 600  # those of AlphaZero.jl's matches, for the last network


class Experiment(NamedTuple):
    """One panel of the figure.

    Attributes:
        system: that learns.
        opponents: opponents of every kept network, the strongest last, at which the scale of Elo is fixed;
            those that are no programs rate each other too.
        last: opponents of the last network alone, because they are slow.
        more: opponents of the last network with more simulations.
        chunks: of the run, if not as in the preset.
        preset: of the run.
        games: of a match.
        chained: whether every kept network also plays the one before, which ties together what all of the
            opponents beat or lose to.
    """

    system: str
    opponents: tuple[str, ...]
    last: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    chunks: int | None = None
    preset: str = "laptop"
    games: int = GAMES
    chained: bool = False


EXPERIMENTS = {
    "connect_four": Experiment(
        "alphazero",
        ("random", "minimax:2", "minimax:5"),
        ("minimax:2:plain", "mcts:1000"),
        ("minimax:2", "minimax:5", "mcts:1000"),
    ),
    "connect_four_gpu": Experiment(
        "alphazero", ("random", "minimax:2", "minimax:5"), ("mcts:1000",), preset="gpu"
    ),
    "othello": Experiment(
        "alphazero",
        ("random", "greedy", "minimax:2", "grhino:1"),
        ("grhino:2",),
        ("grhino:1", "grhino:2"),
        chunks=96,
    ),
    "gardner_chess": Experiment(
        "alphazero",
        ("random", "fairy-stockfish:skill=-20:nodes=50", "fairy-stockfish:skill=0:nodes=500"),
        chunks=48,
    ),
    "go_9x9_gpu": Experiment(
        "alphazero",
        ("random", "gnugo:1"),
        ("gnugo:10",),
        ("gnugo:10",),
        preset="gpu",
        games=40,
        chained=True,
    ),
    "go_5x5": Experiment(
        "alphago_zero",
        ("random", "mcts:200", "gnugo:1"),
        ("gnugo:10",),
        ("gnugo:1", "gnugo:10"),
    ),
}


def measure(name: str) -> None:
    """Trains on a game and plays the matches, going on with what was stopped."""
    wanted, logdir, game = EXPERIMENTS[name], LOGDIR / name, game_of(name)
    env, trained = envs.make(game), _train(game, wanted, logdir)
    record = plotting.results_record(logdir)  # before the matches, as it refuses a run that was stopped
    kept = snapshots(trained)
    make_player = trained.system.player
    assert make_player is not None  # both systems play
    play = partial(against, env, make_player, trained.directory.path / "matches.json", wanted.games)
    matches = [
        row
        for other in (*wanted.opponents, *wanted.last)
        for row in play(kept if other in wanted.opponents else kept[-1:], other, SIMULATIONS, OPENINGS)
    ]
    if wanted.chained:
        player = make_player(SIMULATIONS)
        matches += chain(env, player, trained.directory.path / "matches.json", wanted.games, kept)
    pairings = [ladders.pairing(f"step {row['step']}", row) for row in matches]
    pairings += ladder.round_robin(env, compiled(name), jax.random.key(1), games=GAMES, openings=OPENINGS)
    more = [
        {"simulations": MORE, "openings": openings, **row}
        for openings, other in itertools.product((0, OPENINGS), wanted.more)
        for row in play(kept[-1:], other, MORE, openings)
    ]
    record |= {
        "simulations": SIMULATIONS,
        "matches": matches,
        "snapshots": [{"step": one.step, **one.progress} for one in kept],
        "ladder": ladder.ladder(pairings, anchor=wanted.opponents[-1]),
        "more": more,
    }
    if game == "connect_four":
        record["errors"] = _errors(env, make_player(SIMULATIONS), kept[-1].state)
    plotting.write_results(_result(name), record)


def game_of(name: str) -> str:
    """The game of an experiment."""
    return name.removesuffix("_gpu")


def compiled(name: str) -> list[ladder.Entrant]:
    """The opponents of every kept network that are no programs: they also rate each other."""
    env, opponents = envs.make(game_of(name)), EXPERIMENTS[name].opponents
    names = (other for other in opponents if other.partition(":")[0] not in strength.PROGRAMS)
    return [ladder.Entrant(other, make_opponent(other, env)) for other in names]


def against(
    env, make_player, path: Path, games: int, kept, opponent: str, simulations: int, openings: int
) -> list[dict]:
    """Matches of kept networks against one opponent; those that the file at `path` knows are not repeated."""
    played = read_json(path) if path.exists() else {}
    match = strength.make_match(env, make_player(simulations), opponent, games=games, openings=openings)
    rows = []
    for snapshot in kept:
        name = f"step {snapshot.step}, {simulations} simulations, {openings} openings: {opponent}"
        if name not in played:
            found = match(snapshot.state, jax.random.key(len(played)))
            played[name] = {"step": snapshot.step, **found.record()}
            write_json(path, played)
            print(name, played[name], flush=True)
        rows.append(played[name])
    return rows


def chain(env, player, path: Path, games: int, kept) -> list[dict]:
    """Matches of kept networks against the ones before them, as in `against`."""
    played = read_json(path) if path.exists() else {}

    @jax.jit
    def match(sides, key):
        return play_match(env, player, player, sides, key, games=games, openings=OPENINGS)

    rows = []
    for before, after in itertools.pairwise(kept):
        opponent = f"step {before.step}"
        name = f"step {after.step}, {SIMULATIONS} simulations, {OPENINGS} openings: {opponent}"
        if name not in played:
            result = match((after.state, before.state), jax.random.key(len(played)))
            found = strength.Against(opponent, summarise(result), {})
            played[name] = {"step": after.step, **found.record()}
            write_json(path, played)
            print(name, played[name], flush=True)
        rows.append(played[name])
    return rows


def _train(game: str, wanted: Experiment, logdir: Path) -> playback.Trained:
    """The finished run, made or continued."""
    entry = registry.entry(wanted.system)
    first, last = entry.make(entry.preset(wanted.preset, game)).schedule
    chunks = wanted.chunks or last.chunks
    words = ["train", wanted.system, "--preset", wanted.preset, "--env", game, "--logdir", str(logdir)]
    words += ["--chunks", str(chunks)]
    if cli.main([*words, "--snapshots", str(max(1, (first.chunks + chunks) // SNAPSHOTS))]):
        sys.exit("the run failed")
    return playback.load(logdir)


def snapshots(trained: playback.Trained) -> list[checkpoint.Restored]:
    """What a run of one seed kept; the state of each is what its player needs of the learner."""
    kept = run.snapshots(trained.system, trained.directory, trained.record)
    learners = [jax.tree.map(lambda leaf: leaf[0], one.state) for one in kept]
    return [
        one._replace(state=trained.system.params_of(learner))
        for one, learner in zip(kept, learners, strict=True)
    ]


def _result(name: str) -> Path:
    return RESULTS / EXPERIMENTS[name].system / f"{name}.json"


def _errors(env, player, params) -> dict[str, dict[str, float]]:
    """How often the last network's search errs, by phase of the game; the book needs extra `connect-four`."""
    from imaginax.arena import connect_four, grading

    solver = connect_four.Solver(connect_four.Book.load())
    rng, choices = np.random.default_rng(0), []
    for stones in (8, 12, 16, 20, 24, 28, 32):
        positions = grading.random_positions(rng, stones, 50)
        choices += grading.answers(env, player, params, positions, jax.random.key(stones))
    return {phase: one._asdict() for phase, one in grading.grade(solver, choices).items()}


def results() -> list[Path]:
    """Those that are there."""
    return [path for name in EXPERIMENTS if (path := _result(name)).exists()]


def draw() -> Path:
    """One panel a game: our networks as a curve, opponents as lines."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    files = results()
    rows = -(-len(files) // COLUMNS)
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5 * COLUMNS, 4 * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
        for axes, path in itertools.zip_longest(panels, files):
            if path:
                _panel(axes, json.loads(path.read_text()))
            else:
                axes.axis("off")
        path = RESULTS / "alphazero" / "elo.png"
        figure.savefig(path)
    return path


def _panel(axes, record) -> None:
    ratings = {row["name"]: row for row in record["ladder"]["ratings"]}
    steps = [one["env_steps"] / 1000 for one in record["snapshots"]]
    ladders.draw_ratings(axes, steps, [ratings[f"step {one['step']}"] for one in record["snapshots"]])
    others = [row for name, row in ratings.items() if not name.startswith("step")]
    ladders.draw_opponents(axes, steps[-1], others)
    axes.set(
        title=f"{record['env']} ({record['system']}, preset {record['preset']})",
        xlabel="thousand moves of self-play",
        ylabel=f"Elo ({record['ladder']['anchor']}: 0)",
    )


if __name__ == "__main__":
    for name in sys.argv[2:] if "--run" in sys.argv[1:] else ():
        measure(name)
    print(draw() if results() else "no result yet: --run GAME makes one")
