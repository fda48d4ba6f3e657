"""`imaginax play`: watch what was learned, or play against it; one module for each thing it can do."""

from __future__ import annotations

import argparse
from pathlib import Path

from imaginax.cli.terminal import (
    Commands,
    add_lane,
    add_run,
    at_least,
    complain,
    describe,
    printing_may_fail,
    working,
)

_ABOUT = """Lets an agent of a run play in its environment, prints each episode's return and length, and draws
them: as a GIF in real time, or as a film strip where FILE ends in .png. Without --output the run's own
media/episode.gif is replaced; with it the run directory stays as it is.

A run that learned a board game plays whole games, against itself or an opponent. It can also talk to other
programs, by the Go Text Protocol or the Universal Chess Interface, and to people."""

_EPILOG = """examples:
  imaginax play runs/pets                                     one episode, as in the run's own evaluation
  imaginax play runs/pets --episodes 3 --output three.gif     three, one after the other
  imaginax play runs/pets --seed 7 --output strip.png         another one, as a film strip
  imaginax play runs/pets --steps                             with the reward of every step

board games:
  imaginax play runs/othello --opponent minimax:2             a game against somebody else
  imaginax play runs/chess --protocol svg --output game.svg   moving vector graphics
  imaginax play runs/chess --human --colour black             against you
  imaginax play runs/go --protocol gtp --simulations 400      for GoGui, Sabaki, gnugo's twogtp ...
  imaginax play runs/chess --protocol uci                     for cutechess, Arena, python-chess ...
"""

PROTOCOLS = ("gif", "svg", "gtp", "uci", "human")


def add(commands: Commands) -> None:
    """Describes the command."""
    play = describe(
        commands,
        "play",
        help="watch a trained run, or play against it: GIF, SVG, GTP, UCI, terminal",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    add_run(play, episodes="so many, one after the other")
    add_lane(play)
    play.add_argument("--output", type=Path, metavar="FILE", help="ends in .gif, .png or .svg")
    play.add_argument("--steps", action="store_true", help="print the reward of every step")
    play.add_argument("--protocol", choices=PROTOCOLS, default="gif", help="default: gif")
    _add_game_options(play)
    play.set_defaults(run=run)


def _add_game_options(play: argparse.ArgumentParser) -> None:
    games = play.add_argument_group("board games")
    games.add_argument(
        "--human", dest="protocol", action="store_const", const="human", help="the same as --protocol human"
    )
    games.add_argument(
        "--simulations", type=at_least(1), metavar="N", help="of a move's search; default: as in training"
    )
    games.add_argument(
        "--opponent", metavar="WHO", help="random, greedy, minimax:D, mcts:N ...; default: itself"
    )
    games.add_argument(
        "--colour",
        choices=("first", "second", "black", "white"),
        help="yours against it, or its own against WHO; default: first",
    )
    games.add_argument(
        "--temperature",
        type=_not_negative,
        default=0.0,
        metavar="T",
        help="above 0, moves are drawn in proportion to visits^(1/T)",
    )
    games.add_argument(
        "--resign", type=float, metavar="V", help="gtp: give up below this expected result, from -1 to 1"
    )


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Restores the run and hands it to what the protocol names."""
    suffixes = {"gif": (".gif", ".png"), "svg": (".svg",)}.get(options.protocol, ())
    if options.output and options.output.suffix not in suffixes:
        allowed = f"end in {' or '.join(suffixes)}" if suffixes else f"be absent with {options.protocol}"
        return complain(f"argument --output: must {allowed}, got {options.output}", 2)
    if suffixes:
        printing_may_fail()
    with working(f"loading {options.logdir}"):
        from imaginax.cli.play import episodes, games, human, protocols
        from imaginax.runtime import distributed, playback

        distributed.initialise()
        with protocols.quiet(options.protocol):
            trained = playback.load(options.logdir)
    for fault in trained.restored.skipped:
        complain(f"skipped: {fault}", 0)
    if options.protocol == "gif" and trained.system.player is None:
        return episodes.run(options, trained)
    does = {"gif": games.gif, "svg": games.svg, "human": human.run}
    return does.get(options.protocol, protocols.run)(options, trained)


def _not_negative(word: str) -> float:
    value = float(word)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number, not negative, got {word}")
    return value


_not_negative.__name__ = "float"  # argparse names it where the word is no number
