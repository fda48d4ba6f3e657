"""Return against steps on control tasks from images, Dreamer and DreamerV2, beside published means.

    python experiments/figures/dreamer_returns.py           draws results/dreamer/returns.png
    python experiments/figures/dreamer_returns.py --run     trains all, preset laptop
    ... --run cartpole_swingup:dreamer                      or some; also --runs DIR and --seeds N

The published means are those of full-size runs, as the authors' score files have them: their average over
seeds in the window before each step, 5 seeds of Dreamer and DreamerV2, 8 to 10 of DreamerV3.
"""

from __future__ import annotations

from pathlib import Path

import variants

STEPS = 100_000, 250_000, 500_000
PUBLISHED = {  # task -> system -> means at STEPS: danijar/dreamer, dreamerv2 and dreamerv3, scores/
    "cartpole_swingup": {
        "Dreamer": (139, 342, 678),
        "DreamerV2": (387, 832, 854),
        "DreamerV3": (597, 809, 840),
    },
    "walker_walk": {"Dreamer": (137, 508, 886), "DreamerV2": (408, 848, 918), "DreamerV3": (605, 899, 940)},
    "cheetah_run": {"Dreamer": (128, 385, 630), "DreamerV2": (332, 524, 599), "DreamerV3": (308, 473, 655)},
    "reacher_easy": {"Dreamer": (125, 239, 430), "DreamerV2": (211, 584, 863), "DreamerV3": (376, 622, 832)},
    "finger_spin": {"Dreamer": (8, 125, 339), "DreamerV2": (323, 341, 331), "DreamerV3": (503, 553, 573)},
    "cup_catch": {"Dreamer": (73, 503, 962), "DreamerV2": (532, 759, 783), "DreamerV3": (864, 954, 967)},
    "pendulum_swingup": {
        "Dreamer": (365, 774, 789),
        "DreamerV2": (357, 794, 803),
        "DreamerV3": (306, 567, 654),
    },
    "cartpole_balance": {
        "Dreamer": (472, 827, 982),
        "DreamerV2": (803, 987, 993),
        "DreamerV3": (946, 988, 990),
    },
}
STUDIES = {
    task: variants.Study(
        f"dreamer/{task}.json",
        {system: f"{system} --preset laptop --env control_{task}" for system in ("dreamer", "dreamerv2")},
    )
    for task in PUBLISHED
}


def draw() -> Path:
    """One panel a task that was measured."""
    there = {task: study for task, study in STUDIES.items() if study.path.exists()}

    def paint(panels) -> None:
        for axes, (task, study) in zip(panels, there.items(), strict=True):
            for name, means in PUBLISHED[task].items():
                style = {"color": "#888888", "marker": "osD"[list(PUBLISHED[task]).index(name)]}
                axes.plot(STEPS, means, linestyle=":", markersize=4, label=f"{name}, published", **style)
            variants.draw_curves(axes, variants.read(study), title=f"control_{task}")
            axes.set(ylim=(0, 1020))

    return variants.save(variants.ROOT / "results" / "dreamer" / "returns.png", len(there), paint)


if __name__ == "__main__":
    variants.main(__doc__, STUDIES, draw)
