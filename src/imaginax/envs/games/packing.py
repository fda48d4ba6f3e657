"""States in few bytes, for search trees, and back, so that the game goes on exactly as it would have.

A search tree copies a state at every node. What `compact` leaves out is computed again by `expand` (the
observation), stands twice in the state (the board is the first of the history), or can matter no more:
a position of chess can only recur until the next capture or pawn move, and a game ends after 100 plies
without one, so of hashes only those of the last 100 plies count, and for the eight positions of the history
that the planes mark as new or repeated those of 100 plies before each. The hashes of Go and animal
shogi, where any earlier position may recur, are all kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.envs.games.names import GameName
from imaginax.types import State

_CHESS_HASHES = 108  # 100 plies without capture or pawn move, and 8 positions of history


class Codec(NamedTuple):
    """How one field of a state is stored.

    encode: value -> what is stored
    decode: (what is stored, shape and type of the value) -> value
    """

    encode: Callable[[Array], Array]
    decode: Callable[[Array, jax.ShapeDtypeStruct], Array]


def _narrow(dtype: Any) -> Codec:
    """Small integers in a smaller type."""
    return Codec(lambda value: value.astype(dtype), lambda stored, like: stored.astype(like.dtype))


def _digits(bits: int, lowest: int) -> Codec:
    """Integers from `lowest` to `lowest + 2^bits - 1`, several in a byte."""
    places = jnp.arange(0, 8, bits, dtype=jnp.uint8)

    def encode(value: Array) -> Array:
        digits = (value.reshape(-1) - lowest).astype(jnp.uint8)
        digits = jnp.pad(digits, (0, -digits.size % places.size)).reshape(-1, places.size)
        return (digits << places).sum(1, dtype=jnp.uint8)

    def decode(stored: Array, like: jax.ShapeDtypeStruct) -> Array:
        digits = (stored[:, None] >> places) & (2**bits - 1)
        return (digits.reshape(-1)[: like.size].astype(like.dtype) + lowest).reshape(like.shape)

    return Codec(encode, decode)


def _recent(count: int) -> Codec:
    """The first rows of a history whose later ones count no more; they come back as zeros."""

    def decode(stored: Array, like: jax.ShapeDtypeStruct) -> Array:
        return jnp.zeros(like.shape, like.dtype).at[:count].set(stored)

    return Codec(lambda value: value[:count], decode)


_KEPT = Codec(lambda value: value, lambda stored, like: stored)
_INT8, _INT16 = _narrow(jnp.int8), _narrow(jnp.int16)
_BITS = Codec(jnp.packbits, lambda stored, like: jnp.unpackbits(stored, count=like.size).astype(like.dtype))
_CONSTANT = {"truncated": False, "_x.cache_m2b": -1, "_x.cache_king": 44}
_ANY_GAME = {
    "current_player": _INT8,
    "rewards": _INT8,
    "terminated": _KEPT,
    "legal_action_mask": _BITS,
    "_step_count": _INT16,
    "_player_order": _INT8,
}

Fields = dict[str, Array]
Expand = Callable[[Fields], State]


def _fields(game_name: GameName) -> dict[str, Codec]:
    """What is stored of a state; a field that is not named is derived, or has one value in every state."""
    index = _INT8 if game_name.size**2 < 127 else _INT16
    digits, chessmen = _digits(2, -1), _digits(4, -6)
    counters = {"_x.halfmove_count": _INT8, "_x.fullmove_count": _INT16, "_x.step_count": _INT16}
    stones = {"_x.color": _INT8, "_x.board": digits, "_x.winner": _INT8}
    own = {
        "tic_tac_toe": stones,
        "connect_four": stones,
        "othello": {"_x.turn": _INT8, "_x.board": digits, "_x.passed": _KEPT},
        "hex": {"_x.step_count": _INT16, "_x.board": index, "_x.terminated": _KEPT},
        "go": {"_x.step_count": _INT16, "_x.board": index, "_x.board_history": digits, "_x.ko": _INT16,
               "_x.num_captured": _INT16, "_x.consecutive_pass_count": _INT8, "_x.is_psk": _KEPT,
               "_x.hash_history": _KEPT},
        "chess": {"_x.color": _INT8, "_x.castling_rights": _KEPT, "_x.en_passant": _INT8, **counters,
                  "_x.hash_history": _recent(_CHESS_HASHES), "_x.board_history": chessmen,
                  "_x.legal_action_mask": _BITS},
        "gardner_chess": {"_turn": _INT8, "_halfmove_count": _INT8, "_fullmove_count": _INT16,
                          "_hash_history": _recent(_CHESS_HASHES), "_board_history": chessmen,
                          "_possible_piece_positions": _INT8},
        "animal_shogi": {"_turn": _INT8, "_hash_history": _KEPT, "_board_history": _digits(4, -1),
                         "_hand_history": _digits(2, 0), "_rep_history": _INT16},
        "shogi": {"_x.step_count": _INT16, "_x.color": _INT8, "_x.board": _INT8, "_x.hand": _INT8,
                  "_x.legal_action_mask": _BITS},
    }[game_name.kind]  # fmt: skip
    fields = {**_ANY_GAME, **own}
    if "_x.legal_action_mask" in own:
        del fields["legal_action_mask"]
    return fields


def _derive(game_name: GameName, fields: Fields) -> Fields:
    """Fields that follow from others."""
    if game_name.kind == "chess":
        fields["_x.board"] = fields["_x.board_history"][0]
    if game_name.kind in ("gardner_chess", "animal_shogi"):
        fields["_board"] = fields["_board_history"][0]
    if game_name.kind == "gardner_chess":
        fields["_zobrist_hash"] = fields["_hash_history"][0]
    if game_name.kind == "animal_shogi":
        fields["_hand"] = fields["_hand_history"][0].reshape(2, 3)
        fields["_zobrist_hash"] = fields["_hash_history"][fields["_step_count"]]
    if "_x.legal_action_mask" in fields:  # pgx opens every action of a finished game
        fields["legal_action_mask"] = fields["_x.legal_action_mask"] | fields["terminated"]
    return fields


def state_packing(game_name: GameName, base: Any, initial: State) -> tuple[Callable[[State], Fields], Expand]:
    """`compact` and `expand` of a game.

    Args:
        game_name: the game.
        base: pgx's environment of it.
        initial: shapes and types of its states.

    Returns:
        compact: state -> its fields that are stored
        expand: what `compact` returned -> a state from which every later observation, set of legal actions
            and reward is that of the original
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(initial)
    like = {jax.tree_util.keystr(path).lstrip("."): leaf for path, leaf in leaves}
    codecs = {name: codec for name, codec in _fields(game_name).items() if name in like}

    def compact(state: State) -> Fields:
        values = dict(zip(like, jax.tree.leaves(state), strict=True))
        return {name: codec.encode(values[name]) for name, codec in codecs.items()}

    def expand(stored: Fields) -> State:
        fields = {name: codec.decode(stored[name], like[name]) for name, codec in codecs.items()}
        fields = _derive(game_name, fields)
        for name in like.keys() - fields.keys():
            constant = _CONSTANT.get(name, 0)  # of the observation nothing but its place is needed yet
            fields[name] = jnp.full(like[name].shape, constant, like[name].dtype)
        state = jax.tree.unflatten(structure, [fields[name] for name in like])
        return state.replace(observation=base.observe(state))

    return compact, expand
