"""An engine of the Universal Chess Interface (S. Meyer-Kahlen, April 2006), for chess and games like it.

    go            the player's own search; `nodes` sets its simulations, `movetime` and clocks choose the
                  largest search that is expected to end in time, `infinite` runs ever larger ones;
                  `depth` and `mate` mean nothing to such a search and are ignored
    score cp      400 log10((1 + v) / (1 - v)) for an expected result v in [-1, 1]: the logistic scale on
                  which 100 centipawns are what 100 Elo are between two players
    nodes         simulations of the search behind the line
    bestmove 0000 there is no legal move, or the game is lost

Words that mean nothing are skipped, and a command during a search ends it first. A fault is answered by
`info string error: ...`. Beyond a draw by repetition, by 50 moves, by length or for want of material, where
the game of the run ends but a client may go on, the game continues (in chess its history is forgotten).
"""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool

import imaginax
from imaginax.arena.engine import Engine, MoveChoice
from imaginax.arena.uci_go import UciError, centipawns, limit_of, settings_of, whole
from imaginax.arena.uci_search import BackgroundSearch
from imaginax.envs.games import names, notation, pgx_games, text

VARIANTS = {"chess": "chess", "gardner_chess": "gardner", "animal_shogi": "dobutsu", "shogi": "shogi"}

_LONGEST_LINE = 12  # moves of a principal variation that are printed


@functools.cache
def _past_draw(name: str):
    return jax.jit(pgx_games.past_draw(names.parse(name)))


class Uci:
    """A conversation.

    Attributes:
        engine: who is asked for moves.
        open: False once the client has said `quit`.
    """

    def __init__(
        self,
        engine: Engine,
        say: Callable[[str], Any],
        *,
        name: str = "imaginax",
        simulations: int | None = None,
        temperature: float = 0.0,
    ):
        """Waits for the first command.

        Args:
            engine: of the game.
            say: is told the answers, one or more lines at a time, and adds a line's end.
            name: to introduce it by.
            simulations: the player's own number, which the client may change; None: it cannot.
            temperature: of the moves, which the client may change too.
        """
        self.engine, self.open = engine, True
        self._print, self._name, self._simulations = say, name, simulations
        self._temperature = temperature
        self._search: BackgroundSearch | None = None
        self._base, self._moves = "startpos", list[str]()
        self._commands = {
            "uci": self._introduce,
            "isready": self._ready,
            "ucinewgame": self._new_game,
            "setoption": self._set_option,
            "position": self._position,
            "go": self._go,
            "stop": lambda words: self._stop(),
            "ponderhit": lambda words: self._stop(),
            "debug": lambda words: None,
            "register": lambda words: None,
            "quit": self._quit,
        }

    def hear(self, line: str) -> None:
        """Does what a line says; words before the command are skipped, and so is a byte-order mark."""
        words = line.lstrip("\ufeff").split()
        if not words:
            return
        first = next((place for place, word in enumerate(words) if word in self._commands), None)
        try:
            if first is None:
                raise UciError(f"unknown command {words[0][:40]}")
            self._commands[words[first]](words[first + 1 :])
        except UciError as error:
            self._error(error)
        except Exception as error:  # a client must not lose its game to a fault here
            traceback.print_exc(file=sys.stderr)
            self._error(error)

    def serve(self, lines: Iterable[str]) -> None:
        """Hears line after line until the client says `quit` or stops talking."""
        try:
            for line in lines:
                self.hear(line)
                if not self.open:
                    return
        finally:
            self._stop()
            self._wait()

    # ------------------------------------------------------------ administration

    def _introduce(self, words: list[str]) -> None:
        del words
        self._say(f"id name {self._name} {imaginax.__version__}", "id author the imaginax authors")
        self._say("option name Threads type spin default 1 min 1 max 1")
        self._say("option name Hash type spin default 16 min 1 max 1048576")
        warmth = round(100 * self._temperature)
        self._say(f"option name Temperature type spin default {warmth} min 0 max {max(warmth, 1000)}")
        if self._simulations is not None:
            own = self._simulations
            self._say(f"option name Simulations type spin default {own} min 1 max {max(own, 4096)}")
        variant = VARIANTS.get(self.engine.name, self.engine.name)
        self._say(f"option name UCI_Variant type combo default {variant} var {variant}", "uciok")

    def _ready(self, words: list[str]) -> None:
        del words
        if self._search is None or not self._search.running:
            self._wait()
            self.engine.prepare()
        self._say("readyok")

    def _new_game(self, words: list[str]) -> None:
        del words
        self._idle()
        self._base, self._moves = "startpos", []
        self.engine.reset()

    def _quit(self, words: list[str]) -> None:
        del words
        self.open = False

    def _set_option(self, words: list[str]) -> None:
        self._idle()
        if words[:1] != ["name"]:
            raise UciError("setoption name NAME value VALUE")
        cut = words.index("value") if "value" in words else len(words)
        name, value = " ".join(words[1:cut]).lower(), " ".join(words[cut + 1 :])
        if name == "simulations" and self._simulations is not None:
            self.engine.player.set_simulations(whole(value, 1, max(self._simulations, 4096)))
        elif name == "temperature":  # in hundredths, since the protocol has no fractions
            self._temperature = whole(value, 0, 1000) / 100
        elif name in ("threads", "hash"):  # the device decides
            whole(value, 1, 1 if name == "threads" else 2**20)
        elif name == "uci_variant":
            if value != VARIANTS.get(self.engine.name, self.engine.name):
                raise UciError(f"this engine plays {self.engine.name} only")
        else:
            raise UciError(f"no option {name[:40]!r}")

    # ------------------------------------------------------------ positions

    def _position(self, words: list[str]) -> None:
        self._idle()
        cut = words.index("moves") if "moves" in words else len(words)
        base, moves = " ".join(words[:cut]), words[cut + 1 :]
        known = len(self._moves)
        if base != self._base or moves[:known] != self._moves:
            self._begin(base)
            known = 0
        for move in moves[known:]:
            self._play(move)
            self._moves.append(move)

    def _begin(self, base: str) -> None:
        kind, _, fen = base.partition(" ")
        if kind not in ("startpos", "fen") or (kind == "startpos") != (not fen):
            raise UciError("position startpos|fen FEN [moves MOVE ...]")
        try:
            self.engine.reset(self._from_fen(fen) if fen else None)
        except ValueError as error:
            raise UciError(str(error)) from error
        self._base, self._moves = base, []

    def _from_fen(self, fen: str):
        from imaginax.arena.fen import chess_state

        if self.engine.name != "chess":
            raise UciError(f"positions of {self.engine.name} begin with startpos")
        return chess_state(fen)

    def _play(self, move: str) -> None:
        """A move of the client's; those before an illegal one have been made."""
        self._go_on()
        try:
            position = self.engine.position
            self.engine.play(notation.parse_move(self.engine.name, position, move))
        except ValueError as error:
            raise UciError(f"move {len(self._moves) + 1} ({move[:20]}): {error}") from error

    def _go_on(self) -> None:
        """The game goes on where it has ended in a draw, though there are legal moves."""
        if not self.engine.over or self.engine.reward != 0:
            return
        if self.engine.name == "chess":
            fields = text.to_fen(self.engine.name, self.engine.position).split()
            state = self._from_fen(" ".join([*fields[:4], "0", fields[5]]))
            state = state.replace(terminated=np.zeros_like(state.terminated))
        else:
            state = _past_draw(self.engine.name)(self.engine.positions[-2], self.engine.actions[-1])
        if np.asarray(state.legal_action_mask).any():
            self.engine.reset(state)

    # ------------------------------------------------------------ search

    def _go(self, words: list[str]) -> None:
        self._idle()
        self._go_on()
        settings, moves = settings_of(words)
        legal = self._among(moves)
        if self.engine.over or not legal.any():
            self._say("bestmove 0000")
            return
        self._search = BackgroundSearch(
            lambda limit, stop, report: self.engine.think(
                limit, legal=legal, temperature=self._temperature, stop=stop, report=report
            ),
            limit_of(settings, black=self.engine.mover == 1),
            report=self._report,
            answer=lambda choice: self._answer(choice, legal),
        )

    def _among(self, moves: list[str]) -> Bool[np.ndarray, "A"]:
        """Those of `moves` that are legal; all legal moves if none of them is."""
        legal, position = self.engine.legal, self.engine.position
        chosen = np.zeros_like(legal)
        for move in moves:
            with contextlib.suppress(ValueError):
                chosen[notation.parse_move(self.engine.name, position, move)] = True
        return legal & chosen if (legal & chosen).any() else legal

    def _report(self, choice: MoveChoice) -> None:
        line = choice.line[:_LONGEST_LINE]
        positions = self.engine.positions_along(line)
        pairs = zip(line, positions, strict=False)
        moves = [notation.format_move(self.engine.name, position, action) for action, position in pairs]
        speed = int(choice.simulations / max(choice.seconds, 1e-6))
        self._say(
            f"info depth {max(len(moves), 1)} nodes {choice.simulations} nps {speed}"
            f" time {int(1000 * choice.seconds)} score cp {centipawns(choice.value)} pv {' '.join(moves)}"
        )

    def _answer(self, choice: MoveChoice | None, legal: Bool[np.ndarray, "A"]) -> None:
        if choice is None:
            self._error(UciError("the search failed; any legal move follows"))
        action = int(legal.argmax()) if choice is None else choice.action
        move = notation.format_move(self.engine.name, self.engine.position, action)
        self._say(f"bestmove {move}")

    def _stop(self) -> None:
        if self._search is not None and self._search.running:
            self._search.stop()

    def _wait(self) -> None:
        if self._search is not None:
            self._search.wait()

    def _idle(self) -> None:
        """Makes sure that nobody uses the engine; a search under way is answered first."""
        self._stop()
        self._wait()

    def _error(self, error: Exception) -> None:
        words = " ".join(str(error).split())[:200]
        self._say(f"info string error: {words.encode('ascii', 'replace').decode()}")

    def _say(self, *lines: str) -> None:
        self._print("\n".join(lines))
