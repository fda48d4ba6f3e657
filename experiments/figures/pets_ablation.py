"""PETS Fig. 4 on the cart-pole: return by model (D, P, DE, PE) and by propagation method.

    python experiments/figures/pets_ablation.py          draws results/pets/ablation.png
    python experiments/figures/pets_ablation.py --run    runs every combination again first, five seeds each

Each combination is an ordinary run below runs/pets-ablation, so a stopped ablation goes on where it was.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

from imaginax.runtime import plotting, run_directory
from imaginax.systems import pets
from imaginax.systems.presets import pets as pets_presets

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "pets" / "ablation.json"
RUNS = ROOT / "runs" / "pets-ablation"
SEEDS = 5
COMBINATIONS = {
    "D": ("E",),
    "P": ("E", "DS", "MM"),
    "DE": ("E", "TS1", "TSinf", "DS", "MM"),
    "PE": ("E", "TS1", "TSinf", "DS", "MM"),
}


def config(kind: str, propagation: str) -> pets_presets.PetsConfig:
    """Preset laptop with smaller networks, fewer trials and candidates; every combination gets the same."""
    laptop = pets_presets.preset("laptop", None)
    model = dataclasses.replace(laptop.model, kind=kind, propagation=propagation, hidden=(64, 64, 64))
    planner = dataclasses.replace(laptop.planner, population=60, elites=6, iterations=2)
    return dataclasses.replace(laptop, trials=5, model=model, planner=planner)


def run() -> None:
    """Trains all combinations and writes their returns; the schema's own curve is that of PE-TSinf."""
    from imaginax.runtime.run import train

    returns: dict[str, Any] = {}
    for kind, methods in COMBINATIONS.items():
        for propagation in methods:
            name = f"{kind}-{propagation}"
            print(name, flush=True)
            train(
                pets.make(config(kind, propagation)),
                logdir=RUNS / name,
                seeds=SEEDS,
                preset="laptop, smaller",
            )
            record = plotting.results_record(RUNS / name)
            returns[name] = {key: record[key] for key in ("env_steps", "return_per_seed", "wall_s")}
    record = plotting.results_record(RUNS / "PE-TSinf", combinations=returns)
    plotting.write_results(RESULT, record)


def draw() -> Path:
    """A bar a combination, the mean of the last two trials of its seeds, and a dot a seed."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = run_directory.read_json(RESULT)["combinations"]
    last = {name: np.asarray(value["return_per_seed"])[:, -2:].mean(1) for name, value in record.items()}
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(10, 4), layout="constrained")
        axes = figure.add_subplot()
        for place, (name, seeds) in enumerate(last.items()):
            colour = plotting.COLOURS[list(COMBINATIONS).index(name.split("-")[0])]
            axes.bar(place, seeds.mean(), color=colour, alpha=0.75)
            axes.plot(np.full(len(seeds), place), seeds, "o", color="#333333", markersize=3)
        axes.set_xticks(range(len(last)), list(last), rotation=45, ha="right")
        axes.set(ylabel="return, mean of the last two trials", title="model and propagation on the cart-pole")
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        run()
    print(draw())
