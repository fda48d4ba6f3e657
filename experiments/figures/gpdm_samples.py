"""Trajectories of a GPDM: draws by Hamiltonian Monte Carlo, and the mean prediction.

    python experiments/figures/gpdm_samples.py    draws results/gpdm/samples.png

What it draws is fitted and sampled by gpdm_latent.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imaginax.runtime import plotting
from imaginax.runtime.run_directory import read_json

RESULT = Path(__file__).parents[2] / "results" / "gpdm" / "samples.json"


def draw() -> Path:
    """The learned path with the mean prediction, and with draws, in 3-D."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    samples = read_json(RESULT)
    x = np.array(samples["x"])
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(10, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2, subplot_kw={"projection": "3d"})
        for axes in (left, right):
            axes.plot(*x.T, color=plotting.COLOURS[0], label="learned path")
            axes.tick_params(labelsize=7)
        left.plot(*np.array(samples["mean"]).T, color=plotting.COLOURS[5], label="mean prediction")
        left.set_title("mean prediction from the last frame on")
        for path in np.array(samples["draws"]):
            right.plot(*path.T, color=plotting.COLOURS[2], linewidth=0.6, alpha=0.7)
        right.set_title(f"draws; {samples['acceptance']:.0%} of proposals accepted")
        left.legend(fontsize=8)
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    print(draw() if RESULT.exists() else "no result yet: gpdm_latent.py --run makes it")
