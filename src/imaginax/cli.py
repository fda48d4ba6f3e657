"""The command line: `imaginax train`, `list`, `eval`, `plot` and `export`.

Modules are imported by the command that needs them, so that `--help` and a mistyped word answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

_EXAMPLES = """examples:
  imaginax list                                  systems, presets and environments
  imaginax train pets                            learn, with the default preset and environment
  imaginax train pets --help                     every field that can be set
  imaginax train pets --env pendulum --seeds 5   another environment, five seeds at once
  imaginax eval runs/pets-pets_cartpole-laptop   play episodes with what was learned
  imaginax plot runs/a runs/b --output ab.png    compare runs
  imaginax export pets --platform tpu            its programs, lowered for a TPU from any machine

The same train command again goes on where the run stopped; Ctrl-C saves first.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code: 0 done, 1 failed, 2 bad input.

    Args:
        argv: the words after `imaginax`; those of the process by default.
    """
    try:
        options, overrides = _parser().parse_known_args(sys.argv[1:] if argv is None else list(argv))
        if overrides and options.run is not _train:
            return _complain(f"unknown argument {overrides[0]}; see imaginax {options.command} --help", 2)
        return options.run(options, overrides)
    except SystemExit as request:  # argparse and tyro end the process after --help and after an error
        return request.code if isinstance(request.code, int) else 0
    except BrokenPipeError:  # `imaginax list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        return _complain(str(error), code)


def _exit_code(error: Exception) -> int | None:
    """The code for a failure that one line explains; None for one that needs its traceback."""
    from imaginax.runtime.run_directory import RunError
    from imaginax.types import ConfigError

    if isinstance(error, ConfigError):
        return 2
    return 1 if isinstance(error, RunError) else None


def _complain(message: str, code: int) -> int:
    print(f"imaginax: {message}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"imaginax: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="imaginax",
        description="Model-based reinforcement learning as compiled JAX programs.",
        epilog=_EXAMPLES,
        formatter_class=form,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train", help="train a system, or go on with a run", add_help=False, allow_abbrev=False
    )
    _add_train_options(train)
    train.set_defaults(run=_train, parser=train)
    listing = commands.add_parser("list", help="show systems, presets and environments", allow_abbrev=False)
    listing.set_defaults(run=_list)
    evaluate = commands.add_parser("eval", help="play episodes with a trained run", allow_abbrev=False)
    evaluate.add_argument("logdir", type=Path, metavar="LOGDIR", help="a run directory")
    evaluate.add_argument("--episodes", type=int, default=1, metavar="N", help="at least so many a seed")
    evaluate.set_defaults(run=_evaluate)
    plot = commands.add_parser("plot", help="draw learning curves", allow_abbrev=False)
    plot.add_argument("sources", nargs="+", metavar="LOGDIR", help="run directories or results files")
    plot.add_argument("--output", type=Path, default=Path("return.png"), metavar="FILE", help="an image")
    plot.set_defaults(run=_plot)
    export = commands.add_parser("export", help="lower programs for tpu, cuda or cpu", allow_abbrev=False)
    export.add_argument("system", metavar="SYSTEM", help="a system, or all")
    export.add_argument("--preset", metavar="P", help="default: the system's first")
    export.add_argument("--env", metavar="E", help="default: the preset's")
    export.add_argument(
        "--platform", nargs="+", default=["tpu", "cuda", "cpu"], metavar="P", help="default: all"
    )
    export.add_argument("--output", type=Path, default=Path("build/export"), metavar="DIR")
    export.set_defaults(run=_export)
    return parser


def _add_train_options(train: argparse.ArgumentParser) -> None:
    words = "SYSTEM [--preset P] [--env E] [--seeds N] [--seed S] [--logdir DIR] [--FIELD VALUE ...]"
    train.usage = f"imaginax train {words}"
    train.add_argument("system", nargs="?", metavar="SYSTEM", help="one of those that imaginax list shows")
    train.add_argument("--preset", metavar="P", help="a named configuration; default: the system's first")
    train.add_argument("--env", metavar="E", help="an environment; default: the preset's")
    train.add_argument("--seeds", type=int, default=1, metavar="N", help="so many runs at once; default: 1")
    train.add_argument("--seed", type=int, default=0, metavar="S", help="of the first of them; default: 0")
    train.add_argument("--logdir", type=Path, metavar="DIR", help="default: runs/SYSTEM-ENV-PRESET")
    train.add_argument(
        "--override-config", action="store_true", help="go on with a run although its settings were others"
    )
    train.add_argument("-h", "--help", action="store_true", help="with SYSTEM: also every field of it")


# ----------------------------------------------------------------- commands


def _train(options: argparse.Namespace, overrides: list[str]) -> int:
    if options.help:
        options.parser.print_help()
    if options.system is None:
        return 0 if options.help else _complain("which system? see imaginax list", 2)
    from imaginax import systems
    from imaginax.runtime import config as configs

    entry = systems.entry(options.system)
    preset = options.preset or entry.presets[0]
    if options.help:
        print(f"\n{entry.name}: {entry.summary}")
        print(f"presets: {', '.join(entry.presets)}; environments: {', '.join(entry.environments)}\n")
        overrides = ["--help"]
    config = configs.parse(entry, preset, options.env, overrides)
    system = entry.make(config)
    from imaginax.runtime import run

    env = system.environment.spec.name
    logdir = options.logdir or Path("runs") / f"{entry.name}-{env}-{preset}"
    if sys.stdout.isatty():
        seeds = f"{options.seeds} seeds" if options.seeds > 1 else f"seed {options.seed}"
        print(f"{entry.name} on {env}, preset {preset}, {seeds}, in {logdir}")
    summary = run.train(
        system,
        logdir=logdir,
        seeds=options.seeds,
        seed=options.seed,
        preset=preset,
        override_config=options.override_config,
    )
    _print_summary(summary, logdir)
    return 0


def _print_summary(summary: dict[str, Any], logdir: Path) -> None:
    """How a run ended and where its files are."""
    if summary["status"] == "finished":
        _print_returns(summary["eval_return_per_seed"])
    else:
        print("stopped and saved; the same command goes on from here")
    for name in ("summary.json", "figures/return.png", "media/episode.gif"):
        if (logdir / name).exists():
            print(f"  {logdir / name}")


def _print_returns(returns: Sequence[float]) -> None:
    """Mean return of each seed's evaluation, and of all."""
    mean = sum(returns) / len(returns)
    each = f" (seeds: {', '.join(f'{value:.1f}' for value in returns)})" if len(returns) > 1 else ""
    print(f"evaluation return {mean:.1f}{each}")


def _list(options: argparse.Namespace, overrides: list[str]) -> int:
    from imaginax import envs, systems

    print("systems")
    for name in systems.SYSTEMS:
        entry = systems.entry(name)
        print(f"  {name:<14}{entry.summary}")
        print(f"  {'':<14}presets       {', '.join(entry.presets)}")
        print(f"  {'':<14}environments  {', '.join(entry.environments)}")
    print("\nenvironments")
    for name in envs.names():
        print(f"  {name}")
    return 0


def _evaluate(options: argparse.Namespace, overrides: list[str]) -> int:
    from imaginax import systems
    from imaginax.runtime import config as configs
    from imaginax.runtime import report, run, run_directory

    directory, record = run_directory.read_run(options.logdir)
    entry = systems.entry(record["system"])
    system = entry.make(configs.from_json(entry.config, record["config"]))
    run.enable_cache()
    restored = run.reload(system, directory, record)
    for fault in restored.skipped:
        _complain(f"skipped: {fault}", 0)
    keys = run.lane_keys(record)[1]
    evaluation = report.evaluate(system, restored.state, keys, episodes=options.episodes)
    for seed, returns in enumerate(evaluation.returns):
        print(f"seed {record['seed'] + seed}: {', '.join(f'{value:.1f}' for value in returns)}")
    _print_returns(evaluation.returns.mean(axis=1).tolist())
    report.write_episode(directory, system, evaluation)
    if system.environment.render:
        print(f"  {directory.media / 'episode.gif'}")
    return 0


def _export(options: argparse.Namespace, overrides: list[str]) -> int:
    from imaginax import systems
    from imaginax.runtime import export

    print(f"{'program':<24}{'platform':<10}{'kilobytes':>10}{'seconds':>9}")
    for name in systems.SYSTEMS if options.system == "all" else [options.system]:
        entry = systems.entry(name)
        system = entry.make(entry.preset(options.preset or entry.presets[0], options.env))
        for program, (function, arguments) in export.programs(system).items():
            for platform in options.platform:
                made = export.export(program, function, arguments, platform)
                export.write(options.output / name, made)
                size = len(made.data) / 1000
                print(
                    f"{name + ' ' + program:<24}{platform:<10}{size:>10.0f}{made.seconds:>9.1f}", flush=True
                )
    print(f"written to {options.output}")
    return 0


def _plot(options: argparse.Namespace, overrides: list[str]) -> int:
    from imaginax.runtime import plotting

    curves = [plotting.read_curve(source) for source in options.sources]
    names = {curve.label for curve in curves}
    if len(names) < len(curves):  # the same system twice: tell the runs apart by their folders
        pairs = zip(options.sources, curves, strict=True)
        curves = [curve._replace(label=Path(source).name) for source, curve in pairs]
    title = ""
    if len(curves) == 1:
        title, curves = curves[0].label, [curves[0]._replace(label="")]
    print(plotting.learning_curve(options.output, curves, title=title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
