"""`imaginax match`: how strong a run plays, against opponents of known strength."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from imaginax.cli.terminal import Commands, add_lane, at_least, complain, describe, printing_may_fail, working

_ABOUT = """Lets an agent of a run that learned a board game play matches, and prints what came out: games
won, drawn and lost, how many of them differ, the score (a draw is half a point) with its 95% interval, and
the same by colour. Each opening is drawn once and played from both sides; if the game has fewer than N / 2,
fewer games are played. The interval is a bootstrap over openings (with --openings 0 over distinct games).

OPPONENT is another run, or one of
  random, greedy, minimax:D, mcts:N, perfect          compiled, for any game (perfect: tic_tac_toe)
  gnugo:LEVEL                                         Go
  grhino:LEVEL                                        othello
  stockfish:nodes=N, stockfish:elo=E:nodes=N          chess
  fairy-stockfish:nodes=N                             chess, gardner_chess, animal_shogi, shogi
Programs have to be installed."""

_EPILOG = """examples:
  imaginax match runs/connect_four minimax:5 mcts:1000
  imaginax match runs/connect_four minimax:5 --simulations 200 --games 400
  imaginax match runs/go gnugo:1 --openings 2 --output go.json
  imaginax match runs/new runs/old
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    match = describe(
        commands,
        "match",
        help="how strong a run plays: matches against opponents of known strength",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    match.add_argument("logdir", type=Path, metavar="RUN", help="a run directory")
    match.add_argument("opponents", nargs="+", metavar="OPPONENT", help="one or more, see above")
    match.add_argument(
        "--games", type=at_least(2), default=100, metavar="N", help="of each match, at most; default: 100"
    )
    match.add_argument(
        "--simulations", type=at_least(1), metavar="N", help="of a move's search; default: as in training"
    )
    match.add_argument(
        "--openings",
        type=at_least(0),
        default=2,
        metavar="PLIES",
        help="drawn without replacement before the sides take over, for both colours; default: 2",
    )
    add_lane(match)
    match.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of the matches; default: 0")
    match.add_argument("--output", type=Path, metavar="FILE", help="write the results there as JSON")
    match.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Restores the run and plays."""
    if options.output:
        printing_may_fail()
    with working(f"loading {options.logdir}"):
        import jax

        from imaginax.arena import versus
        from imaginax.runtime import distributed, run_directory

        distributed.initialise()
        ours = versus.side(options.logdir, options.simulations, options.lane)
    for fault in ours.skipped:
        complain(f"skipped: {fault}", 0)
    rows = []
    for number, opponent in enumerate(options.opponents):
        key = jax.random.fold_in(jax.random.key(options.seed), number)
        terms = {"games": options.games, "openings": options.openings}
        with working(f"playing {options.games} games against {opponent}"):
            against = versus.play(ours, opponent, key, options.simulations, terms)
        print(_line(against, ours.env.spec.name, terms), flush=True)
        rows.append(against.record())
    if options.output:
        run_directory.write_json(options.output, {"run": str(options.logdir), "matches": rows})
        print(f"  {options.output}")
    return 0


def _line(against: Any, game: str, terms: dict[str, int]) -> str:
    score = against.score
    first, second = ("-".join(map(str, counts)) for counts in (score.beginning, score.replying))
    text = (
        f"{against.opponent}: {score.wins} won, {score.draws} drawn, {score.losses} lost;"
        f" {score.distinct} of {score.games} games distinct;"
        f" score {score.score:.3f} ({score.low:.3f} to {score.high:.3f});"
        f" beginning {first}, replying {second}; {score.length:.0f} plies a game"
    )
    if score.truncated:
        text += f"; {score.truncated} cut off"
    if against.disputed:
        text += f"; {len(against.disputed)} disputed"
    if score.games < terms["games"]:
        text += f"; with --openings {terms['openings']} {game} has {score.games // 2} openings"
    return text
