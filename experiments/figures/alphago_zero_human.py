"""AlphaGo Zero Fig. 3: self-play beside a network that was taught by people's games, on 9x9.

    python experiments/figures/alphago_zero_human.py                      draws results/alphago_zero/human.png
    python experiments/figures/alphago_zero_human.py --run GAMES.zip      trains and measures first

GAMES is a folder or an archive of SGF files. The same network learns once from self-play and once from the
moves and outcomes of those games. Shown over the run of self-play: Elo (the taught network at 0), with the
same search for both; the share of people's moves that each predicts in games
that neither has seen; and the mean squared error about who won those games.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax
import ladders

from imaginax import cli, envs
from imaginax.arena import ladder
from imaginax.arena.opponents import make_opponent
from imaginax.data import go_games
from imaginax.learning import imitation, policy_value
from imaginax.learning.config import OptimiserConfig
from imaginax.learning.learner import init_learner
from imaginax.runtime import playback, plotting, run
from imaginax.systems.alphago_zero import Best

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "alphago_zero" / "human.json"
LOGDIR = ROOT / "runs" / "alphago-zero-9x9"
CHUNKS, EVERY = 28, 5  # of the run of self-play; between two networks that are kept
# What preset laptop, made for 5x5, does not have: a search for few simulations and many moves, a deeper
# network, and games that end before anything is learned.
SETTINGS = (
    "--search.policy gumbel --search.values siblings --search.c_scale 0.1 --search.simulations 16"
    " --network.blocks 3 --optimiser.boundaries 1300 1600 --warmup 2"
)
UPDATES, BATCH = 2_000, 1_024  # of the taught network
GAMES, OPENINGS, SIMULATIONS = 60, 4, 32  # of a match
TEST_POSITIONS = 20_000
ANCHOR = "taught by people"


def measure(path: str) -> None:
    """Trains both networks, going on with a run that was stopped, and compares them."""
    words = ["train", "alphago_zero", "--env", "go_9x9", "--logdir", str(LOGDIR), "--chunks", str(CHUNKS)]
    if cli.main([*words, *SETTINGS.split(), "--snapshots", str(EVERY)]):
        sys.exit("the run failed")
    record = plotting.results_record(LOGDIR)  # before the games, as it refuses a run that was stopped
    trained = playback.load(LOGDIR)
    env, config = envs.make("go_9x9"), trained.system.config
    taught_on, asked_about = (_positions(part, env) for part in go_games.split(_games(path)))
    asked_about = jax.tree.map(lambda leaf: leaf[:TEST_POSITIONS], asked_about)
    network, _ = policy_value.network_in_rules(env, config.network)  # pyright: ignore[reportAttributeAccessIssue]
    accuracy = imitation.make_measure(network, _game(env))
    taught, curve = _taught(env, network, taught_on, lambda learned: accuracy(learned, asked_about))
    kept = run.snapshots(trained.system, trained.directory, trained.record)
    champions = [trained.system.params_of(jax.tree.map(lambda leaf: leaf[0], one.state)) for one in kept]
    record |= {
        "positions": {"taught": len(taught_on.move), "asked": len(asked_about.move)},
        "taught": curve,
        "snapshots": [
            {"step": one.step, **one.progress, **accuracy(champion.variables, asked_about)._asdict()}
            for one, champion in zip(kept, champions, strict=True)
        ],
        "ladder": _ladder(env, trained, champions, [one.step for one in kept], taught),
    }
    plotting.write_results(RESULT, record)


def _games(path: str) -> go_games.Games:
    games, skipped = go_games.read_games(path, 9)
    print(f"{len(games.moves)} games; left out: {skipped}")
    return games


def _positions(games: go_games.Games, env) -> go_games.Positions:
    return go_games.positions(games, env)[0]


def _game(env):
    assert env.game is not None
    return env.game


def _taught(env, network, positions: go_games.Positions, look) -> tuple[Any, list[dict[str, float]]]:
    """Variables of the network that learns from people's games, and its accuracy on the way."""
    rates = (2e-3, 5e-4, 1e-4)
    config = OptimiserConfig("adam", rates, (UPDATES // 2, UPDATES * 3 // 4))
    update = policy_value.make_update(network, config, _game(env))
    step = imitation.make_step(update, _game(env), BATCH)

    @jax.jit
    def some(learner, positions, key):
        keys = jax.random.split(key, UPDATES // 10)
        return jax.lax.scan(lambda learner, key: step(learner, positions, key), learner, keys)[0]

    learner = init_learner(network.init(jax.random.key(0)), policy_value.make_optimiser(config))
    curve = []
    for key in jax.random.split(jax.random.key(1), 10):
        learner = some(learner, positions, key)
        curve.append({"updates": int(learner.updates), **look(learner.params)._asdict()})
        print(curve[-1], flush=True)
    return learner.params, curve


def _ladder(env, trained: playback.Trained, champions: list[Best], steps: list[int], taught) -> Any:
    """Every kept network and the taught one against each other's anchors: the taught one and chance."""
    assert trained.system.player is not None
    player = trained.system.player(SIMULATIONS)
    entrants = [
        *(ladder.Entrant(f"step {step}", player, one) for step, one in zip(steps, champions, strict=True)),
        ladder.Entrant(ANCHOR, player, champions[-1]._replace(variables=taught)),
        ladder.Entrant("random", make_opponent("random", env)),
    ]
    anchors = [entrant.name for entrant in entrants[-3:]]
    table = ladder.round_robin(
        env, entrants, jax.random.key(2), games=GAMES, openings=OPENINGS, against=anchors
    )
    return ladder.ladder(table, anchor=ANCHOR)


def draw() -> Path:
    """Three panels: strength, moves predicted, error about outcomes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = json.loads(RESULT.read_text())
    ratings = {row["name"]: row for row in record["ladder"]["ratings"]}
    kept, taught = record["snapshots"], record["taught"][-1]
    moves = [one["env_steps"] for one in kept]
    curves = {
        "people's moves predicted (%)": (
            [100 * one["accuracy"] for one in kept],
            100 * taught["accuracy"],
        ),
        "error about people's outcomes": ([one["squared_error"] for one in kept], taught["squared_error"]),
    }
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(13, 4), layout="constrained")
        strength, *others = figure.subplots(1, 3)
        ladders.draw_ratings(strength, moves, [ratings[f"step {one['step']}"] for one in kept])
        ladders.draw_opponents(strength, moves[-1], [ratings[ANCHOR], ratings["random"]])
        strength.set(xlabel="moves of self-play", ylabel=f"Elo ({ANCHOR}: 0)")
        for axes, (name, (ours, line)) in zip(others, curves.items(), strict=True):
            axes.plot(moves, ours, marker="o", markersize=3, label="self-play")
            axes.axhline(line, color=plotting.COLOURS[1], linestyle="--", label="taught by people's games")
            axes.set(xlabel="moves of self-play", ylabel=name)
        others[-1].legend()
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        measure(sys.argv[-1])
    print(draw() if RESULT.exists() else "no result yet: --run GAMES makes it")
