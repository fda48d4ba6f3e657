"""`imaginax check-env`: what is wrong with an environment, and which systems it suits."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from imaginax.cli.terminal import Commands, at_least, describe, working

_ABOUT = """Plays random episodes of an environment and says in a table what is wrong with it: shapes, dtypes,
jit, determinism, automatic resets, truncation against termination, rewards, finite values, vmap, pictures.
Then it lists the systems, and their presets, that can be made for it. Exit code 1 if something is wrong."""

_EPILOG = """examples:
  imaginax check-env mine:plant             a function of mine.py, in this folder
  imaginax check-env gym:mine:Plant-v0      an environment of gymnasium's that mine.py registers
  imaginax check-env brax:hopper --no-systems
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    parser = describe(
        commands, "check-env", help="say what is wrong with an environment", about=_ABOUT, epilog=_EPILOG
    )
    parser.add_argument("env", metavar="NAME", help="as for --env of train")
    parser.add_argument(
        "--episodes", type=at_least(1), default=4, metavar="N", help="parallel random episodes; default: 4"
    )
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="random seed; default: 0")
    parser.add_argument("--no-systems", action="store_true", help="without the list of systems")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Prints both tables."""
    with working(f"loading {options.env}") as doing:
        from imaginax import envs
        from imaginax.envs.checks import check
        from imaginax.runtime import distributed

        distributed.initialise()
        env = envs.raw(options.env)
        doing(f"playing {options.env} at random")
        findings = check(env, episodes=options.episodes, seed=options.seed)
    print(options.env)
    for finding in findings:
        print(f"  {finding.name:<16}{finding.verdict:<7}{finding.told}", flush=True)
    faults = [finding.name for finding in findings if finding.verdict == "fault"]
    print(f"\nfaults: {', '.join(faults)}" if faults else "\nno faults")
    if not options.no_systems:
        print("\nsystems")
        for line in _systems(options.env):
            print(f"  {line}", flush=True)
    return 1 if faults else 0


def _systems(name: str) -> Iterator[str]:
    """One line a system: the presets with which it can be made, or else why it cannot."""
    from imaginax import registry
    from imaginax.errors import ConfigError

    for word in registry.SYSTEMS:
        entry = registry.entry(word)
        suits, reason = [], ""
        for preset in entry.presets:
            try:
                entry.make(entry.preset(preset, name))
            except ConfigError as error:
                reason = reason or str(error)
            else:
                suits.append(preset)
        yield f"{word:<14}{'yes  ' if suits else 'no   '}{', '.join(suits) if suits else reason}"
