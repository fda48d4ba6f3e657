"""`imaginax play`: watch what was learned."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from imaginax.cli.terminal import Commands, add_run, at_least, complain, describe, number

_ABOUT = """Lets an agent of a run play in its environment, prints each episode's return and length, and draws
them: as a GIF in real time, or as a film strip where FILE ends in .png. Without --output the run's own
media/episode.gif is replaced; with it the run directory stays as it is."""

_EPILOG = """examples:
  imaginax play runs/pets                                     one episode, as in the run's own evaluation
  imaginax play runs/pets --episodes 3 --output three.gif     three, one after the other
  imaginax play runs/pets --seed 7 --output strip.png         another one, as a film strip
  imaginax play runs/pets --steps                             with the reward of every step
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    play = describe(
        commands,
        "play",
        help="watch a trained run: a GIF or a film strip",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    add_run(play, episodes="so many, one after the other")
    play.add_argument(
        "--lane", type=at_least(0), metavar="I", help="which of the run's seeds, from 0; default: the best"
    )
    play.add_argument("--output", type=Path, metavar="FILE", help="ends in .gif or .png")
    play.add_argument("--steps", action="store_true", help="print the reward of every step")
    play.add_argument("--protocol", choices=tuple(_PROTOCOLS), default="gif", help="default: gif")
    play.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Restores the run and hands it to what the protocol names."""
    from imaginax.runtime import distributed, playback

    if options.output and options.output.suffix not in (".gif", ".png"):
        return complain(f"argument --output: must end in .gif or .png, got {options.output}", 2)
    distributed.initialise()
    trained = playback.load(options.logdir)
    for fault in trained.restored.skipped:
        complain(f"skipped: {fault}", 0)
    return _PROTOCOLS[options.protocol](options, trained)


def _record(options: argparse.Namespace, trained: Any) -> int:
    """Plays, prints and draws."""
    from imaginax.runtime import playback, video

    lane = playback.best_lane(trained) if options.lane is None else options.lane
    episodes = []
    for episode in playback.episodes(trained, lane=lane, count=options.episodes, seed=options.seed):
        episodes.append(episode)
        _print(len(episodes), episode, steps=options.steps)
    if options.output is None and not playback.drawable(trained.system, episodes):
        return 0
    frames = playback.frames(trained.system, episodes)
    path = options.output or trained.directory.media / "episode.gif"
    if path.suffix == ".png":
        video.write_strip(path, frames)
    else:
        fps = video.frames_per_second(trained.system.environment.spec.step_seconds)
        video.write_gif(path, frames, fps=fps)
    print(f"  {path}")
    return 0


def _print(count: int, episode: Any, *, steps: bool) -> None:
    """An episode's line, and before it one for each step; the host's environments tell the return only."""
    if episode.rewards is None:
        print(f"episode {count}: return {number(episode.total)}", flush=True)
        return
    total = 0.0
    for step, reward in enumerate(episode.rewards if steps else (), 1):
        total += reward
        print(f"  step {step}: reward {number(reward)}, return {number(total)}")
    print(f"episode {count}: return {number(episode.total)}, {episode.rewards.size} steps", flush=True)


_PROTOCOLS = {"gif": _record}
