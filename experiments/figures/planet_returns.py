"""PlaNet Table 1: return against steps on tasks of the control suite from images, beside the published score.

    python experiments/figures/planet_returns.py                            draws results/planet/returns.png
    python experiments/figures/planet_returns.py --run cartpole_swingup     trains preset laptop first
    python experiments/figures/planet_returns.py --run cartpole_swingup --preset gpu  in minutes on a GPU
    python experiments/figures/planet_returns.py --run cartpole_swingup --runs DIR    in DIR/cartpole_swingup
    python experiments/figures/planet_returns.py --bound cartpole_swingup   with the true simulator first

A run that is finished is not trained again, one that was stopped goes on. The published score is that of the
last point of the paper's runs, a million steps, with its full size. The bound is what preset laptop's search
gets from the true simulator and the true state, without exploration.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np

from imaginax import cli
from imaginax.runtime import plotting
from imaginax.systems.presets import planet as planet_presets

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
PRESETS = ("laptop", "gpu")
SHORTER = {("reacher_easy", "laptop"): 200}  # episodes, with twice the decisions in each
RECENT = 10  # episodes of the running mean
EVALUATED = 10  # episodes


def result(task: str, preset: str) -> Path:
    """cartpole_swingup, laptop: results/planet/cartpole_laptop.json."""
    return RESULTS / f"{task.split('_')[0]}_{preset}.json"


def measure(task: str, preset: str, runs: Path) -> None:
    """Trains, going on with a run that was stopped, and keeps its curve."""
    logdir = runs / (task if preset == "laptop" else f"{task}_{preset}")
    command = ["train", "planet", "--preset", preset, "--env", f"control_{task}", "--logdir", str(logdir)]
    if episodes := SHORTER.get((task, preset)):
        command += ["--episodes", str(episodes)]
    if cli.main([*command, "--eval-episodes", str(EVALUATED)]):
        sys.exit("the run failed")
    plotting.write_results(result(task, preset), plotting.results_record(logdir))


def bound_result(task: str) -> Path:
    """cartpole_swingup: results/planet/cartpole_true_simulator.json."""
    return RESULTS / f"{task.split('_')[0]}_true_simulator.json"


def measure_bound(task: str, runs: Path) -> None:
    """Plans with the true simulator, and keeps what that gets."""
    logdir, search = runs / f"{task}_true_simulator", planet_presets.LAPTOP.planner
    command = ["train", "mpc", "--preset", "planet", "--env", f"control_{task}", "--logdir", str(logdir)]
    for name in ("population", "iterations", "elites"):
        command += [f"--planner.{name}", str(getattr(search, name))]
    if cli.main([*command, "--eval-episodes", str(EVALUATED)]):
        sys.exit("the run failed")
    plotting.write_results(bound_result(task), plotting.results_record(logdir))


def results() -> list[tuple[str, str]]:
    """Tasks and presets that have one."""
    return [pair for pair in itertools.product(PUBLISHED, PRESETS) if result(*pair).exists()]


def draw() -> Path:
    """One panel a run: episodes, their running mean, the evaluation at the end, the published score."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    found = results()
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5.5 * len(found), 5), layout="constrained")
        for axes, (task, preset) in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
            _panel(axes, plotting.read_results(result(task, preset)), task)
        path = RESULTS / "returns.png"
        figure.savefig(path)
    return path


def _panel(axes, record, task: str) -> None:
    episodes, together = np.asarray(record["return_per_seed"], float)[0], record["config"]["environments"]
    steps = np.asarray(record["env_steps"], float)
    weights = np.ones(max(1, min(RECENT, len(episodes)) // together))
    mean = np.convolve(episodes, weights) / np.convolve(np.ones_like(episodes), weights)
    name = "episode" if together == 1 else f"mean of {together} episodes"
    axes.plot(
        steps, episodes, ".", color=plotting.COLOURS[7], markersize=4, label=f"{name}, with exploration"
    )
    axes.plot(steps, mean[: len(episodes)], label=f"mean of the last {len(weights) * together} episodes")
    last = record["headline"]["eval_return"]
    axes.plot(steps[-1], last, "D", color=plotting.COLOURS[1], label=f"without exploration: {last:.0f}")
    if published := PUBLISHED[task]:
        axes.axhline(published, color="#888888", linestyle="--", label=f"published, at 1M steps: {published}")
    if record["preset"] == "laptop" and bound_result(task).exists():
        bound = plotting.read_results(bound_result(task))["headline"]["eval_return"]
        axes.axhline(bound, color="#888888", linestyle=":", label=f"this search, true simulator: {bound:.0f}")
    title = f"{record['env']}, preset {record['preset']}"
    axes.set(title=title, xlabel="steps of the environment", ylabel="return", ylim=(0, 1020))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", nargs="+", choices=PUBLISHED, default=[], metavar="TASK")
    parser.add_argument("--preset", choices=PRESETS, default="laptop", help="of the run")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept")
    parser.add_argument("--bound", nargs="+", choices=PUBLISHED, default=[], metavar="TASK")
    options = parser.parse_args()
    for name in options.run:
        measure(name, options.preset, options.runs)
    for name in options.bound:
        measure_bound(name, options.runs)
    print(draw() if results() else "no result yet: --run TASK makes one")
