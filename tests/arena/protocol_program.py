"""A player as a program: `python protocol_program.py gtp|uci GAME OPPONENT`, spoken to over pipes."""

from __future__ import annotations

import functools
import sys

from imaginax import envs
from imaginax.arena.engine import Engine, TimedPlayer
from imaginax.arena.go.session import GoSession
from imaginax.arena.gtp import Gtp
from imaginax.arena.opponents import make_opponent
from imaginax.arena.uci import Uci
from imaginax.envs.games.names import parse
from imaginax.runtime.compilation import enable_cache


def engine(game: str, opponent: str) -> Engine:
    env = envs.make(game)
    return Engine(env, TimedPlayer(lambda simulations: make_opponent(opponent, env), ()))


def main(protocol: str, game: str, opponent: str) -> None:
    enable_cache()
    say = functools.partial(print, flush=True)
    if protocol == "gtp":
        Gtp(GoSession(engine(game, opponent), komi=parse(game).komi)).serve(sys.stdin, say)
    else:
        Uci(engine(game, opponent), say).serve(sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
