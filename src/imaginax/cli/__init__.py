"""The command line: one module a command.

A command's module has `add`, which describes its options, and `run`, which does it. Neither these modules nor
this one import jax before a command needs it, so that `--help` and a mistyped word answer at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from imaginax import __version__
from imaginax.cli import (
    agents,
    bench,
    check_env,
    compare,
    dream,
    evaluate,
    export,
    listing,
    match,
    play,
    plot,
    train,
)
from imaginax.cli.terminal import FORM, complain
from imaginax.errors import ConfigError, RunError
from imaginax.runtime import output

__all__ = ["main"]

_COMMANDS = (train, listing, check_env, evaluate, match, play, dream, plot, compare, agents, export, bench)

_EPILOG = """examples:
  imaginax list                                  systems, presets and environments
  imaginax train pets                            learn, with the default preset and environment
  imaginax train pets --help                     every field that can be set
  imaginax train pets --env pendulum --seeds 5   another environment, five seeds at once
  imaginax eval runs/pets-pets_cartpole-laptop   the return of what was learned, with its interval
  imaginax play runs/pets-pets_cartpole-laptop   a GIF of it
  imaginax plot runs/a runs/b --output ab.png    runs beside each other
  imaginax compare runs/planet                   a run beside published scores of its task
  imaginax agents                                trained agents that come with the package

The same train command again goes on where the run stopped; Ctrl-C saves first.

exit codes:
  0    done; also a run that Ctrl-C, SIGTERM or SIGHUP stopped, once it is saved
  1    it failed: a value that is not finite, a full disk, no checkpoint that can be read
  2    wrong usage: an unknown word, field or run, or settings that cannot work
  130  interrupted where there was nothing to save, or by a second Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code; `imaginax --help` says which there are.

    Args:
        argv: the words after `imaginax`; those of the process by default.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    with output.standard(essential=True) as out:
        try:
            code = _run(words)
            out.flush()
            return code
        except BrokenPipeError:  # `imaginax list | head`
            return 0
        except output.OutputError as error:
            return complain(str(error), 1)


def _run(words: Sequence[str]) -> int:
    try:
        options, overrides = _parser().parse_known_args(words, argparse.Namespace(words=words))
        if overrides and options.run is not train.run:
            return complain(f"unknown argument {overrides[0]}; see imaginax {options.command} --help", 2)
        return options.run(options, overrides)
    except SystemExit as request:  # argparse and tyro end the process after --help and after an error
        return request.code if isinstance(request.code, int) else 0
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    except (BrokenPipeError, output.OutputError):
        raise
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        return complain(str(error), code)


def _exit_code(error: Exception) -> int | None:
    """The code for a failure that one line explains; None for one that needs its traceback."""
    if isinstance(error, ConfigError):
        return 2
    return 1 if isinstance(error, RunError) else None


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(complain(f"{message}; see {self.prog} --help", 2))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="imaginax",
        description="Model-based reinforcement learning as compiled JAX programs.",
        epilog=_EPILOG,
        formatter_class=FORM,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"imaginax {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
