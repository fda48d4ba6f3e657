"""PlaNet Table 1: return against steps on tasks of the control suite from images, beside the published score.

    python experiments/figures/planet_returns.py                            draws results/planet/returns.png
    python experiments/figures/planet_returns.py --run cartpole_swingup     trains preset laptop first
    python experiments/figures/planet_returns.py --run cartpole_swingup --runs DIR    in DIR/cartpole_swingup
    python experiments/figures/planet_returns.py --bound cartpole_swingup   with the true simulator first

A run that is finished is not trained again, one that was stopped goes on. The published score is that of the
last point of the paper's runs, a million steps, with its full size. The bound is what preset laptop's search
gets from the true simulator and the true state, without exploration.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from imaginax import cli
from imaginax.runtime import plotting
from imaginax.systems import planet

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "planet"
RUNS = ROOT / "runs" / "planet"
PUBLISHED = {  # at 1,000,000 steps: Hafner et al. 2019, Table 1; pendulum_swingup is not in it
    "cartpole_swingup": 821,
    "reacher_easy": 832,
    "cheetah_run": 662,
    "finger_spin": 700,
    "cup_catch": 930,
    "walker_walk": 951,
    "pendulum_swingup": None,
}
SHORTER = {"reacher_easy": 200}  # episodes, with twice the decisions in each
RECENT = 10  # episodes of the running mean
EVALUATED = 10  # episodes


def result(task: str) -> Path:
    """cartpole_swingup: results/planet/cartpole_laptop.json."""
    return RESULTS / f"{task.split('_')[0]}_laptop.json"


def measure(task: str, runs: Path) -> None:
    """Trains, going on with a run that was stopped, and keeps its curve."""
    logdir = runs / task
    command = ["train", "planet", "--env", f"control_{task}", "--logdir", str(logdir)]
    if task in SHORTER:
        command += ["--episodes", str(SHORTER[task])]
    if cli.main([*command, "--eval-episodes", str(EVALUATED)]):
        sys.exit("the run failed")
    plotting.write_results(result(task), plotting.results_record(logdir))


def bound_result(task: str) -> Path:
    """cartpole_swingup: results/planet/cartpole_true_simulator.json."""
    return RESULTS / f"{task.split('_')[0]}_true_simulator.json"


def measure_bound(task: str, runs: Path) -> None:
    """Plans with the true simulator, and keeps what that gets."""
    logdir, search = runs / f"{task}_true_simulator", planet.LAPTOP.planner
    command = ["train", "mpc", "--preset", "planet", "--env", f"control_{task}", "--logdir", str(logdir)]
    for name in ("population", "iterations", "elites"):
        command += [f"--planner.{name}", str(getattr(search, name))]
    if cli.main([*command, "--eval-episodes", str(EVALUATED)]):
        sys.exit("the run failed")
    plotting.write_results(bound_result(task), plotting.results_record(logdir))


def results() -> list[str]:
    """Tasks that have one."""
    return [task for task in PUBLISHED if result(task).exists()]


def draw() -> Path:
    """One panel a task: episodes, their running mean, the evaluation at the end, the published score."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    tasks = results()
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5.5 * len(tasks), 4), layout="constrained")
        for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
            _panel(axes, plotting.read_results(result(task)), task)
        path = RESULTS / "returns.png"
        figure.savefig(path)
    return path


def _panel(axes, record, task: str) -> None:
    episodes = np.asarray(record["return_per_seed"], float)[0]
    steps = np.asarray(record["env_steps"], float) * record["config"]["action_repeat"]
    weights = np.ones(min(RECENT, len(episodes)))
    mean = np.convolve(episodes, weights) / np.convolve(np.ones_like(episodes), weights)
    axes.plot(
        steps, episodes, ".", color=plotting.COLOURS[7], markersize=4, label="episode, with exploration"
    )
    axes.plot(steps, mean[: len(episodes)], label=f"mean of the last {RECENT}")
    last = record["headline"]["eval_return"]
    axes.plot(steps[-1], last, "D", color=plotting.COLOURS[1], label=f"without exploration: {last:.0f}")
    if published := PUBLISHED[task]:
        axes.axhline(published, color="#888888", linestyle="--", label=f"published, at 1M steps: {published}")
    if bound_result(task).exists():
        bound = plotting.read_results(bound_result(task))["headline"]["eval_return"]
        axes.axhline(bound, color="#888888", linestyle=":", label=f"this search, true simulator: {bound:.0f}")
    axes.set(title=record["env"], xlabel="steps of the environment", ylabel="return", ylim=(0, 1000))
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.8))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", nargs="+", choices=PUBLISHED, default=[], metavar="TASK")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept")
    parser.add_argument("--bound", nargs="+", choices=PUBLISHED, default=[], metavar="TASK")
    options = parser.parse_args()
    for name in options.run:
        measure(name, options.runs)
    for name in options.bound:
        measure_bound(name, options.runs)
    print(draw() if results() else "no result yet: --run TASK makes one")
