"""Matches of a player against a real program: a loop on the host, several games at once, one process each.

As in `arena.match` the games form two halves, and in every ply the player thinks about the half where it is
to move while the programs think about the other. The environment is the referee.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from imaginax.arena.go import board as goban
from imaginax.arena.go import game as go_game
from imaginax.arena.go import scoring
from imaginax.arena.go.board import BLACK, WHITE
from imaginax.arena.match import MatchResult
from imaginax.arena.openings import book, deal, pairs
from imaginax.arena.programs import RESIGN, GameProgram
from imaginax.envs.games import names
from imaginax.envs.games.notation import format_move, parse_move
from imaginax.envs.wrappers import privileged, vectorise
from imaginax.types import ConfigError, Environment, Params, Player, State, TimeStep


class ProgramMatch(NamedTuple):
    """A match against a program.

    result: counted for the player by the environment's rules; a program that resigns has lost.
    moves: of every game, as the program writes them.
    disputed: number of a game -> why the program and the environment did not agree about it. A game that
        could not go on (the program made a move that is illegal here, or says that the game is over) is
        drawn. Where they only count the final board differently the environment's result stands, except
        for Go: a third count, without the dead stones (`arena.go.scoring`), then decides. It also counts
        for a program of Go that does not.
    """

    result: MatchResult
    moves: list[list[str]]
    disputed: dict[int, str]


class _Rules(NamedTuple):
    """The compiled functions of a match, for a fixed number of games."""

    name: str
    init: Callable[[Array], tuple[State, TimeStep]]
    step: Callable[[State, Array, Array], tuple[State, TimeStep]]
    move: Callable[..., Any]
    observe: Callable[[PyTree, Array], PyTree]


class _Half:
    """The games of one half, and the programs that play them; only the first `played` of them are games."""

    def __init__(
        self,
        rules: _Rules,
        memory: PyTree,
        programs: Sequence[GameProgram],
        seed: int,
        sign: int,
        key: Array,
        played: int,
    ):
        self.rules, self.memory, self.programs, self.sign = rules, memory, programs, sign
        self.state, self.timestep = rules.init(key)
        count, self.played = len(programs), played
        self.over = np.arange(count) >= played
        self.actions: list[np.ndarray] = []
        self.outcome = np.zeros(count, np.float32)
        self.length = np.zeros(count, np.int32)
        self.truncated = np.zeros(count, bool)
        self.resigned = np.zeros(count, bool)
        self.moves: list[list[str]] = [[] for _ in programs]
        self.disputed: dict[int, str] = {}
        for number, program in enumerate(programs):
            program.new_game(seed + number)

    def positions(self) -> list[State]:
        """Every game's state, on the host."""
        state = jax.tree.map(np.asarray, self.state)
        return [jax.tree.map(lambda leaf, i=i: leaf[i], state) for i in range(len(self.programs))]

    def replies(self, pool: ThreadPoolExecutor) -> np.ndarray:
        """The programs' moves; where one resigns it has lost, where one cannot be played it is disputed."""
        asked = [number for number in range(len(self.programs)) if not self.over[number]]
        texts = list(pool.map(lambda number: self.programs[number].choose(self.moves[number]), asked))
        actions, positions = np.zeros(len(self.programs), np.int32), self.positions()
        for number, text in zip(asked, texts, strict=True):
            if text is not None and text.lower() == RESIGN:
                self.outcome[number], self.over[number], self.resigned[number] = 1, True, True
                continue
            try:
                if text is None:
                    raise ValueError("the program makes no move, though the game goes on")
                actions[number] = parse_move(self.rules.name, positions[number], text)
            except ValueError as error:
                self.disputed[number] = f"ply {len(self.moves[number])}: {error}"
                self.over[number] = True
        return actions

    def play(self, actions: np.ndarray, sign: int, key: Array) -> None:
        """One action in every game that goes on; its reward counts for the player by `sign`."""
        positions = self.positions()
        going = ~self.over
        for number in np.flatnonzero(going):
            self.moves[number].append(format_move(self.rules.name, positions[number], int(actions[number])))
        self.actions.append(np.where(going, actions, -1))
        batch = jnp.asarray(actions, jnp.int32)
        self.state, self.timestep = self.rules.step(self.state, batch, key)
        self.memory = self.rules.observe(self.memory, batch)
        reward, last, cut = (
            np.asarray(leaf) for leaf in (self.timestep.reward, self.timestep.last, self.timestep.truncated)
        )
        self.outcome += np.where(going & ~cut, sign * np.sign(reward), 0)
        self.length += going
        self.truncated |= going & cut
        self.over |= last

    def judge(self, pool: ThreadPoolExecutor) -> None:
        """Asks the programs who won the games that came to their end."""
        open_ = self.truncated | self.resigned
        ended = [i for i in range(self.played) if i not in self.disputed and not open_[i]]
        verdicts = pool.map(lambda number: self.programs[number].verdict(self.moves[number]), ended)
        for number, verdict in zip(ended, verdicts, strict=True):
            if verdict is not None and verdict * self.sign == self.outcome[number]:
                continue
            if verdict is not None:
                self.disputed[number] = (
                    f"the program counts {verdict * self.sign:+d} for the player at the end"
                )
            count = _settled(self.rules.name, self.moves[number])
            self.outcome[number] = self.outcome[number] if count is None else count * self.sign


def _settled(name: str, moves: Sequence[str]) -> int | None:
    """Who won a game of Go that two passes ended, for Black: 1 or -1; None for any other game."""
    game_name = names.parse(name) if names.is_game(name) else None
    if (
        game_name is None
        or game_name.kind != "go"
        or [move.lower() for move in moves[-2:]] != ["pass", "pass"]
    ):
        return None
    game = go_game.begin(game_name.size)
    for number, move in enumerate(moves):
        game = go_game.play(game, (BLACK, WHITE)[number % 2], goban.point_of(game_name.size, move))
    return int(np.sign(scoring.settle(game_name.size, game.board.cells).lead - game_name.komi))


def play_program(
    env: Environment,
    player: Player,
    params: Params,
    program: Callable[[], GameProgram],
    key: Array,
    *,
    games: int,
    at_once: int = 8,
    openings: int = 0,
) -> ProgramMatch:
    """Plays up to `games` games against a program, half of them with each side beginning.

    Args:
        env: the game, as `envs.make` gives it.
        player: our side; it moves `at_once / 2` games in one compiled step.
        params: its parameters.
        program: starts one process, see `programs.make_program`.
        key: of the openings, of the player and of the programs' seeds.
        games: a multiple of `at_once`; with openings no more than two for each that the game has.
        at_once: games side by side, even; as many processes run.
        openings: plies before the sides take over, drawn without replacement, the same for both colours.

    Raises:
        ConfigError: for numbers that do not fit together.
        ProgramMissing: if the program is not installed.
        ProgramError: if a process ends, falls silent or breaks its protocol; all are ended then.
    """
    if at_once < 2 or at_once % 2 or games < at_once or games % at_once:
        raise ConfigError(f"games must be a multiple of an even at_once, got {games} and {at_once}")
    copies = vectorise(privileged(env), at_once // 2)
    rules = _Rules(
        env.spec.name,
        jax.jit(copies.init),
        jax.jit(copies.step),
        jax.jit(player.move),
        jax.jit(player.observe),
    )
    known, (key_openings, key) = book(env, openings), jax.random.split(key)
    moves, numbers = jax.device_get(deal(known, pairs(known, games), key_openings))
    begun = [moves[start : start + at_once // 2] for start in range(0, len(moves), at_once // 2)]
    rounds = []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(at_once // 2))
        programs = [stack.enter_context(contextlib.closing(program())) for _ in range(at_once)]
        for key_round, some in zip(jax.random.split(key, len(begun)), begun, strict=True):
            rounds.append(_round(rules, player, params, programs, pool, key_round, some, env.spec.max_steps))
    return _gathered(rounds, numbers)


def _round(
    rules: _Rules,
    player: Player,
    params: Params,
    programs: Sequence[GameProgram],
    pool: ThreadPoolExecutor,
    key: Array,
    openings: Int[np.ndarray, "N T"],
    max_steps: int,
) -> list[_Half]:
    """One game of each opening in every process: [the half that the player began, the other].

    Where there are fewer openings than processes for them, the others have nothing to do.
    """
    key_init, key_seed, key_plies = jax.random.split(key, 3)
    seed, half = int(jax.random.randint(key_seed, (), 0, 2**15)), len(programs) // 2
    played, plies = openings.shape
    halves = [
        _Half(rules, player.init(half), programs[:half], seed, 1, key_init, played),
        _Half(rules, player.init(half), programs[half:], seed + half, -1, key_init, played),
    ]
    given = np.concatenate([openings, np.zeros((half - played, plies), np.int32)])
    for ply in range(max_steps):
        if all(one.over.all() for one in halves):
            break
        key_move, key_step = jax.random.split(jax.random.fold_in(key_plies, ply))
        mine, yours = halves if ply % 2 == 0 else halves[::-1]
        if ply < plies:
            actions = replies = given[:, ply]
        else:
            # Dispatched first, so that the player and the programs think at the same time.
            chosen, mine.memory, _ = rules.move(params, mine.memory, mine.timestep, key_move)
            replies = yours.replies(pool)
            actions = np.asarray(chosen)
        mine.play(actions, 1, key_step)
        yours.play(replies, -1, key_step)
    for one in halves:
        one.judge(pool)
    return halves


def _gathered(rounds: list[list[_Half]], openings: Int[np.ndarray, "N"]) -> ProgramMatch:
    """All rounds as one match: first every game that the player began, then the others."""
    halves = [halves[0] for halves in rounds] + [halves[1] for halves in rounds]

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(half, name)[: half.played] for half in halves])

    began = np.concatenate([np.full(half.played, half.sign > 0) for half in halves])
    moves = [moves for half in halves for moves in half.moves[: half.played]]
    before = np.cumsum([0] + [half.played for half in halves])
    disputed = {
        int(first) + game: why
        for first, half in zip(before, halves, strict=False)
        for game, why in sorted(half.disputed.items())
    }
    actions = np.full((int(joined("length").max()), len(moves)), -1, np.int32)
    for first, half in zip(before, halves, strict=False):
        for ply, row in enumerate(half.actions[: len(actions)]):
            actions[ply, first : first + half.played] = row[: half.played]
    outcome, length, cut = (jnp.asarray(joined(name)) for name in ("outcome", "length", "truncated"))
    opening = jnp.tile(jnp.asarray(openings), 2)
    result = MatchResult(outcome, jnp.asarray(began), length, cut, opening, jnp.asarray(actions))
    return ProgramMatch(result, moves, disputed)
