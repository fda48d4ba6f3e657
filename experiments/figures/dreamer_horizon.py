"""Dreamer, Fig. 4: the final return against the imagined horizon, with and without a value, and PlaNet.

    python experiments/figures/dreamer_horizon.py                     draws results/dreamer/horizon.png
    python experiments/figures/dreamer_horizon.py --run               trains every variant, preset laptop
    python experiments/figures/dreamer_horizon.py --run "value 15"    or some; --runs DIR, --seeds N

PlaNet's horizon is that of its plans. All are on cart-pole swing-up from images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import variants

HORIZONS = 5, 10, 15, 25, 40
KINDS = {
    "value": "dreamer --preset laptop --behaviour.horizon {}",
    "no value": "dreamer --preset laptop --behaviour.no-critic --behaviour.horizon {}",
    "PlaNet": "planet --preset laptop --planner.horizon {}",
}
STUDY = variants.Study(
    "dreamer/horizon.json",
    {f"{kind} {steps}": words.format(steps) for kind, words in KINDS.items() for steps in HORIZONS},
)


def draw() -> Path:
    """The mean of seeds against the horizon, from the lowest to the highest seed."""
    found = variants.read(STUDY)

    def paint(panels) -> None:
        for kind in KINDS:
            steps = [steps for steps in HORIZONS if f"{kind} {steps}" in found]
            seeds = [np.asarray(found[f"{kind} {one}"]["eval_return_per_seed"], float) for one in steps]
            if steps:
                (line,) = panels[0].plot(steps, [one.mean() for one in seeds], "o-", label=kind)
                edges = [one.min() for one in seeds], [one.max() for one in seeds]
                panels[0].fill_between(steps, *edges, color=line.get_color(), alpha=0.2)
        number = len(next(iter(found.values()))["eval_return_per_seed"])
        panels[0].set(title="evaluation at the end", xlabel="imagined steps", ylabel="return")
        panels[0].legend(title="one seed" if number == 1 else f"mean of {number} seeds, lowest to highest")

    return variants.save(STUDY.path.with_suffix(".png"), 1, paint)


if __name__ == "__main__":
    variants.main(__doc__, {"horizon": STUDY}, draw)
