"""An engine of the Go Text Protocol, version 2 (G. Farnebaeck, draft 2 of its specification).

All commands of the specification's sections 6.3 and 6.4, and KGS's time settings and cleanup. The referee's
board is `arena.go.board`: area rules with positional superko. The size is that of the run.

    final_score        area after the dead stones are gone (`arena.go.scoring`)
    final_status_list  from the same play-outs
    kgs-genmove_cleanup  captures what is dead before it passes
    genmove            `pass` once the environment cannot go on, as after its limit of moves
    place_free_handicap  the traditional points, or fewer where there are not so many
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from imaginax.arena.go.session import GoSession
from imaginax.arena.gtp_commands import COMMANDS, Command, GtpError, word

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ufeff]")  # the last is a byte-order mark


class Gtp:
    """A conversation about one session.

    Attributes:
        session: the game.
        open: False once the client has said `quit`.
    """

    def __init__(self, session: GoSession, *, name: str = "imaginax"):
        """Waits for the first command; `name` is what it introduces itself by."""
        self.session, self.open = session, True
        self._commands: dict[str, Command] = {
            **COMMANDS,
            "known_command": self._known,
            "list_commands": lambda session, words: "\n".join(sorted(self._commands)),
            "name": lambda session, words: name,
            "quit": self._quit,
        }

    def answer(self, line: str) -> str | None:
        """The answer to a line, without the empty line that ends it; None to a line that needs none."""
        line = _UNPRINTABLE.sub("", line.partition("#")[0]).replace("\t", " ").strip(" ")
        if not line:
            return None
        words = line.split()
        identity = words.pop(0) if re.fullmatch(r"[0-9]{1,10}", words[0]) else ""
        name = words.pop(0) if words else ""
        try:
            if name not in self._commands:
                raise GtpError("unknown command")
            return f"={identity} {self._commands[name](self.session, words)}"
        except GtpError as error:
            return f"?{identity} {str(error).encode('ascii', 'replace').decode()}"
        except Exception as error:  # a client must not lose its game to a fault here
            traceback.print_exc(file=sys.stderr)
            return f"?{identity} internal error: {type(error).__name__}"

    def serve(self, lines: Iterable[str], say: Callable[[str], Any]) -> None:
        """Answers line after line until the client says `quit` or stops talking; `say` adds a line's end."""
        for line in lines:
            answer = self.answer(line)
            if answer is not None:
                say(f"{answer}\n")
            if not self.open:
                return

    def _known(self, session: GoSession, words: list[str]) -> str:
        del session
        return "true" if word(words, 0) in self._commands else "false"

    def _quit(self, session: GoSession, words: list[str]) -> str:
        del session, words
        self.open = False
        return ""
