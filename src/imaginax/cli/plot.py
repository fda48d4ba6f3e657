"""`imaginax plot`: learning curves of runs beside each other."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from imaginax.cli.terminal import Commands, complain, describe, printing_may_fail, working

_ABOUT = """Draws what runs have logged: the interquartile mean over seeds with its 95% bootstrap interval
(of fewer than three seeds: their mean and extremes), the return against environment steps by default.
Runs need not be finished, and results files of this repository serve as well."""

_EPILOG = """examples:
  imaginax plot runs/a                                   one run, each of its seeds
  imaginax plot runs/a runs/b --output ab.png            two runs
  imaginax plot runs/a-* runs/b-* --group                runs that differ in their seeds only are one curve
  imaginax plot runs/a --metric loss --x wall_s          another metric, against seconds
  imaginax plot runs/a --reference "true rules=182.3"    with a dashed line
"""


def add(commands: Commands) -> None:
    """Describes the command."""
    plot = describe(
        commands,
        "plot",
        help="draw learning curves",
        about=_ABOUT,
        epilog=_EPILOG,
    )
    plot.add_argument("sources", nargs="+", metavar="RUN", help="run directories or results files")
    plot.add_argument("--output", type=Path, default=Path("return.png"), metavar="FILE", help="png, svg, pdf")
    plot.add_argument("--title", metavar="TEXT", help="default: what the one curve is")
    plot.add_argument(
        "--x", choices=("env_steps", "wall_s"), default="env_steps", help="default: env_steps, of one seed"
    )
    plot.add_argument(
        "--metric", default="episode_return", metavar="NAME", help="in metrics.jsonl; default: episode_return"
    )
    plot.add_argument("--statistic", choices=("iqm", "mean"), default="iqm", help="over seeds; default: iqm")
    plot.add_argument("--group", action="store_true", help="join runs that differ in their seeds only")
    plot.add_argument(
        "--reference",
        action="append",
        type=_reference,
        default=[],
        metavar="NAME=VALUE",
        help="a horizontal line; may be repeated",
    )
    plot.set_defaults(run=run)


def _reference(word: str) -> tuple[str, float]:
    """NAME=VALUE; the name may hold further equals signs."""
    name, _, number = word.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
    return name, value


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Reads and draws."""
    with working("reading"):
        from imaginax.runtime import comparison, plotting

    printing_may_fail()
    curves = comparison.read_curves(options.sources, metric=options.metric, x=options.x, group=options.group)
    title, tasks = options.title or "", comparison.tasks(options.sources)
    if len(tasks) > 1:
        complain(f"different tasks on one axis: {', '.join(tasks)}", 0)
        title = title or f"different tasks: {', '.join(tasks)}"
    if len(curves) == 1 and options.title is None:
        title, curves = curves[0].label, [curves[0]._replace(label="")]
    path = plotting.learning_curve(
        options.output,
        curves,
        title=title,
        xlabel="environment steps" if options.x == "env_steps" else "seconds of running",
        ylabel="return" if options.metric == plotting.RETURN else options.metric,
        statistic=options.statistic,
        references=dict(options.reference),
    )
    print(path)
    return 0
