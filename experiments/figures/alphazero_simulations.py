"""AlphaZero Fig. 2: strength against thinking, the same network with more and fewer simulations of a move.

    python experiments/figures/alphazero_simulations.py                 results/alphazero/simulations.png
    python experiments/figures/alphazero_simulations.py --run go_5x5    plays first

The network is the last of the run of alphazero_elo.py on that game, and opponents and Elo are as there. The
paper gives both sides time; here the opponents stay as they are.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import jax
import ladders
from alphazero_elo import EXPERIMENTS, GAMES, LOGDIR, OPENINGS, RESULTS, against, compiled, game_of, snapshots

from imaginax import envs
from imaginax.arena import ladder
from imaginax.runtime import playback, plotting

SIMULATIONS = (4, 16, 64, 128)


def measure(name: str) -> None:
    """Plays every opponent with every number of simulations, going on with what was stopped."""
    trained = playback.load(LOGDIR / name)
    env, player, directory = envs.make(game_of(name)), trained.system.player, trained.directory
    assert player is not None
    last = snapshots(trained)[-1:]
    games = EXPERIMENTS[name].games
    play = partial(against, env, player, directory.path / "matches.json", games, last)
    matches = [
        {"simulations": simulations, **row}
        for other in EXPERIMENTS[name].opponents
        for simulations in SIMULATIONS
        for row in play(other, simulations, OPENINGS)
    ]
    pairings = [ladders.pairing(_name(row["simulations"]), row) for row in matches]
    pairings += ladder.round_robin(env, compiled(name), jax.random.key(1), games=GAMES, openings=OPENINGS)
    record = plotting.results_record(LOGDIR / name) | {
        "simulations": SIMULATIONS,
        "matches": matches,
        "ladder": ladder.ladder(pairings, anchor=EXPERIMENTS[name].opponents[-1]),
    }
    plotting.write_results(_result(name), record)


def _result(name: str) -> Path:
    return RESULTS / EXPERIMENTS[name].system / f"{name}_simulations.json"


def results() -> list[Path]:
    """Those that are there."""
    return [path for name in EXPERIMENTS if (path := _result(name)).exists()]


def draw() -> Path:
    """One panel a game: our network as a curve, opponents as lines."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    files = results()
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(6 * len(files), 4), layout="constrained")
        for axes, path in zip(figure.subplots(1, len(files), squeeze=False)[0], files, strict=True):
            _panel(axes, json.loads(path.read_text()))
        path = RESULTS / "alphazero" / "simulations.png"
        figure.savefig(path)
    return path


def _panel(axes, record) -> None:
    ratings = {row["name"]: row for row in record["ladder"]["ratings"]}
    ours = [ratings.pop(_name(simulations)) for simulations in record["simulations"]]
    ladders.draw_ratings(axes, record["simulations"], ours)
    ladders.draw_opponents(axes, record["simulations"][-1], list(ratings.values()))
    axes.set_xscale("log", base=2)
    axes.set(
        title=f"{record['env']} ({record['system']})",
        xlabel="simulations of a move",
        ylabel=f"Elo ({record['ladder']['anchor']}: 0)",
    )


def _name(simulations: int) -> str:
    return f"{simulations} simulations"


if __name__ == "__main__":
    for name in sys.argv[2:] if "--run" in sys.argv[1:] else ():
        measure(name)
    print(draw() if results() else "no result yet: --run GAME makes one")
