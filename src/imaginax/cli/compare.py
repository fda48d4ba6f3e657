"""`imaginax compare`: runs of one task beside what was published about it."""

from __future__ import annotations

import argparse
from pathlib import Path

from imaginax.cli.terminal import Commands, describe, printing_may_fail, working

_ABOUT = """Draws runs of one task of the DeepMind control suite beside published scores of methods that saw
the same kind of observation, and says for each method how the run compares at equal environment steps: the
interquartile mean over seeds with its 95% bootstrap interval. Runs that differ in their seeds only count as
one. A run's returns are those of its training, with exploration, over the last tenth of the steps."""

_EPILOG = """examples:
  imaginax compare runs/dreamer                            control_cartpole_swingup, from images
  imaginax compare runs/planet-a runs/planet-b --output planet.png
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    compare = describe(
        commands, "compare", help="a run beside published scores of its task", about=_ABOUT, epilog=_EPILOG
    )
    compare.add_argument("sources", nargs="+", metavar="RUN", help="run directories or results files")
    compare.add_argument(
        "--output",
        type=Path,
        default=Path("compare.png"),
        metavar="FILE",
        help="png, svg, pdf; default: compare.png",
    )
    compare.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Reads, draws and judges."""
    with working("reading"):
        from imaginax.runtime import comparison, plotting, published

    printing_may_fail()
    env, observation = comparison.same_task(options.sources)
    scores = published.scores(env, observation)
    curves = comparison.read_curves(options.sources, group=True)
    last = max(float(curve.env_steps[-1]) for curve in curves)
    others, lines = published.drawn(scores, last)
    path = plotting.learning_curve(
        options.output, [*curves, *others], title=f"{env}, from {observation}", references=lines
    )
    for curve in curves:
        if len(curves) > 1:
            print(curve.label)
        for score in scores:
            print(published.verdict(curve, score).sentence)
    print("sources:")
    for score in scores:
        print(f"  {score.method}: {score.source}")
    print(f"  {path}")
    return 0
