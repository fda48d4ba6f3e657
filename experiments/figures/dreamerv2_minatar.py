"""DreamerV2 on games of MinAtar, five seeds, beside what a public implementation reports.

    python experiments/figures/dreamerv2_minatar.py                       draws results/dreamerv2/minatar.png
    python experiments/figures/dreamerv2_minatar.py --run                 trains every game, preset laptop
    python experiments/figures/dreamerv2_minatar.py --run breakout:DreamerV2    or some; --runs DIR, --seeds N

The other numbers were read off the figure of kenjyoung/dreamerv2_JAX (5 seeds): another size, with an entropy
bonus on the posterior, and another MinAtar.
"""

from __future__ import annotations

from pathlib import Path

import variants

REPORTED = {  # game -> (steps, return), about
    "breakout": ((1e6, 60),),
    "asterix": ((1.5e6, 3), (5e6, 30)),
    "freeway": ((0.3e6, 30), (5e6, 52)),
    "space_invaders": ((1e6, 150), (5e6, 187)),
}
STUDIES = {
    game: variants.Study(
        f"dreamerv2/minatar_{game}.json",
        {"DreamerV2": f"dreamerv2 --preset laptop --env minatar_{game}"},
        seeds=5,
    )
    for game in REPORTED
}


def draw() -> Path:
    """One panel a game that was measured; reported numbers as far as its steps go."""
    there = {game: study for game, study in STUDIES.items() if study.path.exists()}

    def paint(panels) -> None:
        for axes, (game, study) in zip(panels, there.items(), strict=True):
            found = variants.read(study)
            last = max(record["env_steps"][-1] for record in found.values())
            reported = [pair for pair in REPORTED[game] if pair[0] <= 1.1 * last]
            if reported:
                axes.plot(*zip(*reported, strict=True), "D", color="#888888", label="kenjyoung/dreamerv2_JAX")
            variants.draw_curves(axes, found, title=f"minatar_{game}")

    return variants.save(variants.ROOT / "results" / "dreamerv2" / "minatar.png", len(there), paint)


if __name__ == "__main__":
    variants.main(__doc__, STUDIES, draw)
