"""DreamerV2's ablations on Breakout of MinAtar: latents, KL balancing, gradients of images and of rewards.

    python experiments/figures/dreamerv2_ablation.py           draws results/dreamerv2/ablation.png
    python experiments/figures/dreamerv2_ablation.py --run     trains every variant, preset laptop
    ... --run "Gaussian latents"                               or some; also --runs DIR and --seeds N

Without balancing both sides of the divergence have its whole weight, as in the bound itself.
"""

from __future__ import annotations

from pathlib import Path

import variants

from imaginax.systems.presets import dreamerv2

GAME = "minatar_breakout"
WORDS = f"dreamerv2 --preset laptop --env {GAME}"
LOSS = dreamerv2.preset("laptop", GAME).objective
WHOLE = LOSS.dynamics + LOSS.representation
STUDY = variants.Study(
    "dreamerv2/ablation.json",
    {
        "DreamerV2": WORDS,
        "Gaussian latents": f"{WORDS} --model.rssm.classes 0 --model.rssm.stochastic 30",
        "no balancing": f"{WORDS} --objective.dynamics {WHOLE} --objective.representation {WHOLE}",
        "no image gradient": f"{WORDS} --objective.observation none",
        "no reward gradient": f"{WORDS} --objective.no-reward-gradient",
    },
)


def draw() -> Path:
    """Curves, and evaluations at the end."""
    return variants.picture(STUDY, f"{GAME}, DreamerV2")


if __name__ == "__main__":
    variants.main(__doc__, {"ablation": STUDY}, draw)
