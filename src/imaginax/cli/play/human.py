"""A game against a run in a terminal, or in a pipe."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from imaginax.cli.terminal import number

_HELP = "a move, or: hint, undo, moves, board, quit"


def run(options: argparse.Namespace, trained: Any) -> int:
    """Plays until the game is over, the human has had enough, or nothing comes any more."""
    from imaginax.cli.play import agent

    engine = agent.engine(options, trained)
    human = agent.seat(options.colour, engine.name)
    game = Game(engine, human, temperature=options.temperature)
    print(f"{engine.name}: you are the {_ordinal(human)} player; enter {_HELP}")
    game.show()
    while not engine.over:
        if engine.mover != human:
            game.answer()
            continue
        print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            print(line.rstrip("\n") if line else "")
        if not line or line.strip().lower() in ("quit", "exit", "q"):
            return 0
        game.hear(line.strip())
    print(game.result())
    return 0


class Game:
    """A human, who has one of the seats, and an engine."""

    def __init__(self, engine: Any, human: int, *, temperature: float = 0.0):
        """Waits for whoever begins; `temperature` is of the engine's moves."""
        self.engine, self.human, self.temperature = engine, human, temperature

    def show(self) -> None:
        """Prints the board."""
        from imaginax.envs.games.text import text_board

        print(text_board(self.engine.name, self.engine.position), flush=True)

    def answer(self) -> None:
        """The engine moves."""
        decision = self.engine.think(temperature=self.temperature)
        print(f"it plays {self._named(decision.action)} and expects {number(decision.value)}")
        self.engine.play(decision.action)
        self.show()

    def hear(self, text: str) -> None:
        """Does what the human wants."""
        from imaginax.envs.games.notation import parse_move

        does = {"hint": self._hint, "undo": self._undo, "moves": self._moves, "board": self.show}
        if text.lower() in does:
            does[text.lower()]()
        elif text.lower() in ("", "help", "?"):
            print(_HELP)
        else:
            try:
                self.engine.play(parse_move(self.engine.name, self.engine.position, text))
            except ValueError as error:
                print(error)
            else:
                self.show()

    def result(self) -> str:
        """Who won."""
        reward, last = self.engine.reward, 1 - self.engine.mover
        if reward == 0:
            return f"drawn after {len(self.engine.actions)} moves"
        winner = last if reward > 0 else 1 - last
        who = "you win" if winner == self.human else "it wins"
        return f"{who} after {len(self.engine.actions)} moves"

    def _hint(self) -> None:
        decision = self.engine.think()
        print(f"try {self._named(decision.action)}; it expects {number(decision.value)} for you")

    def _undo(self) -> None:
        if len(self.engine.actions) < 2:
            print("there is no move of yours to take back")
            return
        self.engine.undo(2)
        self.show()

    def _moves(self) -> None:
        print(" ".join(self._named(int(action)) for action in self.engine.legal.nonzero()[0]))

    def _named(self, action: int) -> str:
        from imaginax.envs.games.notation import format_move

        return format_move(self.engine.name, self.engine.position, action)


def _ordinal(seat: int) -> str:
    return ("first", "second")[seat]
