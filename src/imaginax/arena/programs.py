"""Programs that nobody here wrote, as opponents: over GTP and UCI.

    gnugo:L                        GNU Go at level L (1 to 10), for go_NxN
    grhino:L                       GRhino at level L (1 to 5), for othello
    stockfish:nodes=N              Stockfish with N nodes a move, for chess
    stockfish:skill=S:nodes=N      weakened: Skill Level 0 to 20
    stockfish:elo=E:nodes=N        weakened: UCI_Elo, 1350 to 2850
    fairy-stockfish:...            the same for chess, gardner_chess, animal_shogi and shogi

GNU Go plays by Chinese rules with positional superko, which the environment plays by too. The environment
counts every stone that stands as alive, so where GNU Go would pass it first takes dead stones off
(`kgs-genmove_cleanup`), as it does on servers that score in this way; it never resigns.

GRhino's program for GTP is gtp-rhino. It takes passes for granted, since in Othello they are forced. A
move of its level 5 can take longer than a minute.

Fairy-Stockfish may leave an animal-shogi chick unpromoted on the last rank, a move the environment does not
have: such a game is disputed. It happens at low skill only, where moves are drawn at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from imaginax.arena.processes import LineProcess, ProgramError, ProgramMissing, locate
from imaginax.envs.games.names import GameName, parse
from imaginax.types import ConfigError, Environment

__all__ = [
    "RESIGN",
    "GtpProgram",
    "GameProgram",
    "ProgramError",
    "ProgramMissing",
    "UciProgram",
    "locate",
    "make_program",
]

FORMS = "gnugo:L, grhino:L, stockfish:nodes=N, stockfish:skill=S:nodes=N, fairy-stockfish:nodes=N"
RESIGN = "resign"  # instead of a move, in any case of its letters
_VARIANTS = {"chess": "chess", "gardner_chess": "gardner", "animal_shogi": "dobutsu", "shogi": "shogi"}
_LIMITS = {"nodes": (1, 10**9), "skill": (-20, 20), "elo": (500, 2850)}


@runtime_checkable
class GameProgram(Protocol):
    """What a match needs of a program; one process plays one game at a time."""

    def new_game(self, seed: int) -> None:
        """Forgets the last game; `seed` decides what the program leaves to chance, where it can be told."""

    def choose(self, moves: Sequence[str]) -> str | None:
        """Its move after `moves`, all that were made in the game; RESIGN, or None: it knows no move."""

    def verdict(self, moves: Sequence[str]) -> int | None:
        """Who won by its own count, for the side that began: 1, 0 or -1; None where it does not count."""

    def close(self) -> None:
        """Ends the process."""


class ProgramRefuses(ProgramError):
    """A command that a program does not do."""


class GtpProgram:
    """A program for Go or Othello that speaks GTP 2; the side that began is Black."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        size: int,
        komi: float,
        passes: bool = True,
        timeout: float = 60.0,
    ):
        """Starts the program and sets the board up.

        Args:
            name: of the executable.
            arguments: that make it speak GTP by the rules wanted.
            size: lines of the board.
            komi: points for White.
            passes: whether it wants to be told of them.
            timeout: seconds for one answer.

        Raises:
            ProgramMissing: if it is not installed.
            ProgramError: if it refuses the board.
        """
        self.name, self._komi, self._passes = name, komi, passes
        self._process = LineProcess(name, arguments, timeout=timeout)
        self._told: list[str] = []
        self.command(f"boardsize {size}")
        known = self.command("list_commands").split()
        self._cleans = "kgs-genmove_cleanup" in known
        self._seeded = "set_random_seed" in known

    def command(self, line: str) -> str:
        """The answer to one command, its lines joined by newlines.

        Raises:
            ProgramRefuses: for an answer that begins with `?`.
            ProgramError: if there is none in time.
        """
        self._process.send(line)
        answer = self._process.receive()
        while not answer:  # empty lines may precede an answer
            answer = self._process.receive()
        lines = [answer]
        while following := self._process.receive():
            lines.append(following)
        if not answer.startswith("="):
            raise ProgramRefuses(f"{self.name} refuses {line!r}: {answer.lstrip('? ')}")
        return "\n".join(lines)[1:].strip()

    def new_game(self, seed: int) -> None:
        """Clears the board."""
        self._told = []
        self.command("clear_board")
        self.command(f"komi {self._komi:g}")
        if self._seeded:
            self.command(f"set_random_seed {seed % 2**16}")

    def choose(self, moves: Sequence[str]) -> str | None:
        """Its move; RESIGN if it gives up."""
        self._tell(moves)
        colour = _colour(len(moves))
        answer = self.command(f"genmove {colour}").lower()
        if answer == "pass" and self._cleans:
            self.command("undo")
            answer = self.command(f"kgs-genmove_cleanup {colour}").lower()
        if answer != RESIGN:
            self._told.append(answer)
        return answer

    def verdict(self, moves: Sequence[str]) -> int | None:
        """The winner by its `final_score`; None if it has none."""
        self._tell(moves)
        try:
            score = self.command("final_score")
        except ProgramRefuses:
            return None
        found = re.match(r"([BW])\+|0|draw|jigo", score, re.IGNORECASE)
        return {"b": 1, "w": -1, "": 0}[(found[1] or "").lower()] if found else None

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def _tell(self, moves: Sequence[str]) -> None:
        known = len(self._told)
        if [move.lower() for move in moves[:known]] != self._told:
            raise ProgramError(f"{self.name} plays another game than the one it is asked about")
        for number in range(known, len(moves)):
            if self._passes or moves[number].lower() != "pass":
                self.command(f"play {_colour(number)} {moves[number]}")
            self._told.append(moves[number].lower())


def _colour(ply: int) -> str:
    return "white" if ply % 2 else "black"


class UciProgram:
    """A chess program that speaks UCI, also for Fairy-Stockfish's variants."""

    def __init__(
        self,
        name: str,
        *,
        go: str = "nodes 1000",
        options: dict[str, str | int] | None = None,
        timeout: float = 60.0,
    ):
        """Starts the program.

        Args:
            name: of the executable.
            go: how long it thinks, as UCI's `go` says it.
            options: of `setoption`.
            timeout: seconds for one answer.

        Raises:
            ProgramMissing: if it is not installed.
            ConfigError: for an option that it does not have.
        """
        self.name, self._go = name, go
        self._process = LineProcess(name, (), timeout=timeout)
        self._process.send("uci")
        known = {match.group(1) for line in self._until("uciok") if (match := _OPTION.match(line))}
        for option, value in (options or {}).items():
            if option not in known:
                self.close()
                raise ConfigError(f"program {name} has no option {option!r}")
            self._process.send(f"setoption name {option} value {value}")
        self._ready()

    def new_game(self, seed: int) -> None:
        """Forgets the last game."""
        del seed
        self._process.send("ucinewgame")
        self._ready()

    def choose(self, moves: Sequence[str]) -> str | None:
        """Its move; None where it sees no legal one."""
        self._process.send(" ".join(["position startpos", *(["moves", *moves] if moves else [])]))
        self._process.send(f"go {self._go}")
        answer = self._until("bestmove")[-1].split()
        if len(answer) < 2:
            raise ProgramError(f"{self.name} answers {' '.join(answer)!r}")
        return None if answer[1].lower() in ("(none)", "none", "0000") else answer[1]

    def verdict(self, moves: Sequence[str]) -> None:
        """UCI has no word for it."""
        del moves

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def _until(self, word: str) -> list[str]:
        lines = [self._process.receive()]
        while lines[-1].split()[:1] != [word]:
            lines.append(self._process.receive())
        return lines

    def _ready(self) -> None:
        self._process.send("isready")
        self._until("readyok")


_OPTION = re.compile(r"option name (.+?) type ")


def make_program(text: str, env: Environment, *, timeout: float = 60.0) -> Callable[[], GameProgram]:
    """What starts one process of the program that `text` names, set up for the game `env`.

    Args:
        text: one of the forms above.
        env: the game.
        timeout: seconds for one answer.

    Raises:
        ConfigError: for a text of no such form, or a game that the program does not play.
        ProgramMissing: if it is not installed.
    """
    name, *options = text.split(":")
    game_name = parse(env.spec.name)
    if name in _GTP and game_name.kind == _GTP[name].kind and len(options) == 1:
        return _gtp(text, _GTP[name], game_name, options[0], timeout)
    plays = {"stockfish": ("chess",), "fairy-stockfish": tuple(_VARIANTS)}
    if game_name.kind not in plays.get(name, ()):
        raise ConfigError(f"program {text!r} does not play {env.spec.name}; known: {FORMS}")
    go, settings = _uci_settings(text, options)
    if name == "fairy-stockfish":
        settings["UCI_Variant"] = _VARIANTS[game_name.kind]
    locate(name)
    return lambda: UciProgram(name, go=go, options=settings, timeout=timeout)


class _GtpForm(NamedTuple):
    """How a program over GTP is started: for which games, at which levels, whether it is told of passes."""

    kind: str
    executable: str
    arguments: tuple[str, ...]
    levels: int
    passes: bool


_GNU_GO_RULES = ("--mode", "gtp", "--chinese-rules", "--positional-superko", "--never-resign")
_GTP = {
    "gnugo": _GtpForm("go", "gnugo", _GNU_GO_RULES, levels=10, passes=True),
    "grhino": _GtpForm("othello", "gtp-rhino", (), levels=5, passes=False),
}


def _gtp(
    text: str, form: _GtpForm, game_name: GameName, level: str, timeout: float
) -> Callable[[], GameProgram]:
    number = _number(text, "level", level, 1, form.levels)
    locate(form.executable)
    return lambda: GtpProgram(
        form.executable,
        [*form.arguments, "--level", str(number)],
        size=game_name.size or 8,
        komi=game_name.komi,
        passes=form.passes,
        timeout=timeout,
    )


def _uci_settings(text: str, options: list[str]) -> tuple[str, dict[str, str | int]]:
    """UCI's `go` limit and options."""
    given = {name: number for name, _, number in (option.partition("=") for option in options)}
    if set(given) - set(_LIMITS) or "nodes" not in given or len(given) < len(options):
        raise ConfigError(f"program {text!r} must be one of {FORMS}")
    value = {name: _number(text, name, number, *_LIMITS[name]) for name, number in given.items()}
    settings: dict[str, str | int] = {"Threads": 1, "Hash": 16}
    if "skill" in value:
        settings["Skill Level"] = value["skill"]
    if "elo" in value:
        settings |= {"UCI_LimitStrength": "true", "UCI_Elo": value["elo"]}
    return f"nodes {value['nodes']}", settings


def _number(text: str, name: str, number: str, low: int, high: int) -> int:
    if not re.fullmatch(r"-?\d{1,10}", number) or not low <= int(number) <= high:
        raise ConfigError(
            f"program {text!r}: {name} must be a whole number from {low} to {high}, got {number!r}"
        )
    return int(number)
