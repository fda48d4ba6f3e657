"""Dreamer, Fig. 8: what beliefs learn from: reconstruction, contrast, or rewards alone.

python experiments/figures/dreamer_objectives.py                      draws results/dreamer/objectives.png
python experiments/figures/dreamer_objectives.py --run                trains every variant, preset laptop
python experiments/figures/dreamer_objectives.py --run contrastive    or some; --runs DIR, --seeds N
"""

from __future__ import annotations

from pathlib import Path

import variants

LAPTOP = "dreamer --preset laptop --objective.observation"
STUDY = variants.Study(
    "dreamer/objectives.json",
    {
        "reconstruction": f"{LAPTOP} reconstruction",
        "contrastive": f"{LAPTOP} contrastive",
        "reward only": f"{LAPTOP} none",
    },
)


def draw() -> Path:
    """Curves, and evaluations at the end."""
    return variants.picture(STUDY, "control_cartpole_swingup, Dreamer")


if __name__ == "__main__":
    variants.main(__doc__, {"objectives": STUDY}, draw)
