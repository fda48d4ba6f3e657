"""PlaNet Table 1: return against steps on tasks of the control suite from images, beside the published score.

    python experiments/figures/planet_returns.py                              draws results/planet/returns.png
    python experiments/figures/planet_returns.py --run cartpole_swingup       trains preset laptop first

The published score is that of the last point of the paper's runs, a million steps, with its full size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from imaginax import cli
from imaginax.runtime import plotting

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "planet"
LOGDIR = ROOT / "runs" / "planet"
PUBLISHED = {  # at 1,000,000 steps: Hafner et al. 2019, Table 1
    "cartpole_swingup": 821,
    "reacher_easy": 832,
    "cheetah_run": 662,
    "finger_spin": 700,
    "cup_catch": 930,
    "walker_walk": 951,
}
RECENT = 10  # episodes of the running mean


def measure(task: str) -> None:
    """Trains, going on with a run that was stopped."""
    logdir = LOGDIR / task
    if cli.main(
        ["train", "planet", "--env", f"control_{task}", "--logdir", str(logdir), "--eval-episodes", "10"]
    ):
        sys.exit("the run failed")
    plotting.write_results(RESULTS / f"{task}.json", plotting.results_record(logdir))


def results() -> list[Path]:
    """Those that are there."""
    return [path for task in PUBLISHED if (path := RESULTS / f"{task}.json").exists()]


def draw() -> Path:
    """One panel a task: episodes, their running mean, the evaluation at the end, the published score."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    files = results()
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5.5 * len(files), 4), layout="constrained")
        for axes, path in zip(figure.subplots(1, len(files), squeeze=False)[0], files, strict=True):
            _panel(axes, plotting.read_results(path), PUBLISHED[path.stem])
        path = RESULTS / "returns.png"
        figure.savefig(path)
    return path


def _panel(axes, record, published: float) -> None:
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
    axes.axhline(published, color="#888888", linestyle="--", label=f"published, at 1M steps: {published}")
    axes.set(title=record["env"], xlabel="steps of the environment", ylabel="return", ylim=(0, 1000))
    axes.legend()


if __name__ == "__main__":
    for name in sys.argv[2:] if "--run" in sys.argv[1:] else ():
        measure(name)
    print(draw() if results() else "no result yet: --run TASK makes one")
