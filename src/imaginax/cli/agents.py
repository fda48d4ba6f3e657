"""`imaginax agents`: trained agents that come with the package, and how to pack one of your own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from imaginax.cli.terminal import Commands, add_lane, complain, describe, number

_ABOUT = """Lists trained agents that come with the package. eval, play and match take agents:NAME where they
take a run, and so does imaginax.load in Python.

With --pack the agent of a run is written alone, without replay and optimiser, into a small folder that all of
these take too."""

_EPILOG = """examples:
  imaginax agents                                         what there is, how good it is, how it was made
  imaginax eval agents:pets_cartpole --episodes 10        judge one again
  imaginax play agents:tic_tac_toe --human                play against one
  imaginax agents --pack runs/pets --output my_agent      the agent of a run, alone
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    agents = describe(
        commands,
        "agents",
        help="list trained agents that come with the package, or pack one",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    agents.add_argument("--pack", type=Path, metavar="RUN", help="a run directory")
    agents.add_argument("--output", type=Path, metavar="DIR", help="with --pack: the folder, a new one")
    add_lane(agents)
    agents.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Lists or packs."""
    if (options.pack is None) != (options.output is None):
        return complain("--pack RUN and --output DIR belong together", 2)
    if options.pack is None:
        return _list()
    from imaginax.runtime import distributed, packing, playback

    distributed.initialise()
    trained = playback.load(options.pack)
    about = packing.pack(trained, playback.lane_of(trained, options.lane), options.output)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(f"{options.output}: {size / 1e6:.1f} MB, evaluation return {number(about['eval_return'])}")
    return 0


def _list() -> int:
    import imaginax

    folder = Path(imaginax.__file__).parent / "agents"
    for path in sorted(folder.glob("*/agent.json")):
        about, config = json.loads(path.read_text()), json.loads((path.parent / "config.json").read_text())
        games = f" over {about['eval_games']} games" if about["eval_games"] else ""
        print(f"agents:{path.parent.name}")
        print(f"  {config['system']} on {config['env']}, {about['env_steps']} environment steps")
        print(f"  evaluation return {number(about['eval_return'])}{games}")
        print(f"  {about['command']}")
    return 0
