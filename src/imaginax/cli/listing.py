"""`imaginax list`: what there is."""

from __future__ import annotations

import argparse

from imaginax.cli.terminal import Commands, describe

_ABOUT = """Shows every system with its presets and known environments, then all environments: the shape of
what they show, what they take, the longest episode, and the extra that brings their physics."""

_EPILOG = """examples:
  imaginax list                     everything
  imaginax train pets --help        every field of one system
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    listing = describe(
        commands,
        "list",
        help="show systems, presets and environments",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    listing.set_defaults(run=run)


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Prints the registries."""
    from imaginax import envs, registry
    from imaginax.envs.facts import FACTS, Fact

    print("systems")
    for name in registry.SYSTEMS:
        entry = registry.entry(name)
        print(f"  {name:<14}{entry.summary}")
        print(f"  {'':<14}presets       {', '.join(entry.presets)}")
        print(f"  {'':<14}environments  {', '.join(entry.environments)}")
    print(f"\n{'environments':<32}{'observation':<13}{'actions':<26}{'steps':<7}extra")
    for name in envs.names():
        fact = FACTS.get(name, Fact("", "", 0))
        steps = str(fact.steps or "")
        print(f"  {name:<30}{fact.observation:<13}{fact.actions:<26}{steps:<7}{fact.extra}".rstrip())
    for prefix, (rest, what) in registry.PREFIXES.items():
        print(f"  {prefix + ':' + rest:<24}{what}")
    print(f"  {'package.module:function':<24}one of your own: docs/EXTENDING.md")
    return 0
