"""A game engine: one game and one player of it, what protocols and people talk to.

The rules and the player are compiled once, for a batch of one game. Moves can be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from imaginax.arena.time_control import MoveChoice, SearchLimit, TimedPlayer
from imaginax.envs.games import pgx_games
from imaginax.envs.wrappers import privileged, vectorise
from imaginax.types import ConfigError, Discrete, Environment, State, TimeStep

__all__ = ["MoveChoice", "Engine", "SearchLimit", "TimedPlayer"]


class _Ply(NamedTuple):
    """A moment of the game, a batch of one."""

    state: State
    timestep: TimeStep


class Engine:
    """A game, its history, and a player that can be asked about its last position.

    Attributes:
        env: the game, as it was given.
        player: player of one side or both.
        actions: the moves since the position of the last `reset`.
    """

    def __init__(self, env: Environment, player: TimedPlayer):
        """Begins a game.

        Args:
            env: one game that does not reset itself, `privileged` or not.
            player: player of the game.

        Raises:
            ConfigError: if the environment is not a game of two players.
        """
        if env.game is None or not isinstance(env.spec.action, Discrete):
            raise ConfigError(f"env must be a board game, got {env.spec.name}")
        self.env, self.player = env, player
        single = vectorise(privileged(env), 1)
        self._step = jax.jit(single.step)
        self._first = _Ply(*jax.jit(single.init)(jax.random.key(0)))
        self._key = jax.random.key(0)  # no draw of a game's own
        self.actions: list[int] = []
        self._plies = [self._first]

    @property
    def name(self) -> str:
        """Of the environment."""
        return self.env.spec.name

    @property
    def position(self) -> State:
        """The state of the game."""
        return _single(self._plies[-1].state)

    @property
    def positions(self) -> list[State]:
        """All states since the last `reset`."""
        return [_single(ply.state) for ply in self._plies]

    @property
    def over(self) -> bool:
        """Whether the game has ended."""
        return bool(self._plies[-1].timestep.last[0])

    @property
    def mover(self) -> int:
        """The seat of the player to move, 0 for the one who began."""
        return int(np.asarray(self._plies[-1].timestep.player)[0])

    @property
    def reward(self) -> float:
        """What the last move earned the player who made it."""
        return float(self._plies[-1].timestep.reward[0])

    @property
    def legal(self) -> Bool[np.ndarray, "A"]:
        """The moves that are allowed; none after the end."""
        legal = np.asarray(self._plies[-1].timestep.legal)[0]
        return np.zeros_like(legal) if self.over else legal

    def reset(self, state: State | None = None) -> None:
        """Begins a new game, from a position if one is given (one state of the environment)."""
        self.actions, self._plies = [], [self._first if state is None else _moment(state, self._first)]
        self.player.forget()

    def play(self, action: int) -> None:
        """Makes a move for the player to move.

        Raises:
            ValueError: if it is illegal; the game stays as it was.
        """
        legal = self.legal
        if not 0 <= action < legal.size or not legal[action]:
            raise ValueError("the game is over" if self.over else f"illegal move {action}")
        batch = jnp.asarray([action], jnp.int32)
        self._plies.append(_Ply(*self._step(self._plies[-1].state, batch, self._key)))
        self.actions.append(action)
        self.player.observe(action)

    def undo(self, count: int = 1) -> None:
        """Takes moves back; the player forgets what it remembered.

        Raises:
            ValueError: if there are fewer.
        """
        if count > len(self.actions):
            raise ValueError("no move to take back")
        if count > 0:
            del self.actions[-count:], self._plies[-count:]
            self.player.forget()

    def go_to(self, actions: Sequence[int]) -> None:
        """Brings the game to where `actions` lead from its first position, by as few moves as possible.

        Raises:
            ValueError: if one of them is illegal; those before it are played.
        """
        common = 0
        while common < min(len(actions), len(self.actions)) and actions[common] == self.actions[common]:
            common += 1
        self.undo(len(self.actions) - common)
        for action in actions[common:]:
            self.play(action)

    def positions_along(self, actions: Sequence[int]) -> list[State]:
        """The positions before each of some further moves, up to an illegal one."""
        ply, found = self._plies[-1], []
        for action in actions:
            legal = np.asarray(ply.timestep.legal)[0]
            if bool(ply.timestep.last[0]) or not (0 <= action < legal.size and legal[action]):
                break
            found.append(_single(ply.state))
            ply = _Ply(*self._step(ply.state, jnp.asarray([action], jnp.int32), self._key))
        return found

    def think(
        self,
        limit: SearchLimit = SearchLimit(),  # noqa: B008
        *,
        legal: Bool[np.ndarray, "A"] | None = None,
        temperature: float = 0.0,
        stop: Event | None = None,
        report: Callable[[MoveChoice], None] | None = None,
    ) -> MoveChoice:
        """Asks the player for a move, without making it.

        Args:
            limit: time or simulations.
            legal: the moves to choose from; default: the legal ones.
            temperature: 0 for the player's own choice; above it a move is drawn in proportion to
                policy ** (1 / temperature).
            stop: ends an endless search.
            report: is told of every search.

        Raises:
            ValueError: if there is no move to choose.
        """
        legal = self.legal if legal is None else legal
        if self.over or not legal.any():
            raise ValueError("no move to choose: the game is over")
        choice = self.player.think(self._plies[-1].timestep, legal, limit, stop=stop, report=report)
        if temperature > 0:
            choice = choice._replace(action=self.player.draw(choice.policy, temperature))
        return choice

    def prepare(self, seconds: float | None = None) -> None:
        """Compiles what a game needs, with moves of so many seconds or of the player's own size."""
        timestep = self._first.timestep
        self.player.prepare(timestep, seconds)
        action = jnp.argmax(jnp.asarray(timestep.legal), axis=-1).astype(jnp.int32)
        jax.block_until_ready(self._step(self._first.state, action, self._key))


@jax.jit
def _single(state: State) -> State:
    return jax.tree.map(lambda leaf: leaf[0], state)


def _moment(state: State, like: _Ply) -> _Ply:
    """What the environment would tell of a position to which no move led."""
    batch = jax.tree.map(lambda old, new: jnp.asarray(new, old.dtype)[None], like.state, state)
    timestep = like.timestep._replace(
        observation=batch,
        legal=batch.legal_action_mask,
        last=batch.terminated,
        player=jax.vmap(pgx_games.seat)(batch),
    )
    return _Ply(batch, timestep)
