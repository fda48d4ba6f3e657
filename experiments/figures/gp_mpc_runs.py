"""Runs of GP-MPC and PILCO that its figures share: what is run, and how trials are counted."""

from __future__ import annotations

import sys
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
