"""`imaginax dream`: what the model of a run expects to see, beside what came."""

from __future__ import annotations

import argparse
from pathlib import Path

from imaginax.cli.terminal import Commands, add_lane, at_least, complain, describe, printing_may_fail, working

_ABOUT = """Acts as in training, and asks the latent model of the run what it expects to see: it sees the
beginning of each episode, and then the actions alone. Draws three named rows, truth, model and their
difference, as a GIF, or as a strip where FILE ends in .png; by default into the run's own media/dream.gif."""

_EPILOG = """examples:
  imaginax dream runs/dreamer                                  three episodes, 5 steps seen and 45 imagined
  imaginax dream runs/planet --context 10 --steps 60           others
  imaginax dream runs/dreamerv2 --output strip.png             ten moments of one episode beside each other
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    dream = describe(
        commands, "dream", help="what a latent model expects to see: GIF", about=_ABOUT, epilog=_EPILOG
    )
    dream.add_argument("logdir", type=Path, metavar="RUN", help="directory of the run")
    dream.add_argument("--episodes", type=at_least(1), default=3, metavar="N", help="beside each other")
    dream.add_argument("--context", type=at_least(1), default=5, metavar="N", help="steps that are seen")
    dream.add_argument("--steps", type=at_least(2), default=50, metavar="N", help="steps in all")
    add_lane(dream)
    dream.add_argument("--seed", type=at_least(0), default=0, metavar="I", help="of the model's chance")
    dream.add_argument("--output", type=Path, metavar="FILE", help="ends in .gif or .png")
    dream.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Restores the run, dreams and draws."""
    if options.output and options.output.suffix not in (".gif", ".png"):
        return complain(f"argument --output: must end in .gif or .png, got {options.output}", 2)
    if options.context >= options.steps:
        return complain(f"argument --context: must be below --steps ({options.steps})", 2)
    printing_may_fail()
    with working(f"loading {options.logdir}") as doing:
        from imaginax.runtime import distributed, dream, playback, video

        distributed.initialise()
        trained = playback.load(options.logdir)
        doing(f"imagining {trained.system.environment.spec.name}")
        chosen = {name: getattr(options, name) for name in ("lane", "episodes", "context", "steps", "seed")}
        dreamt = dream.dream(trained, **chosen)
        fps = video.frames_per_second(trained.system.environment.spec.step_seconds)
        path = dream.write(options.output or trained.directory.media / "dream.gif", dreamt, fps=fps)
    for fault in trained.restored.skipped:
        complain(f"skipped: {fault}", 0)
    print(f"  {path}")
    return 0
