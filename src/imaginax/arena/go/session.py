"""A game of Go between a client and an engine: board, handicap, komi, clocks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool

from imaginax.arena import clock as clocks
from imaginax.arena.clock import Clock
from imaginax.arena.engine import Engine, SearchLimit
from imaginax.arena.go import board as goban
from imaginax.arena.go import game as go_game
from imaginax.arena.go import scoring
from imaginax.arena.go.board import BLACK, WHITE
from imaginax.arena.go.scoring import Settlement
from imaginax.envs.games import names

RESIGN = "resign"


class GoSession:
    """What a client has told, and what the engine makes of it.

    Attributes:
        size: of the board: that of the engine's game.
        engine: who is asked for moves.
        komi: of the score.
        game: so far.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        komi: float,
        resign: float | None = None,
        temperature: float = 0.0,
        with_komi: Callable[[float], Engine] | None = None,
    ):
        """Begins with an empty board.

        Args:
            engine: for a game called go_NxN or go_NxN_komiK.
            komi: of the engine's rules.
            resign: the expected result below which the engine resigns; None: never.
            temperature: of the engine's moves; 0 for its own choice.
            with_komi: gives the engine for another komi; without it another komi changes the score only.
        """
        self.engine, self.komi = engine, komi
        self.size = names.parse(engine.name).size
        self._resign, self._temperature = resign, temperature
        self._engines, self._with_komi = {_playable(komi): engine}, with_komi
        self._initial: Clock | None = None
        self._clocks: dict[int, Clock] = {}
        self.game = go_game.begin(self.size)

    def clear(self, handicap: Sequence[int] = ()) -> None:
        """Begins a new game; clocks are set back."""
        self.game = go_game.begin(self.size, handicap)
        self.set_clocks(self._initial)

    def set_komi(self, komi: float) -> None:
        """Of the score, and of the rules that the engine thinks with where it can: up to the next half point.

        A new engine is compiled at once if clocks have been set, so that no move pays for it.
        """
        near = _playable(komi)
        if self._with_komi is not None and near not in self._engines:
            self._engines[near] = self._with_komi(near)
            if self._initial is not None:
                self._prepare(self._engines[near], self._initial)
        self.engine = self._engines.get(near, self.engine)
        self.komi = komi

    # ------------------------------------------------------------ the engine's moves

    def choose(self, colour: int, *, cleanup: bool = False) -> int | str | None:
        """The engine's move: a point, None for a pass, or RESIGN.

        Args:
            colour: who moves.
            cleanup: while the other side's dead stones stand, only moves on their liberties are considered.
        """
        try:
            self.engine.go_to(go_game.actions(self.game, colour))
        except ValueError:  # past the environment's last move
            return None
        legal = self.engine.legal & goban.legal(self.game.board, colour)
        around = self._around_dead(3 - colour) & legal if cleanup else legal
        legal = around if around.any() else legal
        if not legal.any():
            return None
        decision = self.engine.think(self._limit(colour), legal=legal, temperature=self._temperature)
        if self._resign is not None and decision.value < self._resign:
            return RESIGN
        return None if decision.action == self.size**2 else decision.action

    def generate(self, colour: int, *, cleanup: bool = False) -> int | str | None:
        """The engine's move, made, at the cost of its time."""
        start = time.perf_counter()
        chosen = self.choose(colour, cleanup=cleanup)
        if not isinstance(chosen, str):
            self.game = go_game.play(self.game, colour, chosen)
        if self._clocks:
            self._clocks[colour] = clocks.spend(self._clocks[colour], time.perf_counter() - start)
        return chosen

    # ------------------------------------------------------------ time

    def set_clocks(self, clock: Clock | None) -> None:
        """Gives each side a clock, and the engine a search that fits; None takes them away."""
        if clock is not None and clock != self._initial:
            self._prepare(self.engine, clock)
        self._initial = clock
        self._clocks = {} if clock is None else {BLACK: clock, WHITE: clock}

    def set_time_left(self, colour: int, seconds: float, left: int) -> None:
        """What the client's clock says, with the moves left in the period (0 in main time)."""
        if self._clocks:
            self._clocks[colour] = self._clocks[colour]._replace(seconds=max(seconds, 0.0), left=left)

    def _prepare(self, engine: Engine, clock: Clock) -> None:
        engine.prepare(clocks.move_seconds(clock, self._moves_to_come()))

    def _limit(self, colour: int) -> SearchLimit:
        if not self._clocks:
            return SearchLimit()
        return SearchLimit(seconds=clocks.move_seconds(self._clocks[colour], self._moves_to_come()))

    def _moves_to_come(self) -> int:
        """Of one side; a game fills about two thirds of the board."""
        return max(self.size**2 * 2 // 3 - len(self.game.moves), self.size**2 // 6) // 2 + 1

    # ------------------------------------------------------------ the end

    def settlement(self) -> Settlement:
        """Dead stones, seki and area of the position."""
        return scoring.settle(self.game.board.size, self.game.board.cells)

    def score(self) -> str:
        """The result as GTP writes it."""
        return scoring.result(self.game.board, self.komi)

    def _around_dead(self, colour: int) -> Bool[np.ndarray, "A"]:
        """The liberties of dead stones of a colour, as moves."""
        cells, moves = self.game.board.cells, np.zeros(self.size**2 + 1, bool)
        for point in self.settlement().dead:
            if cells[point] == colour:
                moves[list(goban.neighbours(self.size)[point])] = True
        return moves


def _playable(komi: float) -> float:
    """A komi with which no game is drawn: half points from 0.5, the next one above a whole number."""
    return max(math.floor(komi), 0) + 0.5
