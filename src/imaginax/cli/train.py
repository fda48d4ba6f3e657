"""`imaginax train`: learn, or go on with a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imaginax.cli import sweep
from imaginax.cli.terminal import (
    Commands,
    at_least,
    complain,
    describe,
    print_returns,
    printing_may_fail,
    seconds,
    working,
)

_ABOUT = """Trains a system, saves as it goes, evaluates it at the end and draws its learning curve. The same
command again goes on where the run stopped, also after a crash; with more trials, chunks or episodes it goes
on behind the end; with other settings it is refused, and says which they are. Any field of the system's
configuration may be set as --FIELD VALUE. With --seeds N all seeds train in one program. config.json tells
the replay ratio of each stage: updates for each transition that replay receives."""

_EPILOG = """examples:
  imaginax train pets                             the default preset and environment
  imaginax train pets --help                      with every field that can be set
  imaginax train pets --env pendulum --seeds 5    another environment, five seeds at once
  imaginax train pets --trials 3 --fit.epochs 20  other settings
  imaginax train pets --trials 6 --fit.epochs 20  that run again, longer
  imaginax train pets --sweep fit.epochs=5,20,50  three runs, and a table of their evaluations
  imaginax train pets --processes 2               as two processes of this machine
"""

_PRESETS = {  # what each is for
    "laptop": "learns the task in minutes on two CPU cores",
    "gpu": "under 25 minutes on one data-centre GPU",
    "paper": "the published settings",
    "tiny": "seconds, on a task whose best return is known: a check that all works",
}


def add(commands: Commands) -> None:
    """Describes the command; `--help` is its own, so that it can show a system's fields too."""
    train = describe(
        commands,
        "train",
        help="train a system, or go on with a run",
        usage="imaginax train SYSTEM [OPTION ...] [--FIELD VALUE ...]",
        about=_ABOUT,
        epilog=_EPILOG,
        add_help=False,
    )
    train.add_argument("system", nargs="?", metavar="SYSTEM", help="one of those that imaginax list shows")
    train.add_argument("--preset", metavar="P", help="a named configuration; default: the system's first")
    train.add_argument("--env", metavar="E", help="an environment; default: the preset's")
    train.add_argument("--seeds", type=int, default=1, metavar="N", help="so many runs at once; default: 1")
    train.add_argument("--seed", type=int, default=0, metavar="S", help="of the first of them; default: 0")
    train.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="FIELD=A,B",
        help="one run for each value, and a table at the end; repeated: for each combination",
    )
    train.add_argument("--logdir", type=Path, metavar="DIR", help="default: runs/SYSTEM-ENV-PRESET")
    train.add_argument(
        "--override-config", action="store_true", help="go on with a run although its settings were others"
    )
    train.add_argument("-h", "--help", action="store_true", help="with SYSTEM: also every field of it")
    _add_machine_options(train)
    train.set_defaults(run=run, parser=train)


def _add_machine_options(train: argparse.ArgumentParser) -> None:
    saving = train.add_argument_group("saving")
    saving.add_argument(
        "--save-every",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="at least between two; default: 60",
    )
    saving.add_argument(
        "--keep", type=at_least(1), default=2, metavar="N", help="newest checkpoints that stay; default: 2"
    )
    saving.add_argument(
        "--snapshots",
        type=at_least(0),
        default=0,
        metavar="CHUNKS",
        help="also keep the learner after every so many chunks, for good; default: 0, none",
    )
    machines = train.add_argument_group("machines")
    machines.add_argument(
        "--devices", type=at_least(1), metavar="N", help="of all processes; a CPU is divided; default: one"
    )
    machines.add_argument(
        "--processes", type=at_least(1), default=1, metavar="N", help="of this machine; default: 1"
    )
    machines.add_argument("--overlap", action="store_true", help="learn while environments of the host step")


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Trains; `overrides` are the fields of the system's configuration."""
    if options.help:
        options.parser.print_help()
    if options.system is None:
        return 0 if options.help else complain("which system? see imaginax list", 2)
    from imaginax import registry
    from imaginax.runtime import config as configs

    entry = registry.entry(options.system)
    preset = options.preset or entry.presets[0]
    if options.help:
        print(f"\n{entry.name}: {entry.summary}")
        print(f"environments: {', '.join(entry.environments)}\npresets, the default first:")
        print("\n".join(f"  {name:<8}{_PRESETS.get(name, '')}".rstrip() for name in entry.presets) + "\n")
        overrides = [*overrides, "--help"]
    if options.sweep and not options.help:
        return sweep.run(options, entry, preset, overrides, train_system)
    config = configs.parse(entry, preset, options.env, overrides)
    printing_may_fail()
    with working(f"preparing {entry.name}, preset {preset}"):
        from imaginax.runtime import distributed

        if options.processes == 1:
            distributed.initialise(devices=options.devices)
            system = entry.make(config)
    if options.processes > 1:
        return distributed.launch(options.processes, _without(options.words, "--processes"))
    train_system(options, system, preset)
    return 0


def _without(words: Sequence[str], flag: str) -> list[str]:
    """A command line without an option and its value."""
    kept = [word for word in words if not word.startswith(f"{flag}=")]
    while flag in kept:
        position = kept.index(flag)
        del kept[position : position + 2]
    return kept


def train_system(
    options: argparse.Namespace, system: Any, preset: str, logdir: Path | None = None
) -> dict[str, Any]:
    """Trains in `logdir` (default: as the options say), prints how it ended, and gives the summary."""
    from imaginax.runtime import distributed, run
    from imaginax.runtime.run_directory import default_path

    env = system.environment.spec.name
    logdir = Path(logdir or options.logdir or default_path(system.name, env, preset))
    if sys.stdout.isatty() and distributed.is_leader():
        seeds = f"{options.seeds} seeds" if options.seeds > 1 else f"seed {options.seed}"
        print(f"{system.name} on {env}, preset {preset}, {seeds}, in {logdir}")
    summary = run.train(
        system,
        logdir=logdir,
        seeds=options.seeds,
        seed=options.seed,
        preset=preset,
        saving=run.Saving(options.save_every, options.keep, options.snapshots),
        override_config=options.override_config,
        devices=options.devices,
        overlap=options.overlap,
    )
    if distributed.is_leader():
        _print_summary(summary, logdir)
    return summary


def _print_summary(summary: dict[str, Any], logdir: Path) -> None:
    """How a run ended and where its files are."""
    if summary["status"] == "finished":
        games, distinct = summary["eval_games"], summary["eval_distinct_games_per_seed"]
        print_returns(summary["eval_return_per_seed"], games=games, distinct=distinct)
    else:
        print("stopped and saved; the same command goes on from here")
    for name in ("summary.json", "figures/return.png", "media/episode.gif"):
        if (logdir / name).exists():
            print(f"  {logdir / name}")
