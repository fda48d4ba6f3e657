"""PlaNet Fig. 4 and 5 on the cart-pole: halves of the state, overshooting, random data, random shooting.

    python experiments/figures/planet_ablation.py                       draws results/planet/ablation.png
    python experiments/figures/planet_ablation.py --run                 runs every variant again first
    python experiments/figures/planet_ablation.py --run RSSM SSM        or some
    python experiments/figures/planet_ablation.py --runs DIR            with runs in DIR

Each variant is preset laptop with fewer episodes but for what its name says, and an ordinary run, so that a
stopped ablation goes on where it was. RSSM changes nothing else.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from imaginax.runtime import plotting, run_directory
from imaginax.systems import planet
from imaginax.systems.presets import planet as planet_presets

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "planet" / "ablation.json"
RUNS = ROOT / "runs" / "planet-ablation"
VARIANTS = ("RSSM", "GRU", "SSM", "overshooting", "random data", "random shooting")
EPISODES = 80  # less than a third of preset laptop's, for six runs
RECENT = 10  # episodes of the running mean
ONLY_NOISE = 100.0  # deviations: what is planned no longer matters


def config(variant: str) -> planet_presets.PlaNetConfig:
    """Preset laptop with one part replaced.

    `GRU` has no noise, and no divergence that draws its posterior: the prior alone follows. `overshooting`
    reaches as far as a sequence, with the weight of the divergence. `random data` pushes one way or the other
    at random while it collects, and plans at the end. `random shooting` has as many candidates in all as the
    search.
    """
    laptop = dataclasses.replace(planet_presets.preset("laptop", None), episodes=EPISODES, eval_episodes=10)
    search = laptop.planner
    if variant == "overshooting":
        objective = dataclasses.replace(laptop.objective, overshooting=laptop.objective.representation)
        return dataclasses.replace(laptop, objective=objective)
    if variant == "random data":
        return dataclasses.replace(laptop, exploration=ONLY_NOISE)
    if variant == "random shooting":
        candidates = search.population * search.iterations
        return dataclasses.replace(
            laptop, planner=dataclasses.replace(search, method="random", population=candidates)
        )
    state = dataclasses.replace(laptop.model.rssm, kind=variant.lower())
    objective = laptop.objective
    if variant == "GRU":
        rest = objective.dynamics - objective.representation
        objective = dataclasses.replace(objective, dynamics=rest, representation=0.0)
    return dataclasses.replace(
        laptop, model=dataclasses.replace(laptop.model, rssm=state), objective=objective
    )


def logdir(variant: str, runs: Path) -> Path:
    """Where a variant's run is."""
    return runs / variant.replace(" ", "-")


def run(variants: list[str], runs: Path) -> None:
    """Trains variants and adds their returns to the result, whose own curve is the last one's."""
    from imaginax.runtime.run import train

    for name in variants:
        print(name, flush=True)
        train(planet.make(config(name)), logdir=logdir(name, runs), preset="laptop, ablation")
    returns: dict[str, Any] = read() if RESULT.exists() else {}
    for name in variants:
        record = plotting.results_record(logdir(name, runs))
        returns[name] = {key: record[key] for key in ("env_steps", "return_per_seed", "wall_s", "headline")}
        plotting.write_results(RESULT, record | {"variants": returns})


def read() -> dict[str, Any]:
    """Returns by variant."""
    return run_directory.read_json(RESULT)["variants"]


def draw() -> Path:
    """The running mean of each variant's returns, and its evaluation without exploration."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = read()
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(11, 4), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for place, name in enumerate(name for name in VARIANTS if name in record):
            episodes = np.asarray(record[name]["return_per_seed"], float).mean(0)
            weights = np.ones(min(RECENT, len(episodes)))
            mean = np.convolve(episodes, weights) / np.convolve(np.ones_like(episodes), weights)
            (line,) = left.plot(record[name]["env_steps"], mean[: len(episodes)], label=name)
            right.bar(place, record[name]["headline"]["eval_return"], color=line.get_color(), label=name)
        left.set(
            xlabel="steps of the environment", ylabel="return", title=f"mean of the last {RECENT} episodes"
        )
        right.set(title="without exploration, at the end", xticks=[])
        right.legend()
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", nargs="*", choices=VARIANTS, metavar="VARIANT", help="default: all")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept")
    options = parser.parse_args()
    if options.run is not None:
        run(options.run or list(VARIANTS), options.runs)
    print(draw() if RESULT.exists() else "no result yet: --run makes it")
