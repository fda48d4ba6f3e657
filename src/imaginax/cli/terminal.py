"""What the commands share: one-line complaints, numbers, and the form of their help texts."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from imaginax.runtime import output

FORM = argparse.RawDescriptionHelpFormatter
Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def describe(
    commands: Commands, name: str, *, help: str, about: str, epilog: str, **more: Any
) -> argparse.ArgumentParser:
    """The parser of a command; options are added to it.

    Args:
        commands: where it belongs.
        name: the word after `imaginax`.
        help: its line in the list of commands.
        about: what `--help` says first.
        epilog: what it says last: examples.
        more: further settings of the parser.
    """
    return commands.add_parser(
        name, help=help, description=about, epilog=epilog, formatter_class=FORM, allow_abbrev=False, **more
    )


def add_run(parser: argparse.ArgumentParser, *, episodes: str) -> None:
    """The options of a command that lets a trained run play; `episodes` says how many of them N are."""
    parser.add_argument("logdir", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--episodes", type=at_least(1), default=1, metavar="N", help=f"{episodes}; default: 1"
    )
    parser.add_argument("--seed", type=at_least(0), metavar="S", help="of the episodes")


def add_lane(parser: argparse.ArgumentParser) -> None:
    """The option of a command that takes one agent of a run."""
    parser.add_argument(
        "--lane", type=at_least(0), metavar="I", help="which of the run's seeds, from 0; default: the best"
    )


@contextlib.contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """On a terminal a line that says what is done and for how long, gone at the end; elsewhere nothing.

    It appears at once, before anything heavy is imported inside. What is yielded changes the words.
    """
    stream = sys.stderr
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console: Any = Console(file=stream, highlight=False)  # type: ignore[arg-type]
    spinner = SpinnerColumn("dots" if console.encoding.startswith("utf") else "line")
    words = TextColumn("{task.description}", markup=False)
    columns = (spinner, words, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(output.one_line(what))
        yield lambda text: progress.reset(task, description=output.one_line(text))


def complain(message: str, code: int) -> int:
    """Prints one line to standard error and returns `code`."""
    output.say(f"imaginax: {message}")
    return code


def printing_may_fail() -> None:
    """For commands whose results are in files: the reader of standard output may leave, and they go on."""
    if isinstance(sys.stdout, output.Output):
        sys.stdout.essential = False


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number with a lower bound."""

    def integer(word: str) -> int:
        if int(word) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {word}")
        return int(word)

    integer.__name__ = "int"  # argparse names it where the word is no number
    return integer


def seconds(word: str) -> float:
    """The type of an option that is a time span."""
    value = float(word)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, got {word}")
    return value


def number(value: float) -> str:
    """A return, as long as a reader needs it."""
    return f"{value:.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def print_returns(
    returns: Sequence[float], *, games: int | None = None, distinct: Sequence[int] | None = None
) -> None:
    """Mean return of each seed's evaluation, and of all; of a board game also how many games differed."""
    mean = sum(returns) / len(returns)
    each = f" (seeds: {', '.join(number(value) for value in returns)})" if len(returns) > 1 else ""
    counted = f"; {games} games a seed, {distinct_games(distinct)}" if games and distinct else ""
    print(f"evaluation return {number(mean)}{each}{counted}")


def distinct_games(distinct: Sequence[int]) -> str:
    """How many games of each seed differed."""
    return f"{', '.join(map(str, distinct))} of them distinct"
