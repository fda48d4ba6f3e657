"""Whole board games of a run, recorded: against itself or an opponent, as a GIF, a film strip or an SVG."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imaginax.cli.terminal import working
from imaginax.types import State

_HELD = 2  # times as long for the last one of a game, besides


class Played(NamedTuple):
    """A game from its first position to its last.

    Attributes:
        positions: before each move, and after the last.
        moves: as they are written.
        result: of the player who began: 1, 0 or -1.
    """

    positions: list[State]
    moves: list[str]
    result: float


def gif(options: argparse.Namespace, trained: Any) -> int:
    """Plays, prints and draws pixels."""
    import jax

    from imaginax.cli.play import agent
    from imaginax.runtime import video
    from imaginax.types import ConfigError

    played, render = _play(options, trained), agent.game(trained).render
    if render is None:
        if options.output is not None:
            raise ConfigError(f"env {trained.system.environment.spec.name} cannot be drawn")
        return 0
    draw = jax.jit(render)
    path = options.output or trained.directory.media / "episode.gif"
    held = 0 if path.suffix == ".png" else _HELD
    frames = np.stack([np.asarray(draw(state)) for state in _shown(played, held)])
    if path.suffix == ".png":
        video.write_strip(path, frames)
    else:
        video.write_gif(path, frames, fps=1 / video.MOVE_SECONDS)
    print(f"  {path}")
    return 0


def svg(options: argparse.Namespace, trained: Any) -> int:
    """Plays, prints and draws vectors: all positions in one file, which shows one after the other."""
    from imaginax.envs.games import pictures
    from imaginax.runtime.run_directory import RunError
    from imaginax.runtime.video import MOVE_SECONDS

    drawn = [pictures.svg(state) for state in _shown(_play(options, trained), _HELD)]
    path: Path = options.output or trained.directory.media / "game.svg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(animated(drawn, seconds=MOVE_SECONDS))
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    print(f"  {path}")
    return 0


def _shown(played: Sequence[Played], held: int) -> list[State]:
    """All positions, the last one of each game repeated."""
    return [state for game in played for state in [*game.positions, *[game.positions[-1]] * held]]


def animated(pictures: Sequence[str], *, seconds: float) -> str:
    """One SVG that shows SVGs of one size, each for so many seconds, again and again."""
    bodies = [picture[picture.index("<svg") :] for picture in pictures]
    head = re.match(r"<svg[^>]*>", bodies[0])
    size = dict(re.findall(r'\b(width|height|viewBox)="([^"]*)"', head[0] if head else ""))
    shape = " ".join(f'{name}="{value}"' for name, value in size.items())
    total, count = seconds * len(bodies), len(bodies)
    frames = []
    for index, body in enumerate(bodies):
        moments = {0.0: "none", index / count: "inline", (index + 1) / count: "none"}
        times = [moment for moment in sorted(moments) if moment < 1]
        frames.append(
            f'<g display="none"><animate attributeName="display" calcMode="discrete" dur="{total:g}s" '
            f'repeatCount="indefinite" values="{";".join(moments[moment] for moment in times)}" '
            f'keyTimes="{";".join(f"{moment:.6g}" for moment in times)}"/>{body}</g>'
        )
    return f'<svg xmlns="http://www.w3.org/2000/svg" {shape}>\n' + "\n".join(frames) + "\n</svg>\n"


def _play(options: argparse.Namespace, trained: Any) -> list[Played]:
    """Games with their results printed; colours change from game to game."""
    from imaginax.cli.play import agent

    env = agent.game(trained)
    ours = agent.engine(options, trained)
    theirs = ours if options.opponent is None else _opponent(options, env)
    own = agent.seat(options.colour, env.spec.name)
    played = []
    for index in range(options.episodes):
        first = (ours, theirs) if (own + index) % 2 == 0 else (theirs, ours)
        with working(f"playing game {index + 1} of {options.episodes}"):
            game = _one(first, temperature=options.temperature)
        played.append(game)
        end = {1: "first player wins", -1: "second player wins"}.get(int(game.result), "drawn")
        side = "" if options.opponent is None else f", the run is {('first', 'second')[(own + index) % 2]}"
        print(f"game {index + 1}: {end} after {len(game.moves)} moves{side}")
        if options.steps:
            print(f"  {' '.join(game.moves)}", flush=True)
    return played


def _opponent(options: argparse.Namespace, env: Any):
    from imaginax.arena.engine import Engine, TimedPlayer
    from imaginax.arena.opponents import make_opponent

    player = make_opponent(options.opponent, env)
    return Engine(env, TimedPlayer(lambda simulations: player, (), seed=(options.seed or 0) + 1))


def _one(sides: tuple[Any, Any], *, temperature: float) -> Played:
    from imaginax.envs.games.notation import format_move

    for engine in sides:
        engine.reset()
    table, moves = sides[0], []
    while not table.over:
        thinker = sides[len(moves) % 2]
        action = thinker.think(temperature=temperature).action
        moves.append(format_move(table.name, table.position, action))
        for engine in {id(engine): engine for engine in sides}.values():
            engine.play(action)
    result = table.reward if len(moves) % 2 else -table.reward
    return Played(table.positions, moves, result)
