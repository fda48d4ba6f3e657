"""PETS Fig. 3 on the cart-pole: return against trials, beside a model-free baseline.

    python experiments/figures/pets_returns.py          draws results/pets/returns.png
    python experiments/figures/pets_returns.py --run    runs PETS again first: preset laptop, five seeds

The paper plots the best trial so far, averaged over runs; both that and the plain return are drawn. The
baseline is Stable-Baselines3's SAC on the same environment (experiments/baselines/sac_cartpole.py), the
dashed line PETS's published CEM on the true rules: what planning could reach with a perfect model.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from imaginax import cli
from imaginax.runtime import plotting

ROOT = Path(__file__).parents[2]
PETS = ROOT / "results" / "pets" / "cartpole_laptop.json"
BOUND = ROOT / "results" / "mpc" / "cartpole_cem.json"
BASELINE = ROOT / "results" / "baselines" / "sac_cartpole.json"
LOGDIR = ROOT / "runs" / "figure-3"
TRIAL = 200


def run() -> None:
    """Five seeds at once; going on with a run that was stopped."""
    for result, system, preset in ((PETS, "pets", "laptop"), (BOUND, "mpc", "cem")):
        logdir = LOGDIR / system
        if cli.main(["train", system, "--preset", preset, "--seeds", "5", "--logdir", str(logdir)]):
            sys.exit("the run failed")
        plotting.write_results(result, plotting.results_record(logdir))


def draw() -> Path:
    """Left: the return of each trial; right: the best trial so far, on the paper's axis."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    curves = {
        "PETS, preset laptop": plotting.read_curve(PETS),
        "SAC (Stable-Baselines3)": plotting.read_curve(BASELINE),
    }
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(10, 4), layout="constrained")
        plain, best = figure.subplots(1, 2, sharey=True)
        for name, curve in curves.items():
            trials = curve.env_steps / TRIAL
            label = f"{name}, {len(curve.returns)} seeds"
            for axes, values in (
                (plain, curve.returns),
                (best, np.maximum.accumulate(curve.returns, axis=1)),
            ):
                (line,) = axes.plot(trials, values.mean(0), marker="o", markersize=3, label=label)
                axes.fill_between(
                    trials, values.min(0), values.max(0), color=line.get_color(), alpha=0.18, lw=0
                )
        bound = plotting.read_curve(BOUND).returns.mean()
        for axes in (plain, best):
            axes.axhline(bound, color="#888888", linestyle="--", linewidth=1.2, label="CEM on the true rules")
        plain.set(
            title="return of each trial",
            xlabel="trial (8 s of experience each)",
            ylabel="return",
            ylim=(-25, 200),
        )
        best.set(title="best trial so far", xlabel="trial (8 s of experience each)")
        for axes in (plain, best):
            axes.set_xscale("log")
            axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
            axes.minorticks_off()
        best.legend(loc="center right")
        path = ROOT / "results" / "pets" / "returns.png"
        figure.savefig(path)
    return path


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        run()
    print(draw())
