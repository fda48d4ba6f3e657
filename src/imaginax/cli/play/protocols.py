"""A run as an engine for other programs. Nothing but the protocol goes to standard output."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from imaginax.types import ConfigError

Say = Callable[[str], Any]


def quiet(protocol: str) -> contextlib.AbstractContextManager:
    """Keeps what is printed by the way out of a conversation."""
    talks = protocol in ("gtp", "uci")
    return contextlib.redirect_stdout(sys.stderr) if talks else contextlib.nullcontext()


def run(options: argparse.Namespace, trained: Any) -> int:
    """Talks until the client says `quit` or is gone.

    Raises:
        ConfigError: if the protocol is not made for the run's game.
    """
    say, lines = functools.partial(print, file=sys.stdout, flush=True), _lines(sys.stdin)
    with quiet(options.protocol):
        (_gtp if options.protocol == "gtp" else _uci)(options, trained, lines, say)
    return 0


def _gtp(options: argparse.Namespace, trained: Any, lines: Iterator[str], say: Say) -> None:
    from imaginax.arena.go.session import GoSession
    from imaginax.arena.gtp import Gtp
    from imaginax.cli.play import agent
    from imaginax.envs.games import names

    name = agent.game(trained).spec.name
    if names.parse(name).kind != "go":
        raise ConfigError(f"protocol gtp is for Go, and this run plays {name}")
    session = GoSession(
        agent.engine(options, trained),
        komi=names.parse(name).komi,
        resign=options.resign,
        temperature=options.temperature,
        with_komi=lambda komi: agent.engine_with_komi(options, trained, komi),
    )
    Gtp(session, name=f"imaginax {trained.system.name}").serve(lines, say)


def _uci(options: argparse.Namespace, trained: Any, lines: Iterator[str], say: Say) -> None:
    from imaginax.arena.uci import VARIANTS, Uci
    from imaginax.cli.play import agent

    name = agent.game(trained).spec.name
    if name not in VARIANTS:
        raise ConfigError(f"protocol uci is for {', '.join(VARIANTS)}, and this run plays {name}")
    own = agent.own_simulations(options, trained)
    engine = agent.engine(options, trained)
    name = f"imaginax {trained.system.name}"
    Uci(engine, say, name=name, simulations=own, temperature=options.temperature).serve(lines)


def _lines(source: TextIO) -> Iterator[str]:
    """What the client says, in UTF-8; bytes that are no text become marks that no command has."""
    reconfigure = getattr(source, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="replace")
    return iter(source.readline, "")
