"""Episodes of a control task as a GIF or a film strip."""

from __future__ import annotations

import argparse
from typing import Any

from imaginax.cli.terminal import number, working


def run(options: argparse.Namespace, trained: Any) -> int:
    """Plays, prints and draws."""
    from imaginax.runtime import playback, video

    episodes = []
    played = playback.episodes(trained, lane=options.lane, count=options.episodes, seed=options.seed)
    for turn in range(1, options.episodes + 1):
        with working(f"playing episode {turn} of {options.episodes}"):
            episodes.append(next(played))
        _print(len(episodes), episodes[-1], steps=options.steps)
    if options.output is None and not playback.drawable(trained.system, episodes):
        return 0
    path = options.output or trained.directory.media / "episode.gif"
    with working(f"drawing {path}"):
        frames = playback.frames(trained.system, episodes)
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
