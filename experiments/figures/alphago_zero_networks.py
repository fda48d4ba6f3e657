"""AlphaGo Zero Fig. 4: four networks, taught by the same games of self-play, on 9x9.

    python experiments/figures/alphago_zero_networks.py                   draws results/alphago_zero/*.png
    python experiments/figures/alphago_zero_networks.py --run GAMES.zip   trains and measures first

One trunk for policy and value or one for each, with residual blocks or without: all learn from the window of
games that the run of alphago_zero_human.py has left, then play each other with the same search. GAMES, a
folder or an archive of SGF files, are people's games, whose moves and outcomes they predict.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import jax

from imaginax import envs
from imaginax.acting.self_play import make_player
from imaginax.arena import ladder
from imaginax.data import go_games
from imaginax.envs.wrappers import privileged
from imaginax.learning import imitation, policy_value
from imaginax.learning.config import OptimiserConfig
from imaginax.learning.learner import init_learner
from imaginax.runtime import playback, plotting

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "alphago_zero" / "networks.json"
LOGDIR = ROOT / "runs" / "alphago-zero-9x9"
NETWORKS = {
    f"{trunks}-{short}": {"trunks": trunks, "kind": kind}
    for trunks, (short, kind) in itertools.product(
        ("dual", "separate"), (("res", "residual"), ("conv", "convolutional"))
    )
}
BLOCKS, UPDATES, BATCH = 4, 500, 512
GAMES, OPENINGS, SIMULATIONS = 80, 4, 32
TEST_POSITIONS = 20_000


def measure(path: str) -> None:
    """Teaches the four and compares them."""
    trained = playback.load(LOGDIR)
    env, config = privileged(envs.make("go_9x9")), trained.system.config
    plies = trained.system.replay.data(jax.tree.map(lambda leaf: leaf[0], trained.restored.state.replay))
    _, asked = go_games.split(go_games.read_games(path, 9)[0])
    asked_about, _ = go_games.positions(asked, envs.make("go_9x9"))
    asked_about = jax.tree.map(lambda leaf: leaf[:TEST_POSITIONS], asked_about)
    assert env.game is not None
    entrants, rows = [], {}
    for name, changes in NETWORKS.items():
        sizes = dataclasses.replace(config.network, blocks=BLOCKS, **changes)  # pyright: ignore[reportAttributeAccessIssue]
        network, model = policy_value.network_in_rules(env, sizes)
        learner, loss = _taught(env, network, plies, config)
        accuracy = imitation.make_measure(network, env.game)(learner.params, asked_about)
        rows[name] = {**loss, **accuracy._asdict()}
        print(name, rows[name], flush=True)
        player = make_player(name, model, config.search, env, simulations=SIMULATIONS)  # pyright: ignore[reportAttributeAccessIssue]
        entrants.append(ladder.Entrant(name, player, learner.params))
    table = ladder.round_robin(
        envs.make("go_9x9"), entrants, jax.random.key(2), games=GAMES, openings=OPENINGS
    )
    record = plotting.results_record(LOGDIR) | {
        "blocks": BLOCKS,
        "updates": UPDATES,
        "batch_size": BATCH,
        "networks": rows,
        "ladder": ladder.ladder(table, anchor="separate-conv"),
    }
    plotting.write_results(RESULT, record)


def _taught(env, network, plies, config):
    """A learner after `UPDATES` updates from the window, and its losses at the end."""
    optimiser = OptimiserConfig("adam", (2e-3, 5e-4, 1e-4), (UPDATES // 2, UPDATES * 3 // 4))
    step = policy_value.make_step(
        env,
        policy_value.make_update(network, optimiser, env.game),
        num_envs=config.environments,
        batch_size=BATCH,
        window_games=config.window_games,
    )

    @jax.jit
    def learn(learner, plies, key):
        keys = jax.random.split(key, UPDATES)
        return jax.lax.scan(lambda learner, key: step(learner, plies, key), learner, keys)

    learner, metrics = learn(
        init_learner(network.init(jax.random.key(0)), policy_value.make_optimiser(optimiser)),
        plies,
        jax.random.key(1),
    )
    last = {name: float(metrics[name][-50:].mean()) for name in ("policy_loss", "value_loss")}
    return learner, last


def draw() -> Path:
    """Three panels of bars: strength, moves predicted, error about outcomes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = json.loads(RESULT.read_text())
    ratings = {row["name"]: row for row in record["ladder"]["ratings"]}
    names = list(record["networks"])
    labels = [name.replace("-", "\n") for name in names]
    elo = [ratings[name] for name in names]
    rows = [record["networks"][name] for name in names]
    panels = {
        "Elo (separate-conv: 0)": [row["elo"] for row in elo],
        "people's moves predicted (%)": [100 * row["accuracy"] for row in rows],
        "error about people's outcomes": [row["squared_error"] for row in rows],
    }
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(13, 3.6), layout="constrained")
        for axes, (quantity, values) in zip(figure.subplots(1, 3), panels.items(), strict=True):
            axes.bar(labels, values, color=plotting.COLOURS[0], width=0.6)
            if quantity.startswith("Elo"):
                spread = [[row["elo"] - row["low"] for row in elo], [row["high"] - row["elo"] for row in elo]]
                axes.errorbar(labels, values, spread, fmt="none", ecolor="#333333", capsize=3)
            axes.set(ylabel=quantity)
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        measure(sys.argv[-1])
    print(draw() if RESULT.exists() else "no result yet: --run GAMES makes it")
