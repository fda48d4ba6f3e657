"""Runs of GP-MPC and PILCO that its figures share: what is run, and how trials are counted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from imaginax import cli, envs
from imaginax.envs.gpmpc_trials import judge
from imaginax.runtime import playback, plotting
from imaginax.runtime.precision import precision

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "gp_mpc"
RUNS = ROOT / "runs" / "gp-mpc"
METHODS = {
    "gp_mpc": ("gp_mpc", []),
    "mean": ("gp_mpc", ["--planner.variant", "mean"]),
    "zero_variance": ("gp_mpc", ["--planner.variant", "zero_variance"]),
    "pilco": ("pilco", []),
}
LABELS = {
    "gp_mpc": "GP-MPC",
    "mean": "GP-MPC, limits of the mean",
    "zero_variance": "zero variance",
    "pilco": "PILCO",
}


def result(env: str, method: str) -> Path:
    """Where the result of a method on an environment is kept."""
    return RESULTS / f"{env.removeprefix('gpmpc_')}_{method}.json"


def run(env: str, method: str, *, trials: int, seeds: int) -> Path:
    """Trains all seeds in one program, going on with a run that was stopped, and writes what trials did."""
    system, words = METHODS[method]
    logdir = RUNS / f"{env}-{method}"
    options = ["--env", env, "--seeds", str(seeds), "--logdir", str(logdir), "--trials", str(trials)]
    if cli.main(["train", system, "--preset", "laptop", *options, *words]):
        sys.exit("the run failed")
    trained = playback.load(logdir)
    with precision(trained.system):
        items, _ = jax.vmap(trained.system.replay.data)(trained.restored.state.replay)
        seen = np.asarray(items.next_observation)
    steps = trained.system.environment.spec.max_steps
    found = judge(envs.make(env), seen.reshape(len(seen), -1, steps, seen.shape[-1]))
    extra = {name: value.tolist() for name, value in found._asdict().items()}
    return plotting.write_results(result(env, method), plotting.results_record(logdir, **extra))


def available(env: str) -> dict[str, dict]:
    """The results of an environment that are there, by method."""
    paths = {method: result(env, method) for method in METHODS}
    return {method: plotting.read_results(path) for method, path in paths.items() if path.exists()}


def draw_panels(
    titles: dict[str, str], label: Callable[[str, dict], str], methods: tuple[str, ...], name: str
) -> Path | None:
    """Success against trials with its standard error, one panel for each environment that has a result.

    Args:
        titles: of the panels, by environment.
        label: (method, its record) -> the line's place in the legend.
        methods: that are shown.
        name: of the figure's file, which is returned; None if there is no result yet.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [env for env in titles if available(env)]
    if not shown:
        return None
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5 * len(shown) + 1, 4.8), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, env in zip(panels, shown, strict=True):
            for method, record in available(env).items():
                if method in methods:
                    success = np.array(record["success"], float)
                    rate = success.mean(0)
                    error = np.sqrt(rate * (1 - rate) / len(success))
                    line = label(method, record)
                    axes.errorbar(range(len(rate)), rate, error, marker="o", capsize=3, label=line)
            axes.axhline(0.9, color="#888888", linestyle="--", linewidth=1)
            axes.set(title=titles[env], xlabel="trial (3 s each, the first is random)", ylim=(-0.05, 1.1))
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9)
        panels[0].set_ylabel("success rate")
        path = RESULTS / name
        figure.savefig(path)
    return path


def run_as_told(words: list[str], trials: dict[str, int], methods: tuple[str, ...]) -> None:
    """Runs what stands behind `--run`: everything, or [environment [method [seeds]]]."""
    if "--run" not in words:
        return
    chosen = words[words.index("--run") + 1 :]
    seeds = int(chosen[2]) if len(chosen) > 2 else 10
    for env in chosen[:1] or trials:
        for method in chosen[1:2] or methods:
            print(run(env, method, trials=trials[env], seeds=seeds))
