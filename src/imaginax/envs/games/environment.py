"""A board game as an environment: its state is pgx's; `Environment.game` says how a search sees it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.envs.games import packing, pgx_games, pictures, planes, symmetries
from imaginax.envs.games.names import parse
from imaginax.envs.wrappers import strip_weak_types
from imaginax.types import Box, Discrete, Environment, EnvSpec, Game, State, TimeStep

# Most legal actions of any position. Chess and shogi: the known records. Gardner chess: a king has 8 moves,
# nine other pieces, promoted or not, have at most 16 each on 25 squares. Animal shogi: drops of three
# kinds on 7 squares and 8 + 6 + 4 + 4 moves; any other share of the pieces gives less.
_MAX_LEGAL = {"chess": 218, "shogi": 593, "gardner_chess": 8 + 9 * 16, "animal_shogi": 43}


def environment(name: str, *, max_steps: int | None = None) -> Environment:
    """The game called `name`; see `names.parse` for the names of Go and Hex of any size.

    Nothing is drawn at random: `init` and `step` ignore their keys, and player 0 begins. A step after the end
    leaves the state as it is, with reward 0. An illegal action ends the game and loses it.

    Args:
        name: one of `names.NAMES`, `go_NxN`, `go_NxN_komiK` or `hex_NxN`.
        max_steps: moves after which a game is truncated (discount 1); default, and upper limit: the longest
            game that the rules allow.

    Raises:
        ConfigError: for an unknown name or a limit below 1.
    """
    game_name = parse(name)
    base = pgx_games.build(game_name)
    longest = pgx_games.longest(game_name)
    limit = longest if max_steps is None else min(max_steps, longest)
    initial = jax.eval_shape(lambda: strip_weak_types(pgx_games.first(base, game_name, jax.random.key(0))))
    shape, actions = initial.observation.shape, initial.legal_action_mask.shape[0]

    def init(key: Array) -> tuple[State, TimeStep]:
        state = strip_weak_types(pgx_games.first(base, game_name, key))
        return state, _timestep(state, jnp.zeros(()), jnp.zeros((), bool), limit)

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        del key
        after = strip_weak_types(pgx_games.following(base, game_name, state, action))
        return after, _timestep(after, after.rewards[state.current_player], jnp.ones((), bool), limit)

    observation = Box(shape, 0.0, 2.0, initial.observation.dtype)
    spec = EnvSpec(name, observation, Discrete(actions), max_steps=limit, players=2)
    pack, unpack = planes.plane_packing(game_name.kind, shape, initial.observation.dtype)
    compact, expand = packing.state_packing(game_name, base, initial)
    maps = symmetries.symmetries(game_name, shape, actions)
    max_legal = _MAX_LEGAL[game_name.kind] if game_name.kind in _MAX_LEGAL else actions
    game = Game(_planes, pack, unpack, compact, expand, maps, max_legal)
    return Environment(spec, init, step, render=pictures.renderer(game_name), game=game)


def _timestep(state: State, reward: Array, moved: Array, limit: int) -> TimeStep:
    ended, late = state.terminated, pgx_games.moves_made(state) >= limit
    return TimeStep(
        observation=state.observation,
        reward=reward,
        discount=1 - ended.astype(jnp.float32),
        first=~moved,
        last=ended | late,
        truncated=late & ~ended,
        legal=state.legal_action_mask,
        player=pgx_games.seat(state),
        steps=jnp.int32(1),
    )


def _planes(state: State) -> Array:
    return state.observation
