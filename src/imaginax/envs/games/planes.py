"""Network planes in few bytes: boards of zeros and ones as bits, planes of one number as that number."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped, UInt8

_CHESS_HISTORY = range(0, 112, 14)  # of each position 12 planes of pieces, then 2 that say whether it is new


class Kinds(NamedTuple):
    """Which planes of a game are one value everywhere: 0 or 1 (`flags`), or any number (`numbers`)."""

    flags: tuple[int, ...]
    numbers: tuple[int, ...]


class Packed(NamedTuple):
    """The planes of a position.

    Attributes:
        bits: boards of zeros and ones, eight squares a byte.
        flags: planes that are all zeros or all ones, eight a byte.
        numbers: planes of one number.
    """

    bits: UInt8[Array, "*#B bytes"]
    flags: UInt8[Array, "*#B flag_bytes"]
    numbers: Float[Array, "*#B numbers"]


KINDS = {
    "go": Kinds(flags=(16,), numbers=()),
    "hex": Kinds(flags=(2, 3), numbers=()),
    "chess": Kinds(
        flags=tuple(i + j for i in _CHESS_HISTORY for j in (12, 13)) + (112, 114, 115, 116, 117),
        numbers=(113, 118),
    ),
    "gardner_chess": Kinds(
        flags=tuple(i + j for i in _CHESS_HISTORY for j in (12, 13)) + (112,), numbers=(113, 114)
    ),
    "animal_shogi": Kinds(
        flags=tuple(i + j for i in range(0, 192, 24) for j in range(10, 24)) + (192,), numbers=(193,)
    ),
    "shogi": Kinds(flags=tuple(range(62, 119)), numbers=()),
}

Pack = Callable[[Shaped[Array, "H W C"]], Packed]
Unpack = Callable[[Packed], Shaped[Array, "H W C"]]


def plane_packing(kind: str, shape: tuple[int, int, int], dtype: np.dtype) -> tuple[Pack, Unpack]:
    """`pack` and its exact inverse for the planes [H W C] of a game."""
    kinds = KINDS.get(kind, Kinds((), ()))
    flags, numbers = np.array(kinds.flags, int), np.array(kinds.numbers, int)
    boards = np.setdiff1d(np.arange(shape[2]), np.concatenate([flags, numbers]))
    squares = shape[0] * shape[1]
    order = np.argsort(np.concatenate([boards, flags, numbers]))

    def pack(planes: Shaped[Array, "H W C"]) -> Packed:
        bits = planes[:, :, boards].reshape(-1) != 0
        return Packed(
            jnp.packbits(bits),
            jnp.packbits(planes[0, 0, flags] != 0),
            planes[0, 0, numbers].astype(jnp.float32),
        )

    def unpack(packed: Packed) -> Shaped[Array, "H W C"]:
        bits = jnp.unpackbits(packed.bits, count=squares * boards.size).reshape(squares, boards.size)
        ones = jnp.unpackbits(packed.flags, count=flags.size)
        parts = [bits, jnp.broadcast_to(ones, (squares, flags.size)), packed.numbers[None].repeat(squares, 0)]
        planes = jnp.concatenate([part.astype(dtype) for part in parts], axis=1)
        return planes[:, order].reshape(shape)

    return pack, unpack
