"""The same PETS through both drivers: gymnasium's Pendulum-v1 on the host, and `pendulum` inside the program.

    python experiments/figures/pets_pendulum.py          draws results/pets/pendulum.png
    python experiments/figures/pets_pendulum.py --run    trains first: preset laptop, three seeds each

The two are the same physics written twice, here and by gymnasium, so the curves should agree but for chance.
The dashed line is PETS's planner on the true rules.
"""

from __future__ import annotations

import sys
from pathlib import Path

from imaginax import cli
from imaginax.runtime import plotting

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
LOGDIR = ROOT / "runs" / "pendulum"
RUNS = {
    RESULTS / "pets" / "pendulum_host.json": ["pets", "--env", "gym:Pendulum-v1"],
    RESULTS / "pets" / "pendulum_jax.json": ["pets", "--env", "pendulum"],
    RESULTS / "mpc" / "pendulum_cem.json": ["mpc", "--env", "pendulum", "--preset", "cem", "--trials", "10"],
}
HOST, JAX, BOUND = RUNS


def run() -> None:
    """Three seeds at once; going on with a run that was stopped."""
    for result, words in RUNS.items():
        logdir = LOGDIR / result.stem
        more = ["--seeds", "3", "--logdir", str(logdir), "--eval_episodes", "10"]
        if cli.main(["train", *words, *more]):
            sys.exit("the run failed")
        plotting.write_results(result, plotting.results_record(logdir))


def draw() -> Path:
    """Return of each trial of 200 steps, and what the planner reaches with the true rules."""
    curves = [
        plotting.read_curve(HOST)._replace(label="gymnasium, stepped by the host"),
        plotting.read_curve(JAX)._replace(label="in JAX, in one program"),
    ]
    bound = plotting.read_curve(BOUND).returns.mean()
    path = RESULTS / "pets" / "pendulum.png"
    title = "PETS learns Pendulum-v1, through either driver"
    return plotting.learning_curve(path, curves, title=title, references={"CEM on the true rules": bound})


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        run()
    print(draw())
