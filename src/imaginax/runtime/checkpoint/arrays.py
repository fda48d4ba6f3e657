"""Arrays in files: zarr (version 2), one folder an array, uncompressed, at least one file a shard.

Every process writes the shards it holds and reads those it needs, through tensorstore, whatever the
number of devices or processes was when they were written. Nothing is compressed, so that the size of a
file says what reading it will take; nothing but shape, type and chunks is ever read from a file's own
description, and these have to agree with the state that is asked for before any array is allocated.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from imaginax.runtime.checkpoint.files import CheckpointError, first_line, walk

CHUNK_BYTES = 2**26
DESCRIPTION_BYTES = 2**16


class HostArray(NamedTuple):
    """What this process writes of one array.

    Attributes:
        shape: of the whole array.
        dtype: numpy's, which has names for jax's own types too.
        chunk: shape of one file.
        pieces: index in the whole array and a copy, for each shard; empty if others write it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: tuple[int, ...]
    pieces: list[tuple[tuple[slice, ...], Any]]


# ------------------------------------------------------------------ saving


def take(state: PyTree) -> list[HostArray]:
    """Copies a state to host memory, so that its buffers may be donated or overwritten.

    Of an array with several replicas, one process copies one. An array that each process has for itself
    is that of process 0.
    """
    parts = [_parts(leaf) for leaf in jax.tree.leaves(state)]
    pieces = [piece for part in parts for _, piece in part.pieces]
    for piece in pieces:
        if not _in_host_memory(piece):
            piece.copy_to_host_async()  # all of them are under way before the first is waited for
    return [part._replace(pieces=[(index, _copy(piece)) for index, piece in part.pieces]) for part in parts]


def create(folder: Path, arrays: list[HostArray]) -> None:
    """Describes the arrays in a folder; one process does it, before any writes."""
    opened = []
    for number, array in enumerate(arrays):
        if math.prod(array.shape):
            metadata = {"shape": list(array.shape), "chunks": list(array.chunk), "compressor": None}
            opened.append(_open(folder, number, dtype=array.dtype, metadata=metadata, create=True))
    for store in opened:
        store.result()


def write(folder: Path, arrays: list[HostArray]) -> None:
    """Writes this process's pieces; they are on the disk when it returns."""
    opened = {number: _open(folder, number) for number, array in enumerate(arrays) if array.pieces}
    written = [
        store.result()[index].write(piece, can_reference_source_data_indefinitely=True)
        for number, store in opened.items()
        for index, piece in arrays[number].pieces
    ]
    for each in written:
        each.result()


def _parts(leaf: Any) -> HostArray:
    """What this process is to write of a leaf, not copied yet."""
    leaf = jax.random.key_data(leaf) if _is_key(leaf) else leaf
    shard, pieces = leaf.shape, [(tuple(slice(None) for _ in leaf.shape), leaf)]
    if isinstance(leaf, jax.Array) and (jax.process_count() == 1 or not leaf.is_fully_addressable):
        shard = leaf.sharding.shard_shape(leaf.shape)
        pieces = [(part.index, part.data) for part in leaf.addressable_shards if part.replica_id == 0]
    elif jax.process_index() > 0:
        pieces = []
    dtype = np.dtype(leaf.dtype)
    pieces = [(index, piece) for index, piece in pieces if piece.size]
    return HostArray(tuple(leaf.shape), dtype, _chunk(shard, dtype.itemsize), pieces)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _in_host_memory(piece: Any) -> bool:
    return not isinstance(piece, jax.Array) or next(iter(piece.devices())).platform == "cpu"


def _copy(piece: Any) -> np.ndarray:
    """A copy in host memory, and only one: what comes from another device is one already."""
    return np.array(piece, order="C") if _in_host_memory(piece) else np.asarray(piece)


def _chunk(shard: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """A shape of at most CHUNK_BYTES, if it may be, that divides a shard, so that no two write one file."""
    chunk = list(shard)
    for axis, size in enumerate(shard):
        excess = -(-math.prod(chunk) * itemsize // CHUNK_BYTES)
        if excess > 1:
            counts = range(min(excess, size), min(8 * excess, size) + 1)
            chunk[axis] //= next((count for count in counts if size % count == 0), 1)
    return tuple(chunk)


# --------------------------------------------------------------- restoring


def check(folder: Path, like: PyTree) -> None:
    """Compares what the files say of themselves with the state that is asked for; reads no array.

    Raises:
        CheckpointError: naming the array.
    """
    for number, leaf in enumerate(jax.tree.leaves(like)):
        wanted = _physical(leaf)
        if wanted.size:
            try:
                _check_array(folder, number, wanted)
            except (CheckpointError, OSError, ValueError) as error:
                raise CheckpointError(f"{folder.name}/{_name(number)}: {first_line(error)}") from error


def read(folder: Path, like: PyTree) -> PyTree:
    """Reads a state that `check` accepts.

    Args:
        folder: where its arrays are.
        like: its structure; leaves with a sharding are placed accordingly, and each process reads
            only its part of them; those without one go to the default device.
    """
    with jax.enable_x64(True):  # so that float64 arrays stay what they are; others are not widened
        leaves = [_read(folder, number, leaf) for number, leaf in enumerate(jax.tree.leaves(like))]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _check_array(folder: Path, number: int, wanted: jax.ShapeDtypeStruct) -> None:
    place = folder / _name(number)
    sizes = {name: (place / name).stat().st_size for name in walk(place)}
    if sizes.pop(".zarray", DESCRIPTION_BYTES) >= DESCRIPTION_BYTES:
        raise CheckpointError("its description .zarray is missing or absurdly long")
    store = _open(folder, number).result()
    said = store.spec().to_json()["metadata"]
    if tuple(said["shape"]) != wanted.shape or store.dtype.numpy_dtype != wanted.dtype:
        raise CheckpointError(f"its description says {store.dtype.name}{said['shape']}")
    chunk = said["chunks"]
    along = list(zip(wanted.shape, chunk, strict=True))
    if said["compressor"] or said["filters"] or any(part > size for size, part in along):
        raise CheckpointError(f"its description says chunks of {chunk}, compressor {said['compressor']}")
    count, size = math.prod(-(-size // part) for size, part in along), math.prod(chunk)
    if list(sizes.values()) != count * [size * wanted.dtype.itemsize]:
        raise CheckpointError(f"its files are not {count} of {size} numbers")


def _read(folder: Path, number: int, leaf: Any) -> jax.Array:
    wanted = _physical(leaf)
    store = _open(folder, number).result() if wanted.size else None

    def part(index: Any) -> np.ndarray:
        return np.zeros(wanted.shape, wanted.dtype)[index] if store is None else store[index].read().result()

    if wanted.sharding is None:
        array = jnp.array(part(tuple(slice(None) for _ in wanted.shape)))
    else:
        array = jax.make_array_from_callback(wanted.shape, wanted.sharding, part)
    return jax.random.wrap_key_data(array, impl=_key_impl(leaf)) if _is_key(leaf) else array


def _physical(leaf: Any) -> jax.ShapeDtypeStruct:
    """Shape, type and sharding of what is in the file: of a key, its data."""
    data = jax.eval_shape(jax.random.key_data, _bare(leaf)) if _is_key(leaf) else leaf
    sharding = getattr(leaf, "sharding", None)
    return jax.ShapeDtypeStruct(data.shape, np.dtype(data.dtype), sharding=sharding)


def _key_impl(leaf: Any) -> str:
    """Which generator a key's type is of. Jax tells it of arrays only, so one is traced."""
    found: list[str] = []

    def tell(key: jax.Array) -> jax.Array:
        found.append(str(jax.random.key_impl(key)))
        return key

    jax.eval_shape(tell, _bare(leaf))
    return found[0]


def _bare(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


# ------------------------------------------------------------- tensorstore


def _name(number: int) -> str:
    return f"array_{number:05d}"


def _open(folder: Path, number: int, *, dtype: np.dtype | None = None, **how: Any) -> Any:
    """A tensorstore of one array, as a future."""
    import tensorstore

    spec: dict[str, Any] = {
        "driver": "zarr",
        "kvstore": {"driver": "file", "path": f"{folder.absolute()}/{_name(number)}/"},
        "store_data_equal_to_fill_value": True,  # so that a missing file is always a fault
    }
    if "metadata" in how:
        spec["metadata"] = how.pop("metadata")
    return tensorstore.open(spec, dtype=None if dtype is None else tensorstore.dtype(dtype), **how)
