"""A trained player of a board game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Bool

from imaginax import envs
from imaginax.arena.engine import Engine, TimedPlayer
from imaginax.runtime import playback
from imaginax.runtime.playback import Trained
from imaginax.types import ConfigError


class GameAgent:
    """What `imaginax.load` gives of a run that learned a board game: it plays at full strength.

    Attributes:
        name: of the system.
        env: name of the game.
        system: `imaginax.types.System`.
        params: what the player searches with.
        engine: `imaginax.arena.engine.Engine`: the game so far, legal moves, searches with a time limit.
    """

    def __init__(self, trained: Trained, *, lane: int | None, batch: int | None, seed: int):
        """A player before the first move; see `load`."""
        system = trained.system
        if batch is not None:
            raise ConfigError(f"batch: a player of {system.environment.spec.name} thinks about one game")
        assert system.player is not None
        self.name, self.env = system.name, system.environment.spec.name
        self.system, self.params = system, playback.params_of(trained, lane)
        search = getattr(system.config, "search", None)
        own = getattr(search, "simulations", None)
        player = TimedPlayer(system.player, self.params, simulations=own, seed=seed)
        self.engine = Engine(envs.make(self.env), player)

    def act(self, moves: Sequence[int] = ()) -> int:
        """The move for the player to move, as the number of an action.

        Args:
            moves: all moves of the game so far, of both sides.

        Raises:
            ConfigError: if one of them is illegal, or the game is over.
        """
        try:
            self.engine.go_to([int(move) for move in moves])
            return self.engine.think().action
        except ValueError as error:
            raise ConfigError(f"moves of {self.env}: {error}") from error

    def legal(self, moves: Sequence[int] = ()) -> Bool[np.ndarray, "A"]:
        """Which actions are allowed after some moves.

        Raises:
            ConfigError: if one of the moves is illegal.
        """
        try:
            self.engine.go_to([int(move) for move in moves])
        except ValueError as error:
            raise ConfigError(f"moves of {self.env}: {error}") from error
        return self.engine.legal

    def reset(self) -> None:
        """Begins a new game; what the last search found is forgotten."""
        self.engine.reset()

    def init(self, *_: Any) -> NoReturn:
        """A board game has no pure form here."""
        raise ConfigError(f"init, step: {self.env} is a board game; use act(moves), or system.player")

    step = init

    def imagine(self, *_: Any) -> NoReturn:
        """A board game has no form for this here."""
        raise ConfigError(f"imagine: {self.env} is a board game, whose rules imaginax.make_env gives")
